//! Heroku's own log drain as a source of alerts: the lines in which the platform reports that a dyno has a problem.
//!
//! - `settings`: what counts as trouble;
//! - `symptom`: one report that a dyno has a problem;
//! - `detector`: counts the reports until the threshold is reached;
//! - `app_drain`: what the service remembers about the log of one app;
//! - `steps`: what the log said in the last 24 hours, as each replica heard it; `day`: all of it together;
//! - `replicas`: what replicas tell one another;
//! - `status`: what there is to say of the log of an app now;
//! - `summary`: the reports that led to nothing, for the log;
//! - `silence`: notices when a log no longer arrives.

mod app_drain;
mod day;
mod detector;
mod replicas;
mod settings;
mod silence;
mod status;
mod steps;
mod summary;
mod symptom;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::debug;

use app_drain::AppDrain;
use symptom::{Cause, Symptom};

pub use day::{Day, STEP, Step};
pub use settings::{MemoryLimit, Settings, Threshold};
pub use silence::{Silence, SilenceWatch};
use status::MOST_MEASURED;
pub use status::{CountedReports, DrainStatus, HeardLog, Memory, MemoryAround};

use crate::heroku::{AppName, Client, DynoName};
pub use crate::logplex::MEGABYTE;
use crate::logplex::{Event, Interest, Line, Pieces};
use crate::restart::{Restarter, Stopping, Target, Trigger, Watched};
use crate::store::{self, DeliveryId};
use crate::util::dedup::SeenIds;

/// How far Heroku's clock may be ahead. A line dated next year would stay the latest report of its dyno for a year.
const MAX_CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// Heroku repeats a report every 20 s while the problem lasts, so an old report says nothing about the present.
const MAX_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// The number of symptoms that are kept of one batch, which has about a thousand lines.
const MAX_SYMPTOMS: usize = 10_000;

/// The headers of a request that identify the batch, the drain and this service.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// The id of the batch; it stays the same when the batch is delivered again.
    pub frame_id: Option<&'a str>,
    /// The token of the drain.
    pub token: Option<&'a str>,
    /// The name by which the drain reaches this service.
    pub host: Option<&'a str>,
    /// The name of the key that the drain has.
    pub key: &'a Arc<str>,
}

/// A batch that is being read, piece by piece.
#[derive(Debug)]
pub struct Batch<'a> {
    drains: &'a Drains,
    app: &'a AppName,
    label: Label<'a>,
    now: Timestamp,
    pieces: Pieces,
    symptoms: Vec<Symptom>,
    /// The latest measurement of each dyno's memory.
    memory: BTreeMap<DynoName, Memory>,
    /// The symptoms of dynos that are not watched. They have a limit of their own, so that they displace no others.
    unwatched: Vec<Symptom>,
    /// The reports that are too old to count.
    old: OldReports,
    /// The other apps of a Private Space whose lines are in the batch.
    other_apps: BTreeSet<AppName>,
    /// Whether a line shows a request to this service: the log is the service's own.
    is_own_log: bool,
}

/// What is to be counted of a batch.
struct Found<'a> {
    drains: &'a Drains,
    app: &'a AppName,
    symptoms: Vec<Symptom>,
    frame_id: Option<&'a str>,
    key: &'a Arc<str>,
}

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

/// The reports of a batch that are too old to count.
#[derive(Clone, Copy, Debug, Default)]
struct OldReports {
    count: u64,
    latest: Option<Timestamp>,
}

impl Drains {
    /// For the apps of this restarter. The client knows the time by Heroku's clock.
    #[must_use]
    pub fn new(restarter: Restarter, client: Client, settings: Settings) -> Self {
        let interest = Interest { errors: settings.errors.clone(), memory: true };
        let apps = restarter.watched().apps().iter().map(|app| (app.clone(), Mutex::default())).collect();
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
    pub fn open<'a>(&'a self, app: &'a AppName, label: Label<'a>) -> Batch<'a> {
        let (now, pieces) = (self.client.now(), Pieces::default());
        Batch {
            drains: self,
            app,
            label,
            now,
            pieces,
            symptoms: Vec::new(),
            memory: BTreeMap::new(),
            unwatched: Vec::new(),
            old: OldReports::default(),
            other_apps: BTreeSet::new(),
            is_own_log: false,
        }
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

    /// The memory of a dyno before and after the restart from which it was up at this time, as far as its log tells it.
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

impl<'a> Batch<'a> {
    /// Reads the next piece of the body.
    pub fn read(&mut self, piece: &[u8]) {
        let Drains { restarter, settings, interest, .. } = self.drains;
        let oldest = self.now - MAX_DELAY - settings.threshold.window;
        self.pieces.read(piece, interest, |line, event| {
            let (dyno, cause) = match event {
                Event::Error { code, dyno } => (dyno, Cause::Error(code)),
                Event::Memory { dyno, total, quota } => (dyno, Cause::Memory { total, quota }),
                Event::DrainRequest { host } => {
                    self.is_own_log |= self.label.host.is_some_and(|ours| is_same_host(ours, host));
                    return;
                }
            };
            if let Some(other) = other_app(line, self.app, restarter.watched()) {
                self.other_apps.insert(other);
                return;
            }
            let at = time_of(line, self.now);
            if let Cause::Memory { total, quota } = cause
                && (self.memory.len() < MOST_MEASURED || self.memory.contains_key(&dyno))
            {
                self.memory.insert(dyno.clone(), Memory { at, total, quota });
            }
            if !cause.counts(settings) {
                return;
            }
            if at < oldest {
                let app = self.app;
                debug!(%app, %dyno, "{dyno} of {app}: {cause} at {at:.0} is too old and does not count");
                self.old.add(at);
                return;
            }
            let is_watched = restarter.watched().may_include(&dyno);
            let symptoms = if is_watched { &mut self.symptoms } else { &mut self.unwatched };
            if symptoms.len() < MAX_SYMPTOMS {
                symptoms.push(Symptom { dyno, at, cause });
            }
        });
    }

    /// Ends the batch: asks for a restart of the dynos that are now in trouble, and does not wait for it.
    ///
    /// # Errors
    /// When the service is being shut down.
    pub async fn finish(self, is_complete: bool) -> Result<(), Stopping> {
        let Some(found) = self.note(is_complete)? else { return Ok(()) };
        if found.drains.restarter.has_database() { found.count_together().await } else { found.count() }
    }

    /// Notes what the batch says. What is to be counted, if anything is.
    fn note(self, is_complete: bool) -> Result<Option<Found<'a>>, Stopping> {
        let Self { drains, app, label, now, pieces, symptoms, memory, unwatched, old, other_apps, is_own_log } = self;
        let Drains { restarter, settings, .. } = drains;
        if restarter.is_stopping() {
            return Err(Stopping);
        }
        let mut app_drain = drains.app_drain(app);
        app_drain.note_drain(app, label.token);
        if let Some(error) = pieces.error() {
            app_drain.note_invalid(app, is_complete, error);
        }
        if app_drain.is_own(app, label.token, is_own_log) {
            return Ok(None);
        }
        app_drain.heard(now, label, pieces.lines(), memory);
        drains.silence.heard(app);
        app_drain.note_other_apps(app, other_apps);
        for symptom in &unwatched {
            app_drain.note_unwatched(app, symptom);
        }
        app_drain.note_age(app, old, now, !(symptoms.is_empty() && unwatched.is_empty()));
        app_drain.summary.write_if_due(app, settings.threshold);
        if symptoms.is_empty() {
            return Ok(None);
        }
        // An incomplete batch is delivered again with the same id, and must count then.
        let frame_id = label.frame_id.filter(|id| !id.is_empty() && is_complete);
        Ok(Some(Found { drains, app, symptoms, frame_id, key: label.key }))
    }
}

impl Found<'_> {
    /// Counts what this process has heard.
    fn count(self) -> Result<(), Stopping> {
        let Self { drains, app, .. } = self;
        if self.frame_id.is_some_and(|id| !drains.delivered.insert_new((app, id))) {
            self.tell_repeated();
            return Ok(());
        }
        let target = drains.app_drain(app).count(app, self.symptoms, drains.settings.threshold);
        if target.is_empty() {
            return Ok(());
        }
        drains.restarter.trigger(app, trigger(target, self.key)).map(drop)
    }

    /// Counts what all replicas have heard. While the database is away, each one counts by itself.
    async fn count_together(mut self) -> Result<(), Stopping> {
        let Self { drains, app, .. } = self;
        for symptom in &mut self.symptoms {
            // As the database keeps it: of the same report, all replicas know the same time.
            symptom.at = Timestamp::from_microsecond(symptom.at.as_microsecond()).unwrap_or(symptom.at);
        }
        let mut target = None;
        let counted = drains.restarter.count_reports(app, self.dynos(), self.batch_id(), |stored| {
            let symptoms = std::mem::take(&mut self.symptoms);
            let (reports, counted) =
                drains.app_drain(app).count_together(app, symptoms, drains.settings.threshold, stored);
            let counted = target.insert(trigger(counted, self.key));
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
        let dynos: BTreeSet<_> = self.symptoms.iter().map(|symptom| symptom.dyno.as_str()).collect();
        dynos.into_iter().map(str::to_owned).collect()
    }

    /// The same for the same batch on every replica.
    fn batch_id(&self) -> Option<DeliveryId> {
        self.frame_id
            .map(|id| store::delivery_id(["log drain".as_bytes(), self.app.as_str().as_bytes(), id.as_bytes()]))
    }

    fn tell_repeated(&self) {
        let app = self.app;
        debug!(%app, "ignoring a batch of the log of {app} that was already delivered");
    }
}

fn trigger(target: Target, key: &Arc<str>) -> Trigger {
    Trigger { target, force: false, arrived: Instant::now(), sender: Arc::clone(key) }
}

impl OldReports {
    fn add(&mut self, at: Timestamp) {
        self.count += 1;
        self.latest = self.latest.max(Some(at));
    }
}

/// When the line was written. A line without a valid time, or with one in the future, counts as written now.
fn time_of(line: &Line<'_>, now: Timestamp) -> Timestamp {
    line.at().filter(|at| at.duration_since(now) < MAX_CLOCK_SKEW).unwrap_or(now)
}

/// The app whose line this is, if its host name names another one than `app`. One drain carries the logs of all apps of a
/// Private Space. A forwarder may write any host name, so a name without a space counts only if the app is watched.
fn other_app(line: &Line<'_>, app: &AppName, watched: &Watched) -> Option<AppName> {
    let host = std::str::from_utf8(line.host_name).ok()?;
    let named = match host.split_once('.') {
        Some((named, space)) => AppName::parse(space).and(AppName::parse(named)),
        None => AppName::parse(host).filter(|named| watched.has_app(named)),
    };
    named.filter(|named| named != app)
}

/// Compares two host names and ignores their ports.
fn is_same_host(one: &str, other: &str) -> bool {
    fn name(host: &str) -> &str {
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(host, |(name, _)| name)
    }
    name(one).eq_ignore_ascii_case(name(other))
}
