//! A server that receives the batches of a log drain.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::time::sleep;

/// Stores all batches. It answers with the given statuses in turn, and then with 204. The status 0 means no response.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    batches: Arc<Mutex<Vec<Batch>>>,
    statuses: Arc<Mutex<VecDeque<u16>>>,
    delay: Duration,
}

struct Batch {
    uri: Uri,
    headers: HeaderMap,
    body: String,
}

impl Receiver {
    pub(crate) async fn start(statuses: &[u16]) -> (Receiver, String) {
        let statuses = Arc::new(Mutex::new(statuses.iter().copied().collect()));
        Receiver { statuses, ..Receiver::default() }.serve().await
    }

    /// Starts a receiver that sends each response after this delay.
    pub(crate) async fn slow(delay: Duration) -> (Receiver, String) {
        Receiver { delay, ..Receiver::default() }.serve().await
    }

    async fn serve(self) -> (Receiver, String) {
        let router = Router::new().fallback(receive).with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("the listener is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        (self, format!("http://user:secret@{address}/drain?a=b"))
    }

    /// Returns the path and the query of the request with this batch.
    pub(crate) fn uri(&self, batch: usize) -> String {
        self.batches()[batch].uri.to_string()
    }

    pub(crate) fn header(&self, batch: usize, name: &str) -> String {
        self.batches()[batch].headers[name].to_str().expect("the header is text").to_owned()
    }

    pub(crate) fn bodies(&self) -> Vec<String> {
        self.batches().iter().map(|batch| batch.body.clone()).collect()
    }

    /// Returns the messages of all batches.
    pub(crate) fn messages(&self) -> Vec<String> {
        self.batches().iter().flat_map(|batch| messages(&batch.body)).map(str::to_owned).collect()
    }

    fn batches(&self) -> MutexGuard<'_, Vec<Batch>> {
        self.batches.lock().expect("no task panicked")
    }
}

async fn receive(State(receiver): State<Receiver>, uri: Uri, headers: HeaderMap, body: String) -> StatusCode {
    receiver.batches().push(Batch { uri, headers, body });
    sleep(receiver.delay).await;
    let status = receiver.statuses.lock().expect("no task panicked").pop_front();
    match status.unwrap_or(204) {
        0 => std::future::pending().await,
        status => StatusCode::from_u16(status).expect("the status is valid"),
    }
}

/// Splits a body into its messages by their lengths in bytes.
pub(crate) fn messages(mut body: &str) -> Vec<&str> {
    let mut messages = Vec::new();
    while let Some((length, rest)) = body.split_once(' ') {
        let (message, next) = rest.split_at(length.parse().expect("the frame begins with its length"));
        messages.push(message);
        body = next;
    }
    messages
}
