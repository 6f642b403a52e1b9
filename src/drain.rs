//! Heroku's own log drain as the source of alerts: the lines in which the platform says that a dyno is in trouble.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{debug, info, warn};

use crate::heroku::{AppName, DynoName};
use crate::logplex::{self, Code, Codes, Event, Interest, Line};
use crate::recent::Recent;
use crate::restart::{Restarter, Stopping, Target, Trigger, When};
use crate::sparing::Sparing;
use crate::trouble::{Complaint, Tolerance, Trouble, Troubles};
use crate::words::human;

/// No clock is so far ahead. A line of next year would be the latest report of its dyno for a year.
const FUTURE: SignedDuration = SignedDuration::from_hours(24);

/// Heroku's measure.
pub const MEGABYTE: u64 = 1 << 20;

/// How many drains of the service itself are remembered. An app has five drains at the most.
const MOST_OWN_DRAINS: usize = 20;

/// What counts as trouble.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which errors.
    pub errors: Codes,
    /// How many reports it takes.
    pub tolerance: Tolerance,
    /// From where on memory counts, if it does at all.
    pub memory_limit: Option<MemoryLimit>,
}

/// How much memory a dyno may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// This much of its quota.
    Percent(u64),
    /// This much, whatever its quota.
    Bytes(u64),
}

/// What one request of a drain brings.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Stays the same when it is delivered again.
    pub frame_id: Option<&'a str>,
    /// Which drain it is.
    pub token: Option<&'a str>,
    /// The name by which the drain reaches this service.
    pub host: Option<&'a str>,
    /// Frames.
    pub body: &'a [u8],
}

/// Takes what the drains of the watched apps bring. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Drains(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    restarter: Restarter,
    settings: Settings,
    interest: Interest,
    apps: BTreeMap<AppName, Mutex<Drained>>,
    delivered: Recent,
    broken: Sparing,
}

/// What is known of an app by its drain.
#[derive(Debug, Default)]
struct Drained {
    troubles: Troubles,
    own_drains: BTreeSet<String>,
}

/// A dyno is reported once more.
struct Report {
    dyno: DynoName,
    at: Timestamp,
    cause: Cause,
}

/// What for.
#[derive(Clone, Copy)]
enum Cause {
    Error(Code),
    Memory { total: u64, quota: Option<u64> },
}

impl Drains {
    /// For the apps of this restarter.
    #[must_use]
    pub fn new(restarter: Restarter, settings: Settings) -> Self {
        let interest = Interest { errors: settings.errors.clone(), memory: settings.memory_limit.is_some() };
        let apps = restarter.apps().map(|app| (app.clone(), Mutex::default())).collect();
        let (delivered, broken) = (Recent::default(), Sparing::default());
        Self(Arc::new(Shared { restarter, settings, interest, apps, delivered, broken }))
    }

    /// Takes a batch of the log of `app` and hands over which dynos are in trouble; does not wait.
    ///
    /// # Errors
    /// When the service is being shut down.
    pub fn take(&self, app: &AppName, batch: Batch<'_>) -> Result<(), Stopping> {
        let Shared { restarter, settings, delivered, .. } = &*self.0;
        let reports = self.read(app, batch);
        if reports.is_empty() {
            return Ok(());
        }
        if let Some(frame_id) = batch.frame_id
            && !delivered.are_new([format!("{app}/{frame_id}")])
        {
            debug!(%app, "a batch of the log of {app} was delivered once more");
            return Ok(());
        }
        let in_trouble = self.drained(app).count(app, reports, settings);
        if in_trouble.is_empty() {
            return Ok(());
        }
        restarter.trigger(app, Trigger { target: Target::dynos(in_trouble), force: false })
    }

    /// The reports in a batch, of dynos that may be restarted.
    fn read(&self, app: &AppName, batch: Batch<'_>) -> Vec<Report> {
        let Shared { restarter, settings, interest, .. } = &*self.0;
        let (mut reports, mut is_own) = (Vec::new(), false);
        let mut events = logplex::events(batch.body, interest);
        for (line, event) in events.by_ref() {
            match event {
                Event::Error { code, dyno } => reports.push(Report::new(dyno, &line, Cause::Error(code))),
                Event::Memory { dyno, total, quota } => {
                    if settings.memory_limit.is_some_and(|limit| limit.is_reached(total, quota)) {
                        reports.push(Report::new(dyno, &line, Cause::Memory { total, quota }));
                    }
                }
                Event::DrainRequest { host } => is_own |= batch.host.is_some_and(|ours| is_same_host(ours, host)),
            }
        }
        if let Some(fault) = events.fault() {
            self.note_broken(app, fault);
        }
        reports.retain(|report| restarter.may_watch(&report.dyno));
        if (is_own || !reports.is_empty()) && self.drained(app).is_own(app, batch.token, is_own) {
            reports.clear();
        }
        reports
    }

    fn note_broken(&self, app: &AppName, fault: logplex::Fault) {
        if let Some(batches) = self.0.broken.count() {
            warn!(
                %app,
                batches,
                "the drain of {app} brought something that is no log: {fault}. What stood in front of it counts. Does the URL \
                 with /drain belong to a log drain?"
            );
        }
    }

    fn drained(&self, app: &AppName) -> MutexGuard<'_, Drained> {
        let drained = self.0.apps.get(app).expect("the app is one of those watched");
        drained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drained {
    /// The dynos that are in trouble with these reports, and since when each.
    fn count(&mut self, app: &AppName, reports: Vec<Report>, settings: &Settings) -> BTreeMap<DynoName, When> {
        let mut in_trouble = BTreeMap::new();
        for Report { dyno, at, cause } in reports {
            let trouble = self.troubles.report(dyno.clone(), cause.complaint(), at, settings.tolerance);
            let Some(Trouble { since, is_news }) = trouble else { continue };
            let Tolerance { reports, window } = settings.tolerance;
            let times =
                if reports == 1 { String::new() } else { format!(", {reports} times within {}", human(window)) };
            if is_news {
                info!(%app, %dyno, "{dyno} of {app} is in trouble: {cause}{times}");
            } else {
                debug!(%app, %dyno, "{dyno} of {app} is still in trouble: {cause}{times}");
            }
            // Heroku's own time, as that of the dyno's creation is.
            let when = When::At { time: since, skew: Duration::ZERO };
            let known = in_trouble.entry(dyno).or_insert(when);
            *known = when.max(*known);
        }
        in_trouble
    }

    /// Whether this is the log of the service itself. Each batch of it makes the router write one more line.
    fn is_own(&mut self, app: &AppName, token: Option<&str>, shows_itself: bool) -> bool {
        let is_known = token.is_some_and(|token| self.own_drains.contains(token));
        let has_room = self.own_drains.len() < MOST_OWN_DRAINS;
        if shows_itself && has_room && self.own_drains.insert(token.unwrap_or_default().to_owned()) {
            warn!(
                %app,
                "a log drain brings this service its own log as that of {app}; it goes round in circles and is left unread. \
                 Remove the drain from the app of the restarter: see `heroku drains` and `heroku drains:remove`"
            );
        }
        is_known || shows_itself
    }
}

impl Report {
    /// A line that does not say when it was written, or that comes out of the future, is one of now.
    fn new(dyno: DynoName, line: &Line<'_>, cause: Cause) -> Self {
        let now = Timestamp::now();
        let at = line.at().filter(|at| at.duration_since(now) < FUTURE).unwrap_or(now);
        Self { dyno, at, cause }
    }
}

/// Two names of hosts, whatever the port.
fn is_same_host(one: &str, other: &str) -> bool {
    let name = |host: &'_ str| host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    name(one) == name(other)
}

impl Cause {
    fn complaint(self) -> Complaint {
        match self {
            Self::Error(_) => Complaint::Error,
            Self::Memory { .. } => Complaint::Memory,
        }
    }
}

impl MemoryLimit {
    /// Where the quota is not known, a share of it is not either.
    fn is_reached(self, total: u64, quota: Option<u64>) -> bool {
        match self {
            Self::Percent(percent) => {
                quota.is_some_and(|quota| u128::from(total) * 100 >= u128::from(quota) * u128::from(percent))
            }
            Self::Bytes(limit) => total >= limit,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => write!(f, "Error {code}"),
            Self::Memory { total, quota: None } => write!(f, "it uses {} MB", total / MEGABYTE),
            Self::Memory { total, quota: Some(quota) } => {
                write!(f, "it uses {} of {} MB", total / MEGABYTE, quota / MEGABYTE)
            }
        }
    }
}
