//! Reading request bodies, with limits on their size, on the time they take, and on the memory of all of them together.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

/// Log services send batches of up to 25,000 lines. What exceeds this is not kept.
const MAX_SIZE: usize = 8 * 1024 * 1024;

/// Nearly all bodies are smaller and need no permit.
const SMALL: usize = 256 * 1024;

/// How many large bodies are in memory at once; further ones wait. That is 32 MiB, and up to three times as much while they
/// are parsed, of the 512 MB of a Basic dyno.
const LARGE_BODIES: usize = 4;

/// How long a sender may take to send its body. After that, it is answered by what has arrived.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the bodies of alerts.
#[derive(Debug)]
pub(crate) struct BodyReader {
    permits: Semaphore,
}

/// What arrived of a body.
#[derive(Debug)]
pub(crate) struct ReceivedBody {
    pub(crate) bytes: Bytes,
    pub(crate) completeness: Completeness,
}

/// How much of a body arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// All of it.
    Complete,
    /// It is larger than 8 MiB; the first 8 MiB are kept.
    TooLarge,
    /// A part. The connection broke, or the rest did not arrive in time.
    CutOff,
}

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct PendingBody<'a> {
    body: Body,
    deadline: Instant,
    reader: &'a BodyReader,
    permit: Option<SemaphorePermit<'a>>,
}

impl Default for BodyReader {
    fn default() -> Self {
        Self { permits: Semaphore::new(LARGE_BODIES) }
    }
}

impl BodyReader {
    /// Starts to read a body; its time limit starts, too.
    pub(crate) fn begin(&self, body: Body) -> PendingBody<'_> {
        PendingBody { body, deadline: Instant::now() + TIMEOUT, reader: self, permit: None }
    }
}

/// Passes each piece of a body to `take` as it arrives and keeps none of them.
pub(crate) async fn stream(mut body: Body, take: impl FnMut(&[u8])) -> Completeness {
    stream_until(&mut body, Instant::now() + TIMEOUT, take).await
}

impl PendingBody<'_> {
    /// Reads until the end of the body, its size limit or its time limit.
    pub(crate) async fn read(&mut self) -> ReceivedBody {
        let announced = self.body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let mut kept = Vec::with_capacity(announced.unwrap_or_default().min(SMALL));
        match timeout_at(self.deadline, self.collect(&mut kept)).await {
            Ok(Collected::InOnePiece(bytes)) => ReceivedBody { bytes, completeness: Completeness::Complete },
            Ok(Collected::InPieces(completeness)) => ReceivedBody { bytes: kept.into(), completeness },
            Err(_) => ReceivedBody { bytes: kept.into(), completeness: Completeness::CutOff },
        }
    }

    /// Reads the rest and discards it, so that the sender can finish sending and read the response. To be called when the
    /// bytes that were read have been dropped, because another large body may take their memory from here on.
    pub(crate) async fn discard_rest(mut self) {
        self.permit = None;
        if stream_until(&mut self.body, self.deadline, |_| {}).await == Completeness::CutOff {
            debug!("the body of a request was cut off, or did not arrive within {TIMEOUT:?}");
        }
    }

    async fn collect(&mut self, kept: &mut Vec<u8>) -> Collected {
        loop {
            let data = match self.body.frame().await {
                None => return Collected::InPieces(Completeness::Complete),
                Some(Err(_)) => return Collected::InPieces(Completeness::CutOff),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if kept.is_empty() && self.body.is_end_stream() {
                return Collected::InOnePiece(data);
            }
            let length = kept.len() + data.len();
            if length > MAX_SIZE {
                kept.extend_from_slice(&data[..MAX_SIZE - kept.len()]);
                return Collected::InPieces(Completeness::TooLarge);
            }
            if length > SMALL && self.permit.is_none() {
                // The semaphore is never closed.
                self.permit = self.reader.permits.acquire().await.ok();
            }
            kept.extend_from_slice(&data);
        }
    }
}

enum Collected {
    /// Need not be copied.
    InOnePiece(Bytes),
    /// Copied into one buffer.
    InPieces(Completeness),
}

async fn stream_until(body: &mut Body, deadline: Instant, mut take: impl FnMut(&[u8])) -> Completeness {
    let to_the_end = async {
        loop {
            match body.frame().await {
                None => return Completeness::Complete,
                Some(Err(_)) => return Completeness::CutOff,
                Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|data| take(data)),
            }
        }
    };
    timeout_at(deadline, to_the_end).await.unwrap_or(Completeness::CutOff)
}
