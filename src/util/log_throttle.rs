//! Telling of what anybody can make happen as often as they like: once a minute, with its number.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Strangers must not fill the log.
const INTERVAL: Duration = Duration::from_secs(60);

/// For the end of a sentence: how often it happened, where that is more than once.
#[must_use]
pub fn since_last_told(count: u64) -> String {
    if count == 1 { String::new() } else { format!(" ({count} such since last told)") }
}

/// Counts, and says when to tell. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Sparing(Arc<Mutex<Counted>>);

#[derive(Debug, Default)]
struct Counted {
    untold: u64,
    told_at: Option<Instant>,
}

impl Sparing {
    /// It happened. When it is time to tell: how often since it was told the last time.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.untold += 1;
        if counted.told_at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return None;
        }
        counted.told_at = Some(Instant::now());
        Some(std::mem::take(&mut counted.untold))
    }
}
