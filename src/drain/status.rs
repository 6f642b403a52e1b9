//! What there is to say of the log of an app now. Plain data, for a page and for scripts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::day::Day;
use super::silence::SILENT_AFTER;
use crate::heroku::DynoName;

/// How many drains of an app are remembered. An app has at most five at a time, but drains are removed and added.
pub(super) const MAX_DRAINS: usize = 20;

/// How many dynos the log names one by one: those in trouble in a batch, and those that are not watched; and how many other
/// apps.
pub(super) const MAX_LOGGED: usize = 50;

/// How many dynos of an app have their memory remembered. No app has more of one type.
pub(super) const MOST_MEASURED: usize = 200;

/// Heroku measures every 20 s. What is older than this is of a dyno that is gone.
const RECENT: SignedDuration = SignedDuration::from_mins(10);

/// The log of an app.
#[derive(Clone, Debug, Serialize)]
pub struct DrainStatus {
    /// When the last batch came to any replica, by Heroku's clock; `None` if none ever came.
    pub heard_at: Option<Timestamp>,
    /// How long ago that was, in seconds.
    pub seconds_since: Option<u64>,
    /// The name of the key that it had.
    pub key: Option<String>,
    /// How many drains delivered the log since the start; with a database, to any replica in the last 24 hours.
    pub drains: usize,
    /// How many lines of the log came since the start; with a database, to all replicas in the last 24 hours.
    pub lines: u64,
    /// The reports that count, of the dynos that have not reached `TOLERANCE`.
    pub reports: Vec<CountedReports>,
    /// How many reports `TOLERANCE` asks for
    pub tolerance: usize,
    /// within this time, in seconds.
    pub tolerance_seconds: u64,
    /// The latest measurement of each dyno's memory, if the app logs it.
    pub memory: BTreeMap<DynoName, Memory>,
    /// The last 24 hours.
    pub day: Day,
}

/// The log of an app as one replica heard it, for the others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeardLog {
    /// When the last batch came, by Heroku's clock.
    pub at: Timestamp,
    /// The name of the key that it had.
    pub key: String,
    /// The latest measurement of each dyno's memory.
    pub memory: BTreeMap<DynoName, Memory>,
}

/// Reports that count.
#[derive(Clone, Debug, Serialize)]
pub struct CountedReports {
    /// The dyno.
    pub dyno: DynoName,
    /// What they are about: `errors` or `memory`.
    pub what: &'static str,
    /// How many there are.
    pub count: usize,
}

/// The memory of a dyno.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// When it was measured, by Heroku's clock.
    pub at: Timestamp,
    /// In bytes.
    pub total: u64,
    /// The quota of the dyno's size, in bytes, if the log says it.
    pub quota: Option<u64>,
}

/// The memory of a dyno around a restart, in bytes, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryAround {
    /// The most that was measured in the ten to twenty minutes before.
    pub before: Option<u64>,
    /// What was measured last, after it was up again.
    pub after: Option<u64>,
}

impl DrainStatus {
    /// How long a drain that was heard has been silent, if that is too long.
    #[must_use]
    pub fn silence(&self) -> Option<Duration> {
        self.seconds_since.map(Duration::from_secs).filter(|silence| *silence > SILENT_AFTER)
    }
}

impl HeardLog {
    /// The later of two, with the latest measurements of both.
    pub(super) fn merge(self, other: Self) -> Self {
        let (later, earlier) = if self.at >= other.at { (self, other) } else { (other, self) };
        let Self { at, key, mut memory } = later;
        for (dyno, measured) in earlier.memory {
            let latest = memory.entry(dyno).or_insert(measured);
            if latest.at < measured.at {
                *latest = measured;
            }
        }
        Self { at, key, memory }
    }
}

impl Memory {
    pub(super) fn is_recent(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) < RECENT
    }
}
