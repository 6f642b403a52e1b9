//! What this replica heard itself and tells the others: log drains, and requests that led to nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::recent::{RecentAlert, RecentAlerts};
use crate::drain::{Drains, HeardLog};
use crate::restart::AppName;
use crate::store::{Hearing, StoredReports};

/// Where it is.
#[derive(Debug)]
pub(crate) struct Heard {
    recent: RecentAlerts,
    drains: Arc<Drains>,
}

/// The same as plain data.
#[derive(Debug, Serialize, Deserialize)]
struct HeardData {
    alerts: Vec<RecentAlert>,
    drains: BTreeMap<AppName, HeardLog>,
}

impl Heard {
    pub(crate) fn new(recent: &RecentAlerts, drains: &Arc<Drains>) -> Self {
        Self { recent: recent.clone(), drains: Arc::clone(drains) }
    }
}

impl Hearing for Heard {
    fn heard_here(&self) -> Value {
        let heard = HeardData { alerts: self.recent.heard_here(), drains: self.drains.heard_here() };
        // Names, times and numbers are always valid JSON.
        serde_json::to_value(heard).unwrap_or_default()
    }

    fn learn(&self, heard: Vec<Value>) {
        let mut others = Vec::new();
        // Another version of this program may have written what this one cannot read.
        for heard in heard.into_iter().filter_map(|heard| serde_json::from_value::<HeardData>(heard).ok()) {
            others.extend(heard.alerts);
            for (app, log) in heard.drains {
                self.drains.learn(&app, log);
            }
        }
        self.recent.learn(others);
    }

    fn learn_reports(&self, reports: Vec<(String, StoredReports)>) {
        self.drains.learn_reports(reports);
    }
}
