//! Log lines about events that anybody can cause as often as they like: at most one a minute, with the number of events.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Strangers must not fill the log.
const INTERVAL: Duration = Duration::from_secs(60);

/// Text to append to a log message: how many events it stands for, if more than one.
#[must_use]
pub(crate) fn count_suffix(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" ({count} times since this was last logged)") }
}

/// Counts events of one kind and limits how often they are logged. Clones share the count.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogThrottle(Arc<Mutex<Count>>);

#[derive(Debug, Default)]
struct Count {
    not_logged: u64,
    logged_at: Option<Instant>,
}

impl LogThrottle {
    /// Counts one event. Returns `Some` if it should be logged: the number of events since the last log line.
    #[must_use]
    pub(crate) fn should_log(&self) -> Option<u64> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.not_logged += 1;
        if count.logged_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return None;
        }
        count.logged_at = Some(Instant::now());
        Some(std::mem::take(&mut count.not_logged))
    }
}
