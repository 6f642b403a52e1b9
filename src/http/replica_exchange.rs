//! What replicas tell one another through the database: what their log drains delivered, requests that led to nothing, and their
//! counters.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metrics::CounterSource;
use super::recent::{RecentAlert, RecentAlerts};
use crate::drain::{Drains, HeardLog};
use crate::notify::NotificationCounts;
use crate::restart::{AppName, Restarter};
use crate::store::{Counters, DrainStep, Exchange, StoredReports};

/// Reads and adds to what this process knows of them.
#[derive(Debug)]
pub(crate) struct ReplicaExchange {
    restarter: Restarter,
    recent: RecentAlerts,
    drains: Arc<Drains>,
    notifications: Option<NotificationCounts>,
}

/// What one replica received.
#[derive(Debug, Serialize, Deserialize)]
struct Received {
    alerts: Vec<RecentAlert>,
    drains: BTreeMap<AppName, HeardLog>,
}

impl ReplicaExchange {
    pub(crate) fn new(
        restarter: &Restarter,
        recent: &RecentAlerts,
        drains: &Arc<Drains>,
        notifications: Option<&NotificationCounts>,
    ) -> Self {
        Self {
            restarter: restarter.clone(),
            recent: recent.clone(),
            drains: Arc::clone(drains),
            notifications: notifications.cloned(),
        }
    }
}

impl Exchange for ReplicaExchange {
    fn own(&self) -> Value {
        let received = Received { alerts: self.recent.own(), drains: self.drains.heard_here() };
        // Names, times and numbers are always valid JSON.
        serde_json::to_value(received).unwrap_or_default()
    }

    fn learn(&self, others: Vec<Value>) {
        let mut alerts = Vec::new();
        // Another version of this program may have written what this one cannot read.
        for other in others.into_iter().filter_map(|other| serde_json::from_value::<Received>(other).ok()) {
            alerts.extend(other.alerts);
            for (app, log) in other.drains {
                self.drains.learn(&app, log);
            }
        }
        self.recent.learn(alerts);
    }

    fn counters(&self) -> Counters {
        let Self { restarter, recent, drains, notifications } = self;
        CounterSource { restarter, drains, recent, notifications: notifications.as_ref() }.counters()
    }

    fn learn_reports(&self, reports: Vec<(String, StoredReports)>) {
        self.drains.learn_reports(reports);
    }

    fn take_steps(&self) -> Vec<DrainStep> {
        self.drains.take_steps()
    }

    fn put_back_steps(&self, steps: Vec<DrainStep>) {
        self.drains.put_back_steps(steps);
    }

    fn learn_steps(&self, steps: Vec<(String, DrainStep)>) {
        self.drains.learn_steps(steps);
    }
}
