//! The latest requests that led to nothing, for the page.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::restart::AppName;
use crate::util::clock::Clock;
use crate::util::secrets::Secrets;

/// How many are kept.
const MOST: usize = 30;

/// The latest requests that led to nothing. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct RecentAlerts {
    clock: Clock,
    secrets: Secrets,
    alerts: Arc<Mutex<VecDeque<RecentAlert>>>,
    /// Those that came to other replicas.
    others: Arc<Mutex<Vec<RecentAlert>>>,
    counts: Arc<Mutex<AlertCounts>>,
}

/// How many alerts there were since the start, by app and by what became of them.
pub(crate) type AlertCounts = BTreeMap<(Option<AppName>, &'static str), u64>;

/// A request that led to nothing, or several of the same kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RecentAlert {
    /// When the last one came.
    pub(crate) at: Timestamp,
    /// `dry run`, `ignored`, `repeated`, `refused` or `not acted on`.
    pub(crate) outcome: Cow<'static, str>,
    pub(crate) app: Option<AppName>,
    /// The name of its key; empty if it has none.
    pub(crate) key: String,
    /// Why it led to nothing.
    pub(crate) reason: String,
    /// How many there were.
    pub(crate) count: u64,
}

impl RecentAlerts {
    /// Other replicas and people read the alerts, without the secrets.
    pub(crate) fn new(secrets: Secrets) -> Self {
        let (alerts, others, counts) = Default::default();
        Self { clock: Clock::start(), secrets, alerts, others, counts }
    }

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
    pub(crate) fn add(&self, outcome: &'static str, app: Option<&AppName>, key: &str, reason: &str) {
        self.count(outcome, app);
        let mut alerts = self.alerts.lock().unwrap_or_else(PoisonError::into_inner);
        let position = |reason: &str| alerts.iter().rposition(|known| known.is_same(outcome, app, key, reason));
        // Nearly all reasons are known and without a secret.
        let known = position(reason).or_else(|| position(&self.secrets.conceal(reason)));
        if let Some(mut known) = known.and_then(|known| alerts.remove(known)) {
            (known.at, known.count) = (self.clock.now(), known.count + 1);
            alerts.push_back(known);
            return;
        }
        if alerts.len() == MOST {
            alerts.pop_front();
        }
        let (at, outcome, app, key) = (self.clock.now(), outcome.into(), app.cloned(), key.to_owned());
        let reason = self.secrets.conceal(reason).into_owned();
        alerts.push_back(RecentAlert { at, outcome, app, key, reason, count: 1 });
    }

    /// Those that came to this process, the latest first.
    pub(crate) fn own(&self) -> Vec<RecentAlert> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner).iter().rev().cloned().collect()
    }

    /// Those that came to other replicas.
    pub(crate) fn learn(&self, others: Vec<RecentAlert>) {
        *self.others.lock().unwrap_or_else(PoisonError::into_inner) = latest(others);
    }

    /// Those that came to any replica, the latest first.
    pub(crate) fn latest(&self) -> Vec<RecentAlert> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner).clone();
        latest(self.own().into_iter().chain(others))
    }
}

impl RecentAlert {
    fn is_same(&self, outcome: &str, app: Option<&AppName>, key: &str, reason: &str) -> bool {
        self.outcome == outcome && self.app.as_ref() == app && self.key == key && self.reason == reason
    }
}

/// The latest of these. Those of the same kind become one.
fn latest(alerts: impl IntoIterator<Item = RecentAlert>) -> Vec<RecentAlert> {
    let mut merged: Vec<RecentAlert> = Vec::new();
    for alert in alerts {
        match merged
            .iter_mut()
            .find(|known| known.is_same(&alert.outcome, alert.app.as_ref(), &alert.key, &alert.reason))
        {
            Some(known) => (known.at, known.count) = (known.at.max(alert.at), known.count.saturating_add(alert.count)),
            None => merged.push(alert),
        }
    }
    merged.sort_by_key(|alert| Reverse(alert.at));
    merged.truncate(MOST);
    merged
}
