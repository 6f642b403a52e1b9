//! Log lines about events that anybody can cause as often as they like: a few a minute of each kind, and one with the number
//! of all others when the minute ends.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;

/// Strangers must not fill the log.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many kinds are told apart. Events of further kinds are not logged until a minute has passed: only a flood of made-up
/// requests has so many.
const MOST_KINDS: usize = 100;

/// Writes the log line of an event of this kind.
type Line<K> = Box<dyn FnOnce(&K, Times) + Send>;

/// Limits how often events of each kind are logged. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct LogThrottle<K> {
    /// How many lines of a kind there may be in an interval.
    lines: u32,
    counts: Arc<Mutex<HashMap<K, Count<K>>>>,
}

/// How many events one log line stands for. As text, what to append to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// This event, which has just happened.
    Now,
    /// So many events of the last minute, of which this was the first.
    Earlier(u64),
}

/// The events of one kind within the interval.
struct Count<K> {
    /// How many more lines there may be.
    lines_left: u32,
    /// The events without a line.
    others: u64,
    /// Writes the line of the first of these.
    line: Option<Line<K>>,
}

impl<K: Clone + Eq + Hash + Send + 'static> Default for LogThrottle<K> {
    fn default() -> Self {
        Self::new(1)
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> LogThrottle<K> {
    /// Allows this many lines of each kind in a minute.
    pub(crate) fn new(lines: u32) -> Self {
        Self { lines, counts: Arc::default() }
    }

    /// Counts an event. `line` writes its log line: now, or when the minute ends, or not at all.
    pub(crate) fn log(&self, kind: &K, line: impl FnOnce(&K, Times) + Send + 'static) {
        self.log_with(kind, || line);
    }

    /// The same for events that may come by the thousand: `line` is made only if it is needed.
    pub(crate) fn log_with<L>(&self, kind: &K, line: impl FnOnce() -> L)
    where
        L: FnOnce(&K, Times) + Send + 'static,
    {
        let mut counts = self.counts();
        if let Some(known) = counts.get_mut(kind) {
            if known.lines_left == 0 {
                known.others += 1;
                known.line.get_or_insert_with(|| Box::new(line()));
                return;
            }
            known.lines_left -= 1;
        } else if counts.len() < MOST_KINDS {
            counts.insert(kind.clone(), Count { lines_left: self.lines - 1, others: 0, line: None });
            self.end_interval_later(kind.clone());
        } else {
            return;
        }
        drop(counts);
        line()(kind, Times::Now);
    }

    /// Without a runtime, the process is about to end.
    fn end_interval_later(&self, kind: K) {
        let Ok(runtime) = Handle::try_current() else { return };
        let throttle = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(INTERVAL).await;
            let ended = throttle.counts().remove(&kind);
            if let Some(Count { others, line: Some(line), .. }) = ended {
                line(&kind, Times::Earlier(others));
            }
        });
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, Count<K>>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    /// How many events the line stands for.
    pub(crate) fn count(self) -> u64 {
        match self {
            Self::Now => 1,
            Self::Earlier(count) => count,
        }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => Ok(()),
            Self::Earlier(1) => f.write_str(" (within the last minute)"),
            Self::Earlier(count) => write!(f, " ({count} times within the last minute)"),
        }
    }
}

impl<K> fmt::Debug for Count<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Count")
            .field("lines_left", &self.lines_left)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}
