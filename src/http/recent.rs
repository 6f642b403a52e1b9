//! The latest requests that led to nothing, for the page.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::restart::AppName;
use crate::util::clock::Clock;
use crate::util::ordered::CollectOrdered;
use crate::util::secrets::Secrets;

/// How exact the time of the last request of a kind is, in microseconds.
const TIME_STEP: i64 = 100_000;

/// How many are kept.
const MOST: usize = 30;

/// The latest requests that led to nothing. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct RecentAlerts {
    clock: Clock,
    secrets: Secrets,
    own: Arc<RwLock<OwnAlerts>>,
    /// Those that came to other replicas.
    others: Arc<Mutex<Vec<RecentAlert>>>,
}

/// The requests that came to this process. Nearly all are of a known kind, so that counting one takes only a
/// lock that is shared.
#[derive(Debug, Default)]
struct OwnAlerts {
    kinds: Vec<Kind>,
    counts: Vec<(Option<AppName>, &'static str, AtomicU64)>,
}

/// Requests of the same kind that led to nothing.
#[derive(Debug)]
struct Kind {
    outcome: &'static str,
    app: Option<AppName>,
    key: String,
    reason: String,
    /// When the last one came, in microseconds since 1970.
    at: AtomicI64,
    count: AtomicU64,
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
        let (own, others) = Default::default();
        Self { clock: Clock::start(), secrets, own, others }
    }

    /// Counts a request.
    pub(crate) fn count(&self, outcome: &'static str, app: Option<&AppName>) {
        if self.read().add_one(outcome, app).is_none() {
            let mut own = self.write();
            if own.add_one(outcome, app).is_none() {
                own.counts.push((app.cloned(), outcome, AtomicU64::new(1)));
            }
        }
    }

    /// How many requests there were.
    pub(crate) fn counts(&self) -> AlertCounts {
        let own = self.read();
        own.counts.iter().map(|(app, outcome, count)| ((app.clone(), *outcome), count.load(Relaxed))).collect_ordered()
    }

    /// Counts and adds a request. Those of the same kind become one entry with a count.
    pub(crate) fn add(&self, outcome: &'static str, app: Option<&AppName>, key: &str, reason: &str) {
        let at = self.clock.now().as_microsecond();
        let (is_counted, is_known) = {
            let own = self.read();
            (own.add_one(outcome, app).is_some(), own.is_known(outcome, app, key, reason, at))
        };
        if !is_counted {
            self.count(outcome, app);
        }
        if is_known {
            return;
        }
        let reason = self.secrets.conceal(reason).into_owned();
        let mut own = self.write();
        if own.is_known(outcome, app, key, &reason, at) {
            return;
        }
        if own.kinds.len() == MOST
            && let Some((oldest, _)) = own.kinds.iter().enumerate().min_by_key(|(_, kind)| kind.at.load(Relaxed))
        {
            own.kinds.remove(oldest);
        }
        let (app, key, at, count) = (app.cloned(), key.to_owned(), AtomicI64::new(at), AtomicU64::new(1));
        own.kinds.push(Kind { outcome, app, key, reason, at, count });
    }

    fn read(&self) -> RwLockReadGuard<'_, OwnAlerts> {
        self.own.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, OwnAlerts> {
        self.own.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that came to this process, the latest first.
    pub(crate) fn own(&self) -> Vec<RecentAlert> {
        latest_first(self.read().kinds.iter().rev().map(Kind::as_alert).collect())
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

impl OwnAlerts {
    /// Counts a request, if there was one like it.
    fn add_one(&self, outcome: &str, app: Option<&AppName>) -> Option<u64> {
        let known = self.counts.iter().find(|known| known.1 == outcome && known.0.as_ref() == app);
        known.map(|(_, _, count)| count.fetch_add(1, Relaxed))
    }

    /// Whether there is a request of this kind. Then this one is added to it.
    fn is_known(&self, outcome: &str, app: Option<&AppName>, key: &str, reason: &str, at: i64) -> bool {
        let is_same = |kind: &&Kind| {
            kind.outcome == outcome && kind.app.as_ref() == app && kind.key == key && kind.reason == reason
        };
        let known = self.kinds.iter().find(is_same);
        if let Some(Kind { at: last, count, .. }) = known {
            // Not for each of thousands of requests a second: threads that write to the same place slow each other down.
            if at - last.load(Relaxed) > TIME_STEP {
                last.fetch_max(at, Relaxed);
            }
            count.fetch_add(1, Relaxed);
        }
        known.is_some()
    }
}

impl Kind {
    fn as_alert(&self) -> RecentAlert {
        let Self { outcome, app, key, reason, at, count } = self;
        RecentAlert {
            at: Timestamp::from_microsecond(at.load(Relaxed)).unwrap_or_default(),
            outcome: (*outcome).into(),
            app: app.clone(),
            key: key.clone(),
            reason: reason.clone(),
            count: count.load(Relaxed),
        }
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
    let mut merged = latest_first(merged);
    merged.truncate(MOST);
    merged
}

fn latest_first(mut alerts: Vec<RecentAlert>) -> Vec<RecentAlert> {
    alerts.sort_by_key(|alert| Reverse(alert.at));
    alerts
}
