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
#[derive(Clone, Debug)]
pub(crate) struct LogThrottle {
    /// How many lines there may be in an interval.
    lines: u32,
    count: Arc<Mutex<Count>>,
}

#[derive(Debug, Default)]
struct Count {
    not_logged: u64,
    /// How many more lines there may be in this interval.
    left: u32,
    began: Option<Instant>,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::new(1)
    }
}

impl LogThrottle {
    /// Allows this many lines in a minute.
    pub(crate) fn new(lines: u32) -> Self {
        Self { lines, count: Arc::default() }
    }

    /// Counts one event. Returns `Some` if it should be logged: the number of events since the last log line.
    #[must_use]
    pub(crate) fn should_log(&self) -> Option<u64> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.not_logged += 1;
        if count.began.is_none_or(|at| at.elapsed() >= INTERVAL) {
            (count.began, count.left) = (Some(Instant::now()), self.lines);
        }
        count.left = count.left.checked_sub(1)?;
        Some(std::mem::take(&mut count.not_logged))
    }
}
