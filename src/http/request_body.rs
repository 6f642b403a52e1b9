//! The body of a request as hyper receives it: it ends early when its connection has to make room for others, and what its
//! handler does not need of it is still read.

use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::timeout;
use tracing::debug;

use super::connections::{BodyWait, Connection};

/// How long, and how far, a body is still read that nobody needs any more. If the connection were closed at once, most
/// clients would see a reset instead of the response.
const LINGER_TIME: Duration = Duration::from_secs(10);
const LINGER_SIZE: usize = 128 * 1024 * 1024;

/// What each piece of such a body counts at least: the work is in the pieces, and a client may send a chunk for each byte.
const LEAST_PIECE: usize = 1024;

/// How often to ask for the rest of such a body before the response: hyper hands over one buffer at a time, and the first
/// request only makes it begin.
const POLLS: u32 = 3;

/// The body of a request.
#[derive(Debug)]
pub(super) struct RequestBody {
    body: Option<Incoming>,
    connection: Arc<Connection>,
    /// Since a part of the body was not there yet.
    wait: Option<BodyWait>,
    /// Whether the client sends what the handler leaves.
    lingers: bool,
}

impl RequestBody {
    pub(super) fn new(body: Incoming, connection: &Arc<Connection>, lingers: bool) -> Self {
        Self { body: Some(body), connection: Arc::clone(connection), wait: None, lingers }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Self { body, connection, wait, lingers } = &mut *self;
        let Some(body) = body else { return Poll::Ready(None) };
        // hyper now tells a client that waits for it to go on.
        *lingers = true;
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(wait.get_or_insert_with(|| connection.wait_for_body()).poll_enough(context));
        debug!("a request is answered before its body has arrived, to make room for others");
        Poll::Ready(Some(Err("the connection has to make room for others".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| self.lingers && !body.is_end_stream()) {
            self.connection.leave_unread(body);
        }
    }
}

/// Reads a body that nobody needs to its end, so that the client can read the response. What has not arrived yet is read after
/// the response.
pub(super) async fn linger(body: Incoming) {
    let mut discarding = Box::pin(discard(body));
    let mut polls = 0;
    let is_read = poll_fn(|context| {
        polls += 1;
        match discarding.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            // hyper belongs to the same task: it hands over what has arrived before this is polled again.
            Poll::Pending if polls < POLLS => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Ready(false),
        }
    });
    if !is_read.await {
        tokio::spawn(timeout(LINGER_TIME, discarding));
    }
}

async fn discard(mut body: Incoming) {
    let mut length = 0;
    while !body.is_end_stream()
        && let Some(Ok(frame)) = body.frame().await
    {
        length += frame.data_ref().map_or(0, Bytes::len).max(LEAST_PIECE);
        if length > LINGER_SIZE {
            return;
        }
    }
}
