//! What replicas tell one another about the logs that come to them.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use tracing::{debug, warn};

use super::Drains;
use super::status::HeardLog;
use crate::heroku::AppName;
use crate::store::{DrainStep, StoredReports};
use crate::util::ordered::CollectOrdered;

/// How many steps of an app are written at once. More wait only after the database was away for hours.
const MOST_STEPS: usize = 20;

impl Drains {
    /// What this process heard of each app.
    #[must_use]
    pub fn heard_here(&self) -> BTreeMap<AppName, HeardLog> {
        self.apps.keys().filter_map(|app| Some((app.clone(), self.app_drain(app).heard_here()?))).collect_ordered()
    }

    /// What another replica heard of an app.
    pub fn learn(&self, app: &AppName, heard: HeardLog) {
        if self.apps.contains_key(app) && self.app_drain(app).learn(heard) {
            self.silence.heard(app);
        }
    }

    /// The reports that count, of all replicas, each with the app.
    pub(crate) fn learn_reports(&self, reports: Vec<(String, StoredReports)>) {
        for (app, reports) in reports {
            if let Some(app) = self.watched(&app) {
                self.app_drain(&app).learn_reports(vec![reports]);
            }
        }
    }

    /// What this process heard since this was called last, or a part of it.
    pub(crate) fn take_steps(&self) -> Vec<DrainStep> {
        let mut taken = Vec::new();
        for app in self.apps.keys() {
            let steps = self.app_drain(app).steps.take_changed(MOST_STEPS);
            taken.extend(steps.into_iter().map(|(began_at, heard)| DrainStep {
                app: app.as_str().to_owned(),
                began_at,
                // Names and numbers are always valid JSON.
                heard: serde_json::to_value(heard).unwrap_or_default(),
            }));
        }
        taken
    }

    /// These could not be kept, and are to be taken again.
    pub(crate) fn put_back_steps(&self, steps: Vec<DrainStep>) {
        for DrainStep { app, began_at, .. } in steps {
            if let Some(app) = self.watched(&app) {
                self.app_drain(&app).steps.put_back(began_at);
            }
        }
    }

    /// What other replicas heard, each with the name of the replica.
    pub(crate) fn learn_steps(&self, steps: Vec<(String, DrainStep)>) {
        let now = self.client.now();
        for (replica, DrainStep { app, began_at, heard }) in steps {
            let Some(app) = self.watched(&app) else { continue };
            match serde_json::from_value(heard) {
                Ok(heard) => self.app_drain(&app).steps.learn(replica, began_at, heard, now),
                // Another version of this program may have written it. Each read brings it again.
                Err(error) if !self.has_told_of_row.swap(true, Ordering::Relaxed) => {
                    warn!(%app, "what {replica} heard of the log of {app} is not valid in the database, and is ignored: {error}");
                }
                Err(error) => debug!(%app, "what {replica} heard of the log of {app} is not valid: {error}"),
            }
        }
    }

    fn watched(&self, app: &str) -> Option<AppName> {
        AppName::parse(app).filter(|app| self.apps.contains_key(app))
    }
}
