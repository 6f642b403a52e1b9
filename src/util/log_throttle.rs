//! Log lines about events that anybody can cause as often as they like: a few a minute of each kind, and one with the number
//! of all others when the minute ends.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::runtime::Handle;
use tracing::warn;

/// Strangers must not fill the log.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many kinds are told apart. Events of further kinds are only counted until a minute has passed: hardly anything but a
/// flood of made-up requests has so many.
const MOST_KINDS: usize = 200;

/// What events of further kinds are counted as.
const FURTHER: &str = "of further kinds";

/// Writes the log line of an event.
type Line = Box<dyn FnOnce(Times) + Send>;

/// Limits how often events of each kind are logged. Clones share the counts.
#[derive(Clone, Debug)]
pub(crate) struct LogThrottle {
    /// How many lines of a kind there may be in an interval.
    lines: u64,
    /// There are so few kinds that a hash that strangers can attack does no harm.
    counts: Arc<RwLock<FxHashMap<String, Count>>>,
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
struct Count {
    events: AtomicU64,
    /// Writes the line of the first event that had none.
    line: Mutex<Option<Line>>,
}

impl Default for LogThrottle {
    fn default() -> Self {
        Self::new(1)
    }
}

impl LogThrottle {
    /// Allows this many lines of each kind in a minute.
    pub(crate) fn new(lines: u64) -> Self {
        Self { lines, counts: Arc::default() }
    }

    /// Counts an event. `line` writes its log line: now, or when the minute ends, or not at all.
    pub(crate) fn log(&self, kind: &str, line: impl FnOnce(Times) + Send + 'static) {
        self.log_with(kind, || line);
    }

    /// The same for events that may come by the thousand: `line` is made only if it is needed.
    pub(crate) fn log_with<L>(&self, kind: &str, line: impl FnOnce() -> L)
    where
        L: FnOnce(Times) + Send + 'static,
    {
        let mut line = Some(line);
        let mut make_line = || line.take().map(|line| Box::new(line()) as Line);
        if let Some(line) = self.count(kind, &mut make_line) {
            line(Times::Now);
        }
    }

    /// Writes the lines that would be written when the minute ends. The process is about to end.
    pub(crate) fn flush(&self) {
        let counts = std::mem::take(&mut *self.counts.write().unwrap_or_else(PoisonError::into_inner));
        for count in counts.into_values() {
            self.end(count);
        }
    }

    fn end(&self, Count { events, line }: Count) {
        if let Some(line) = line.into_inner().unwrap_or_else(PoisonError::into_inner) {
            line(Times::Earlier(events.into_inner() - self.lines));
        }
    }

    /// Counts an event. Returns the line if it is to be written now. To count an event of a known kind, nobody has to wait.
    fn count(&self, kind: &str, make_line: &mut dyn FnMut() -> Option<Line>) -> Option<Line> {
        if let Some(count) = self.counts.read().unwrap_or_else(PoisonError::into_inner).get(kind) {
            return count.add(self.lines, make_line);
        }
        let mut counts = self.counts.write().unwrap_or_else(PoisonError::into_inner);
        let is_further = counts.len() >= MOST_KINDS && !counts.contains_key(kind);
        // Events of further kinds have no lines of their own, as if those had been written.
        let (kind, written) = if is_further { (FURTHER, self.lines) } else { (kind, 0) };
        let count = counts.entry(kind.to_owned()).or_insert_with(|| {
            self.end_interval_later(kind.to_owned());
            Count { events: AtomicU64::new(written), line: Mutex::default() }
        });
        if is_further {
            count.add(self.lines, &mut || Some(Box::new(warn_of_further)))
        } else {
            count.add(self.lines, make_line)
        }
    }

    /// Without a runtime, the process is about to end.
    fn end_interval_later(&self, kind: String) {
        let Ok(runtime) = Handle::try_current() else { return };
        let throttle = self.clone();
        runtime.spawn(async move {
            tokio::time::sleep(INTERVAL).await;
            let ended = throttle.counts.write().unwrap_or_else(PoisonError::into_inner).remove(&kind);
            if let Some(count) = ended {
                throttle.end(count);
            }
        });
    }
}

fn warn_of_further(times: Times) {
    let count = times.count();
    warn!(count, "{count} events of the last minute were not logged: there were more than {MOST_KINDS} kinds of them");
}

impl Count {
    /// Counts an event. Returns the line if it is one of the first, of which there are this many lines.
    fn add(&self, lines: u64, make_line: &mut dyn FnMut() -> Option<Line>) -> Option<Line> {
        let earlier = self.events.fetch_add(1, Relaxed);
        if earlier < lines {
            return make_line();
        }
        if earlier == lines {
            *self.line.lock().unwrap_or_else(PoisonError::into_inner) = make_line();
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

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Count").field("events", &self.events).finish_non_exhaustive()
    }
}
