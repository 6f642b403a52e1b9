//! Heroku's own log drain as a source of alerts: the lines in which the platform reports that a dyno has a problem.
//!
//! - `settings`: what counts as trouble;
//! - `batch`: reads a batch of the log, and finds the reports in it; `counting`: counts them;
//! - `symptom`: one report that a dyno has a problem;
//! - `detector`: counts the reports of a dyno until the threshold is reached;
//! - `app_drain`: what the service remembers about the log of one app;
//! - `steps`: what the log said in the last 24 hours, as each replica heard it; `day`: all of it together;
//! - `replicas`: what replicas tell one another;
//! - `status`: what there is to say of the log of an app now;
//! - `summary`: the reports that led to nothing, for the log;
//! - `silence`: notices when a log no longer arrives.

mod app_drain;
mod batch;
mod counting;
mod day;
mod detector;
mod replicas;
mod settings;
mod silence;
mod status;
mod steps;
mod summary;
mod symptom;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use app_drain::AppDrain;

pub use batch::{Batch, Label};
pub use day::{Day, STEP, Step};
pub use settings::{MemoryLimit, Settings, Threshold};
pub use silence::{Silence, SilenceWatch};
pub use status::{CountedReports, DrainStatus, HeardLog, Memory, MemoryAround};

use crate::heroku::{AppName, Client, DynoName};
use crate::logplex::Interest;
pub use crate::logplex::MEGABYTE;
use crate::restart::Restarter;
use crate::util::dedup::SeenIds;
use crate::util::ordered::CollectOrdered;

/// Receives the logs of the watched apps.
#[derive(Debug)]
pub struct Drains {
    restarter: Restarter,
    settings: Settings,
    interest: Interest,
    apps: BTreeMap<AppName, Mutex<AppDrain>>,
    delivered: SeenIds,
    silence: SilenceWatch,
    client: Client,
    /// Whether the log says that a row of the database is not valid.
    has_told_of_row: AtomicBool,
}

impl Drains {
    /// For the apps of this restarter. The client knows the time by Heroku's clock.
    #[must_use]
    pub fn new(restarter: Restarter, client: Client, settings: Settings) -> Self {
        let interest = Interest { errors: settings.errors.clone(), memory: true };
        let apps = restarter.watched().apps().iter().map(|app| (app.clone(), Mutex::default())).collect_ordered();
        settings.warn_if_unreachable();
        Self {
            restarter,
            settings,
            interest,
            apps,
            delivered: SeenIds::default(),
            silence: SilenceWatch::default(),
            client,
            has_told_of_row: AtomicBool::new(false),
        }
    }

    /// Notices when a log no longer arrives. To be run by the caller.
    #[must_use]
    pub fn silence(&self) -> SilenceWatch {
        self.silence.clone()
    }

    /// Begins to read a batch of the log of `app`.
    #[must_use]
    pub fn open<'a>(self: &'a Arc<Self>, app: &'a AppName, label: Label<'a>) -> Batch<'a> {
        Batch::new(self, app, label)
    }

    /// What there is to say of the log of `app` now.
    ///
    /// # Panics
    /// When `app` is not one of those watched.
    #[must_use]
    pub fn status(&self, app: &AppName) -> DrainStatus {
        self.app_drain(app).status(self.settings.threshold, self.restarter.has_database(), self.client.now())
    }

    /// How many lines of the log of `app` came to this process since the start.
    ///
    /// # Panics
    /// When `app` is not one of those watched.
    #[must_use]
    pub fn lines_here(&self, app: &AppName) -> u64 {
        self.app_drain(app).lines_here()
    }

    /// The memory of a dyno before and after the restart from which it was up at this time, as far as its log shows it.
    ///
    /// # Panics
    /// When `app` is not one of those watched.
    #[must_use]
    pub fn memory_around(&self, app: &AppName, before: &DynoName, after: &DynoName, up_at: Timestamp) -> MemoryAround {
        self.app_drain(app).memory_around(before, after, up_at)
    }

    fn app_drain(&self, app: &AppName) -> MutexGuard<'_, AppDrain> {
        let app_drain = self.apps.get(app).expect("the app is one of those watched");
        app_drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
