//! What an alert asks for, and how the requests of many alerts become one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::heroku::DynoName;
use crate::util::ordered::CollectOrdered;
use crate::util::text::list;

/// How many dynos can be asked for by name. No app has a tenth of these; a target that names more means all dynos.
const MOST_NAMED: usize = 1_000;

/// When the trouble was, according to the alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum When {
    /// At this time.
    At {
        /// By the sender's clock.
        time: Timestamp,
        /// By how much the process may have been created after that time and still be the one that is meant: the sender's
        /// clock may be behind. A negative value means that a process created shortly before that time is not meant.
        skew: SignedDuration,
    },
    /// The alert has no time: it counts as now.
    Now,
}

/// Which dynos an alert is about, and when the trouble of each was.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Every running dyno of the watched process types.
    all: Option<When>,
    /// These, as far as they are running and of a watched process type.
    named: BTreeMap<DynoName, When>,
}

/// An authenticated alert that asks for a restart.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Which dynos.
    pub target: Target,
    /// Whether to restart even young dynos, ones that were given up on, and dynos of an app on hold.
    pub force: bool,
    /// When the alert arrived: a process that began later is never restarted for it.
    pub arrived: Instant,
    /// Who sent the alert, for the report: the name of a key.
    pub sender: Arc<str>,
}

/// Tells later what became of a trigger.
#[derive(Clone, Debug, Default)]
pub struct Receipt(Arc<AtomicBool>);

/// The times that decide which process an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertTime {
    /// When the alert arrived, by our clock.
    pub arrived: Timestamp,
    /// When the trouble was.
    pub told: When,
    /// How old the process must have been when the alert arrived. Zero for a forced restart.
    pub min_age: Duration,
}

/// What all alerts that wait for the next pass ask for together. Force stays with the dynos for which it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MergedTarget {
    automatic: AskedDynos,
    forced: AskedDynos,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct AskedDynos {
    all: Option<AlertTime>,
    named: BTreeMap<DynoName, AlertTime>,
}

impl When {
    /// The creation time of the newest process that is meant; `None` for now.
    fn newest_process(self) -> Option<Timestamp> {
        match self {
            Self::At { time, skew } => Some(time.checked_add(skew).unwrap_or(time)),
            Self::Now => None,
        }
    }

    /// Of two, the one about the later process.
    fn later(self, other: Self) -> Self {
        match (self.newest_process(), other.newest_process()) {
            (Some(ours), Some(others)) => {
                if ours >= others {
                    self
                } else {
                    other
                }
            }
            (None, _) => self,
            (_, None) => other,
        }
    }
}

impl Target {
    /// Every running dyno of the watched process types.
    #[must_use]
    pub fn all(when: When) -> Self {
        Self { all: Some(when), named: BTreeMap::new() }
    }

    /// These dynos.
    #[must_use]
    pub fn dynos(named: impl IntoIterator<Item = (DynoName, When)>) -> Self {
        Self { all: None, named: named.into_iter().collect_ordered() }
    }

    /// Adds a dyno. Of two times for one dyno the later counts.
    pub fn add(&mut self, name: DynoName, when: When) {
        let known = self.named.entry(name).or_insert(when);
        *known = when.later(*known);
    }

    /// Whether it asks for no dyno at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.named.is_empty()
    }

    /// For a log line: `all watched dynos`, or the names.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(self.all.is_some(), self.named.keys())
    }
}

impl Receipt {
    /// Whether the pass that was to act on the trigger could not: Heroku refused, or did not answer. The same alert,
    /// delivered again, is then acted on.
    #[must_use]
    pub fn was_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn mark_lost(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl AlertTime {
    /// The creation time of the newest process that the alert can be about. This is what makes one alert later than another.
    fn newest_process(self) -> Timestamp {
        let old_enough = self.arrived.saturating_sub(self.min_age).unwrap_or(self.arrived);
        self.told.newest_process().map_or(old_enough, |told| told.min(old_enough))
    }

    fn later(self, other: Self) -> Self {
        if self.newest_process() >= other.newest_process() { self } else { other }
    }
}

impl MergedTarget {
    /// Adds what an alert asks for, that arrived at `arrived` by our clock.
    pub fn merge(&mut self, target: Target, force: bool, arrived: Timestamp, min_age: Duration) {
        let (asked, min_age) = if force { (&mut self.forced, Duration::ZERO) } else { (&mut self.automatic, min_age) };
        let time = |told| AlertTime { arrived, told, min_age };
        if let Some(told) = target.all {
            asked.all = Some(asked.all.map_or(time(told), |known| known.later(time(told))));
        }
        for (name, told) in target.named {
            let known = asked.named.entry(name).or_insert(time(told));
            *known = known.later(time(told));
        }
        asked.limit();
    }

    /// Adds what other alerts ask for.
    pub(super) fn absorb(&mut self, other: Self) {
        self.automatic.absorb(other.automatic);
        self.forced.absorb(other.forced);
    }

    /// No alert arrived later than this: the clock of the replica that accepted it may be ahead.
    pub(super) fn arrived_until(&mut self, latest: Timestamp) {
        for asked in [&mut self.automatic, &mut self.forced] {
            for alert in asked.all.iter_mut().chain(asked.named.values_mut()) {
                alert.arrived = alert.arrived.min(latest);
            }
        }
    }

    /// Whether it asks for no dyno at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.automatic.is_empty() && self.forced.is_empty()
    }

    /// Whether any alert asks for this dyno.
    pub(super) fn includes(&self, name: &DynoName) -> bool {
        self.automatic(name).or(self.forced(name)).is_some()
    }

    /// The latest of the alerts that ask for this dyno without force.
    pub(super) fn automatic(&self, name: &DynoName) -> Option<AlertTime> {
        self.automatic.time(name)
    }

    /// The latest of the alerts that force a restart of this dyno.
    pub(super) fn forced(&self, name: &DynoName) -> Option<AlertTime> {
        self.forced.time(name)
    }

    /// The dynos asked for by name.
    pub(super) fn names(&self) -> BTreeSet<&DynoName> {
        self.automatic.named.keys().chain(self.forced.named.keys()).collect_ordered()
    }

    /// Whether any of it is forced.
    pub(super) fn is_forced(&self) -> bool {
        !self.forced.is_empty()
    }

    /// For a log line: `all watched dynos`, or the names.
    pub(super) fn describe(&self) -> String {
        describe(self.automatic.all.or(self.forced.all).is_some(), self.names())
    }
}

impl AskedDynos {
    fn time(&self, name: &DynoName) -> Option<AlertTime> {
        self.named.get(name).copied().into_iter().chain(self.all).reduce(AlertTime::later)
    }

    fn is_empty(&self) -> bool {
        self.all.is_none() && self.named.is_empty()
    }

    fn absorb(&mut self, other: Self) {
        self.all = self.all.into_iter().chain(other.all).reduce(AlertTime::later);
        for (name, time) in other.named {
            let known = self.named.entry(name).or_insert(time);
            *known = known.later(time);
        }
        self.limit();
    }

    fn limit(&mut self) {
        if self.named.len() > MOST_NAMED {
            self.all = std::mem::take(&mut self.named).into_values().chain(self.all).reduce(AlertTime::later);
        }
    }
}

fn describe<'a>(all: bool, named: impl IntoIterator<Item = &'a DynoName>) -> String {
    if all { "all watched dynos".to_owned() } else { list(named) }
}
