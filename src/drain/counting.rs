//! Counts the reports of a batch: those that this process has heard, or, with a database, those that all replicas have heard.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::debug;

use super::Drains;
use super::symptom::Symptom;
use crate::heroku::AppName;
use crate::restart::{Stopping, Target, Trigger};
use crate::store::{self, DeliveryId};
use crate::util::ordered::CollectOrdered;

/// What is to be counted of a batch.
pub(super) struct Found {
    pub(super) drains: Arc<Drains>,
    pub(super) app: AppName,
    pub(super) symptoms: Vec<Symptom>,
    pub(super) frame_id: Option<String>,
    pub(super) key: Arc<str>,
}

impl Found {
    /// Counts what this process has heard.
    pub(super) fn count(self) -> Result<(), Stopping> {
        let Self { drains, app, symptoms, frame_id, key } = &self;
        if frame_id.as_ref().is_some_and(|id| !drains.delivered.insert_new((app, id))) {
            self.tell_repeated();
            return Ok(());
        }
        let target = drains.app_drain(app).count(app, symptoms, drains.settings.threshold);
        if target.is_empty() {
            return Ok(());
        }
        drains.restarter.trigger(app, trigger(target, key)).map(drop)
    }

    /// Counts what all replicas have heard. While the database is away, each one counts by itself.
    pub(super) async fn count_together(mut self) -> Result<(), Stopping> {
        for symptom in &mut self.symptoms {
            // As the database keeps it: of the same report, all replicas know the same time.
            symptom.at = Timestamp::from_microsecond(symptom.at.as_microsecond()).unwrap_or(symptom.at);
        }
        let Self { drains, app, symptoms, key, .. } = &self;
        let mut target = None;
        let counted = drains.restarter.count_reports(app, self.dynos(), self.batch_id(), |stored| {
            let (reports, counted) =
                drains.app_drain(app).count_together(app, symptoms, drains.settings.threshold, stored);
            let counted = target.insert(trigger(counted, key));
            (reports, Some(counted.clone()).filter(|trigger| !trigger.target.is_empty()))
        });
        match (counted.await, target) {
            (Ok(true), _) => Ok(()),
            (Ok(false), _) => {
                self.tell_repeated();
                Ok(())
            }
            (Err(_), None) => self.count(),
            (Err(_), Some(trigger)) if trigger.target.is_empty() => Ok(()),
            (Err(_), Some(trigger)) => drains.restarter.trigger(app, trigger).map(drop),
        }
    }

    fn dynos(&self) -> Vec<String> {
        let dynos: BTreeSet<_> = self.symptoms.iter().map(|symptom| symptom.dyno.as_str()).collect_ordered();
        dynos.into_iter().map(str::to_owned).collect()
    }

    /// The same for the same batch on every replica.
    fn batch_id(&self) -> Option<DeliveryId> {
        self.frame_id
            .as_ref()
            .map(|id| store::delivery_id(["log drain".as_bytes(), self.app.as_str().as_bytes(), id.as_bytes()]))
    }

    fn tell_repeated(&self) {
        let app = &self.app;
        debug!(%app, "ignoring a batch of the log of {app} that was already delivered");
    }
}

fn trigger(target: Target, key: &Arc<str>) -> Trigger {
    Trigger { target, force: false, arrived: Instant::now(), sender: Arc::clone(key) }
}
