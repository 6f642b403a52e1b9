//! Waiting for tasks.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use tokio::task::{JoinError, JoinHandle};

use super::request_id::RequestId;

/// Runs a future to its end, even if the caller is dropped meanwhile. It becomes a task only if it is not ready at once.
/// `None` when the runtime ended before it. A panic goes on in the caller.
pub(crate) async fn spawn_if_pending<F>(mut future: Pin<Box<F>>) -> Option<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => output(spawn_in_request(future).await),
    }
}

/// The output of a task that nobody aborts; `None` when the runtime ended before it. A panic of the task goes on in the
/// caller.
pub(crate) fn output<T>(joined: Result<T, JoinError>) -> Option<T> {
    joined.map_err(|error| error.try_into_panic().map(|panic| std::panic::resume_unwind(panic))).ok()
}

/// Spawns a task that belongs to the same request as its caller.
fn spawn_in_request<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match RequestId::current() {
        Some(id) => tokio::spawn(id.scope(future)),
        None => tokio::spawn(future),
    }
}
