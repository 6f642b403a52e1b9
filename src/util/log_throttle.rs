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

/// Limits how often events of each kind are logged. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct LogThrottle<K> {
    /// How many lines of a kind there may be in an interval.
    lines: u32,
    kinds: Arc<Mutex<HashMap<K, Kind>>>,
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
struct Kind {
    /// How many more lines there may be.
    lines_left: u32,
    /// The events without a line.
    others: u64,
    /// Writes the line of the first of these.
    line: Option<Line>,
}

type Line = Box<dyn FnOnce(Times) + Send>;

impl<K: Clone + Eq + Hash + Send + 'static> Default for LogThrottle<K> {
    fn default() -> Self {
        Self::new(1)
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> LogThrottle<K> {
    /// Allows this many lines of each kind in a minute.
    pub(crate) fn new(lines: u32) -> Self {
        Self { lines, kinds: Arc::default() }
    }

    /// Counts an event. The line that `line` makes is written now, or when the minute ends, or not at all.
    pub(crate) fn log<L>(&self, kind: K, line: impl FnOnce() -> L)
    where
        L: FnOnce(Times) + Send + 'static,
    {
        let mut kinds = self.kinds();
        if let Some(known) = kinds.get_mut(&kind) {
            if known.lines_left == 0 {
                known.others += 1;
                known.line.get_or_insert_with(|| Box::new(line()));
                return;
            }
            known.lines_left -= 1;
        } else if kinds.len() < MOST_KINDS {
            kinds.insert(kind.clone(), Kind { lines_left: self.lines - 1, others: 0, line: None });
            self.end_interval_later(kind);
        } else {
            return;
        }
        drop(kinds);
        line()(Times::Now);
    }

    /// Without a runtime, the process is about to end.
    fn end_interval_later(&self, kind: K) {
        let Ok(runtime) = Handle::try_current() else { return };
        let throttle = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(INTERVAL).await;
            let ended = throttle.kinds().remove(&kind);
            if let Some(Kind { others, line: Some(line), .. }) = ended {
                line(Times::Earlier(others));
            }
        });
    }

    fn kinds(&self) -> MutexGuard<'_, HashMap<K, Kind>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
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

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind")
            .field("lines_left", &self.lines_left)
            .field("others", &self.others)
            .finish_non_exhaustive()
    }
}
