//! Log lines about events that anybody can cause as often as they like: a few a minute of each kind, and one with the number
//! of all others when the minute ends.

use std::fmt;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustc_hash::FxHashMap;
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
    lines: u64,
    /// There are so few kinds that a hash that strangers can attack does no harm.
    counts: Arc<RwLock<FxHashMap<K, Count<K>>>>,
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
    events: AtomicU64,
    /// Writes the line of the first event that had none.
    line: Mutex<Option<Line<K>>>,
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> Default for LogThrottle<K> {
    fn default() -> Self {
        Self::new(1)
    }
}

impl<K: Clone + Eq + Hash + Send + Sync + 'static> LogThrottle<K> {
    /// Allows this many lines of each kind in a minute.
    pub(crate) fn new(lines: u64) -> Self {
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
        if let Some(line) = self.count(kind, line) {
            line(kind, Times::Now);
        }
    }

    /// Counts an event. Returns the line if it is to be written now. To count an event of a known kind, nobody has to wait.
    fn count<L>(&self, kind: &K, line: impl FnOnce() -> L) -> Option<L>
    where
        L: FnOnce(&K, Times) + Send + 'static,
    {
        if let Some(count) = self.counts.read().unwrap_or_else(PoisonError::into_inner).get(kind) {
            return count.add(self.lines, line);
        }
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MOST_KINDS && !counts.contains_key(kind) {
            return None;
        }
        let count = counts.entry(kind.clone()).or_insert_with(|| {
            self.end_interval_later(kind.clone());
            Count { events: AtomicU64::new(0), line: Mutex::default() }
        });
        count.add(self.lines, line)
    }

    /// Without a runtime, the process is about to end.
    fn end_interval_later(&self, kind: K) {
        let Ok(runtime) = Handle::try_current() else { return };
        let throttle = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(INTERVAL).await;
            let ended = throttle.counts.write().unwrap_or_else(PoisonError::into_inner).remove(&kind);
            if let Some(Count { events, line }) = ended
                && let Some(line) = line.into_inner().unwrap_or_else(PoisonError::into_inner)
            {
                line(&kind, Times::Earlier(events.into_inner() - throttle.lines));
            }
        });
    }
}

impl<K> Count<K> {
    /// Counts an event. Returns the line if it is one of the first, of which there are this many lines.
    fn add<L>(&self, lines: u64, line: impl FnOnce() -> L) -> Option<L>
    where
        L: FnOnce(&K, Times) + Send + 'static,
    {
        let earlier = self.events.fetch_add(1, Relaxed);
        if earlier < lines {
            return Some(line());
        }
        if earlier == lines {
            *self.line.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(line()));
        }
        None
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
        f.debug_struct("Count").field("events", &self.events).finish_non_exhaustive()
    }
}
