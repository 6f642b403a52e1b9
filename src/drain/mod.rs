//! Heroku's own log drain as the source of alerts: the lines in which the platform says that a dyno is in trouble.
//!
//! - `settings`: what counts as trouble, and `report`: one line that says so;
//! - `trouble`: how many of them it takes;
//! - `app_drain`: what is known of an app by its drains.

mod app_drain;
mod detector;
mod settings;
mod symptom;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::debug;

use app_drain::AppDrain;
use symptom::{Cause, Symptom};

pub use detector::Threshold;
pub use settings::{MemoryLimit, Settings};

use crate::heroku::AppName;
use crate::http::body::Extent;
use crate::logplex::{Event, Interest, Line, Pieces};
use crate::restart::{Restarter, Stopping, Trigger};
use crate::util::dedup::Recent;

/// How far Heroku's clock may be ahead. A line of next year would be the latest report of its dyno for a year.
const FUTURE: SignedDuration = SignedDuration::from_mins(1);

/// Heroku repeats a report every 20 s as long as there is reason to. So an old one says nothing of now.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// A batch has a thousand lines or so.
const MOST_SYMPTOMS: usize = 10_000;

/// How one request of a drain is known.
#[derive(Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Stays the same when it is delivered again.
    pub frame_id: Option<&'a str>,
    /// Which drain it is.
    pub token: Option<&'a str>,
    /// The name by which the drain reaches this service.
    pub host: Option<&'a str>,
}

/// A batch that is being taken, piece by piece.
#[derive(Debug)]
pub struct Batch<'a> {
    drains: &'a Drains,
    app: &'a AppName,
    label: Label<'a>,
    now: Timestamp,
    pieces: Pieces,
    symptoms: Vec<Symptom>,
    /// Those of dynos that are not to be restarted.
    unwatched: Vec<Symptom>,
    /// It tells of a batch that the service itself was sent.
    is_own_log: bool,
}

/// Takes what the drains of the watched apps bring.
#[derive(Debug)]
pub struct Drains {
    restarter: Restarter,
    settings: Settings,
    interest: Interest,
    apps: BTreeMap<AppName, Mutex<AppDrain>>,
    delivered: Recent,
    clock: Clock,
}

/// The time of day, which goes on as the runtime's clock does.
#[derive(Debug)]
struct Clock {
    began: Instant,
    at: Timestamp,
}

impl Drains {
    /// For the apps of this restarter.
    #[must_use]
    pub fn new(restarter: Restarter, settings: Settings) -> Self {
        let interest = Interest { errors: settings.errors.clone(), memory: settings.memory_limit.is_some() };
        let apps = restarter.watched().apps().iter().map(|app| (app.clone(), Mutex::default())).collect();
        let clock = Clock { began: Instant::now(), at: Timestamp::now() };
        settings.warn_of_what_cannot_be();
        Self { restarter, settings, interest, apps, delivered: Recent::default(), clock }
    }

    /// Begins to take a batch of the log of `app`.
    #[must_use]
    pub fn open<'a>(&'a self, app: &'a AppName, label: Label<'a>) -> Batch<'a> {
        let (now, pieces) = (self.clock.now(), Pieces::default());
        Batch { drains: self, app, label, now, pieces, symptoms: Vec::new(), unwatched: Vec::new(), is_own_log: false }
    }

    fn app_drain(&self, app: &AppName) -> MutexGuard<'_, AppDrain> {
        let app_drain = self.apps.get(app).expect("the app is one of those watched");
        app_drain.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch<'_> {
    /// Reads the next piece of the body.
    pub fn read(&mut self, piece: &[u8]) {
        let Drains { restarter, settings, interest, .. } = self.drains;
        let oldest = self.now - LONGEST_DELAY - settings.threshold.window;
        self.pieces.read(piece, interest, |line, event| {
            let (dyno, cause) = match event {
                Event::Error { code, dyno } => (dyno, Cause::Error(code)),
                Event::Memory { dyno, total, quota } => (dyno, Cause::Memory { total, quota }),
                Event::DrainRequest { host } => {
                    self.is_own_log |= self.label.host.is_some_and(|ours| is_same_host(ours, host));
                    return;
                }
            };
            let at = time_of(line, self.now);
            if !cause.is_trouble(settings) || at < oldest {
                return;
            }
            let symptoms =
                if restarter.watched().may_include(&dyno) { &mut self.symptoms } else { &mut self.unwatched };
            if symptoms.len() < MOST_SYMPTOMS {
                symptoms.push(Symptom { dyno, at, cause });
            }
        });
    }

    /// Hands over which dynos are in trouble; does not wait.
    ///
    /// # Errors
    /// When the service is being shut down.
    pub fn finish(self, extent: Extent) -> Result<(), Stopping> {
        let Self { drains, app, label, pieces, symptoms, unwatched, is_own_log, .. } = self;
        let Drains { restarter, settings, delivered, .. } = drains;
        if restarter.is_stopping() {
            return Err(Stopping);
        }
        let mut app_drain = drains.app_drain(app);
        app_drain.note_drain(app, label.token);
        if let Some(error) = pieces.error() {
            app_drain.note_broken(app, extent, error);
        }
        if app_drain.is_own(app, label.token, is_own_log) {
            return Ok(());
        }
        for symptom in &unwatched {
            app_drain.note_unwatched(app, symptom);
        }
        if symptoms.is_empty() {
            return Ok(());
        }
        // What broke off comes again, with the same id.
        let frame_id = label.frame_id.filter(|id| !id.is_empty() && extent == Extent::Whole);
        if frame_id.is_some_and(|id| !delivered.are_new([format!("{app}/{id}")])) {
            debug!(%app, "a batch of the log of {app} was delivered once more");
            return Ok(());
        }
        let target = app_drain.count(app, symptoms, settings);
        if target.is_empty() {
            return Ok(());
        }
        restarter.trigger(app, Trigger { target, force: false, arrived: Instant::now() }).map(drop)
    }
}

impl Clock {
    fn now(&self) -> Timestamp {
        self.at + self.began.elapsed()
    }
}

/// A line that does not say when it was written, or that comes out of the future, is one of now.
fn time_of(line: &Line<'_>, now: Timestamp) -> Timestamp {
    line.at().filter(|at| at.duration_since(now) < FUTURE).unwrap_or(now)
}

/// Two names of hosts, whatever the port.
fn is_same_host(one: &str, other: &str) -> bool {
    fn name(host: &str) -> &str {
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(host, |(name, _)| name)
    }
    name(one).eq_ignore_ascii_case(name(other))
}
