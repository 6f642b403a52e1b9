//! Waiting for tasks.

use tokio::task::JoinError;

/// The output of a task that nobody aborts; `None` when the runtime ended before it. A panic of the task goes on in the
/// caller.
pub(crate) fn output<T>(joined: Result<T, JoinError>) -> Option<T> {
    joined.map_err(|error| error.try_into_panic().map(|panic| std::panic::resume_unwind(panic))).ok()
}
