//! The latest requests that led to nothing, for the page.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::restart::AppName;
use crate::util::clock::Clock;

/// How many are kept.
const MOST: usize = 30;

/// The latest requests that led to nothing. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct RecentAlerts {
    clock: Clock,
    alerts: Arc<Mutex<VecDeque<RecentAlert>>>,
    counts: Arc<Mutex<AlertCounts>>,
}

/// How many alerts there were since the start, by app and by what became of them.
pub(crate) type AlertCounts = BTreeMap<(Option<AppName>, &'static str), u64>;

/// A request that led to nothing, or several of the same kind.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RecentAlert {
    /// When the last one came.
    pub(crate) at: Timestamp,
    /// `dry run`, `ignored`, `repeated`, `refused` or `not acted on`.
    pub(crate) outcome: &'static str,
    pub(crate) app: Option<AppName>,
    /// The name of its key; empty if it has none.
    pub(crate) key: String,
    /// Why it led to nothing.
    pub(crate) reason: String,
    /// How many there were.
    pub(crate) count: u64,
}

impl Default for RecentAlerts {
    fn default() -> Self {
        Self { clock: Clock::start(), alerts: Arc::default(), counts: Arc::default() }
    }
}

impl RecentAlerts {
    /// Counts a request.
    pub(crate) fn count(&self, outcome: &'static str, app: Option<&AppName>) {
        *self.lock_counts().entry((app.cloned(), outcome)).or_default() += 1;
    }

    /// How many requests there were.
    pub(crate) fn counts(&self) -> AlertCounts {
        self.lock_counts().clone()
    }

    fn lock_counts(&self) -> MutexGuard<'_, AlertCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts and adds a request. Those of the same kind become one entry with a count.
    pub(crate) fn add(&self, outcome: &'static str, app: Option<&AppName>, key: &str, reason: String) {
        self.count(outcome, app);
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |known: &RecentAlert| {
            known.outcome == outcome && known.app.as_ref() == app && known.key == key && known.reason == reason
        };
        let known = alerts.iter().rposition(is_same).and_then(|at| alerts.remove(at));
        let count = known.map_or(0, |known| known.count) + 1;
        if alerts.len() == MOST {
            alerts.pop_front();
        }
        let (at, app, key) = (self.clock.now(), app.cloned(), key.to_owned());
        alerts.push_back(RecentAlert { at, outcome, app, key, reason, count });
    }

    /// All of them, the latest first.
    pub(crate) fn latest(&self) -> Vec<RecentAlert> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }
}
