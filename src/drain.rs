//! Heroku's own log drain as the source of alerts: the lines in which the platform says that a dyno is in trouble.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::heroku::{AppName, DynoName};
use crate::logplex::{self, Code, Codes, Event, Interest, Line, Pieces};
use crate::receive::Extent;
use crate::recent::Recent;
use crate::restart::{Restarter, Stopping, Target, Trigger, When};
use crate::sparing::{Sparing, since_last_told};
use crate::trouble::{Complaint, Tolerance, Trouble, Troubles};
use crate::words::human;

/// How far Heroku's clock may be ahead. A line of next year would be the latest report of its dyno for a year.
const FUTURE: SignedDuration = SignedDuration::from_mins(1);

/// Heroku's measure.
pub const MEGABYTE: u64 = 1 << 20;

/// How many drains of an app are known by their token. An app has five at the most, but they come and go.
const MOST_DRAINS: usize = 20;

/// Heroku repeats a report every 20 s as long as there is reason to. So an old one says nothing of now.
const LONGEST_DELAY: SignedDuration = SignedDuration::from_mins(10);

/// A process that is replaced has so long to end and may still be reported, under the same name.
const LONGEST_GOODBYE: SignedDuration = SignedDuration::from_secs(30);

/// A batch has a thousand lines or so.
const MOST_REPORTS: usize = 10_000;

/// Of how many dynos that are in trouble at once the log tells one by one.
const MOST_TOLD: usize = 50;

/// How often Heroku looks at the memory of a dyno.
const EVERY: Duration = Duration::from_secs(20);

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
    reports: Vec<Report>,
    /// It tells of a batch that the service itself was sent.
    shows_itself: bool,
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
    clock: Clock,
}

/// What is known of an app by its drain.
#[derive(Debug, Default)]
struct Drained {
    troubles: Troubles,
    /// Their tokens.
    drains: BTreeSet<String>,
    own_drains: BTreeSet<String>,
    unwatched: BTreeSet<DynoName>,
    broken: Sparing,
}

/// The time of day, which goes on as the runtime's clock does.
#[derive(Debug)]
struct Clock {
    began: Instant,
    at: Timestamp,
}

/// A dyno is reported once more.
#[derive(Debug)]
struct Report {
    dyno: DynoName,
    at: Timestamp,
    cause: Cause,
}

/// What for.
#[derive(Clone, Copy, Debug)]
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
        let clock = Clock { began: Instant::now(), at: Timestamp::now() };
        settings.warn_of_what_cannot_be();
        Self(Arc::new(Shared { restarter, settings, interest, apps, delivered: Recent::default(), clock }))
    }

    /// Begins to take a batch of the log of `app`.
    #[must_use]
    pub fn open<'a>(&'a self, app: &'a AppName, label: Label<'a>) -> Batch<'a> {
        let (now, pieces) = (self.0.clock.now(), Pieces::default());
        Batch { drains: self, app, label, now, pieces, reports: Vec::new(), shows_itself: false }
    }

    fn drained(&self, app: &AppName) -> MutexGuard<'_, Drained> {
        let drained = self.0.apps.get(app).expect("the app is one of those watched");
        drained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch<'_> {
    /// Reads the next piece of the body.
    pub fn read(&mut self, piece: &[u8]) {
        let Shared { settings, interest, .. } = &*self.drains.0;
        let oldest = self.now - LONGEST_DELAY - settings.tolerance.window;
        self.pieces.read(piece, interest, |line, event| {
            let (dyno, cause) = match event {
                Event::Error { code, dyno } => (dyno, Cause::Error(code)),
                Event::Memory { dyno, total, quota } => (dyno, Cause::Memory { total, quota }),
                Event::DrainRequest { host } => {
                    self.shows_itself |= self.label.host.is_some_and(|ours| is_same_host(ours, host));
                    return;
                }
            };
            let at = time_of(line, self.now);
            if cause.is_trouble(settings) && at >= oldest && self.reports.len() < MOST_REPORTS {
                self.reports.push(Report { dyno, at, cause });
            }
        });
    }

    /// Hands over which dynos are in trouble; does not wait.
    ///
    /// # Errors
    /// When the service is being shut down.
    pub fn finish(self, extent: Extent) -> Result<(), Stopping> {
        let Self { drains, app, label, pieces, mut reports, shows_itself, .. } = self;
        let Shared { restarter, settings, delivered, .. } = &*drains.0;
        if restarter.is_stopping() {
            return Err(Stopping);
        }
        let mut drained = drains.drained(app);
        drained.note_drain(app, label.token);
        if let Some(fault) = pieces.fault() {
            drained.note_broken(app, extent, fault);
        }
        if drained.is_own(app, label.token, shows_itself) {
            return Ok(());
        }
        reports.retain(|report| restarter.may_watch(&report.dyno) || drained.note_unwatched(app, report));
        if reports.is_empty() {
            return Ok(());
        }
        // What broke off comes again, with the same id.
        let frame_id = label.frame_id.filter(|id| !id.is_empty() && extent == Extent::Whole);
        if frame_id.is_some_and(|id| !delivered.are_new([format!("{app}/{id}")])) {
            debug!(%app, "a batch of the log of {app} was delivered once more");
            return Ok(());
        }
        let in_trouble = drained.count(app, reports, settings);
        if in_trouble.is_empty() {
            return Ok(());
        }
        restarter.trigger(app, Trigger { target: Target::dynos(in_trouble), force: false })
    }
}

impl Drained {
    /// The dynos that are in trouble with these reports, and since when each.
    fn count(&mut self, app: &AppName, reports: Vec<Report>, settings: &Settings) -> BTreeMap<DynoName, When> {
        let (mut in_trouble, mut untold) = (BTreeMap::new(), 0);
        for Report { dyno, at, cause } in reports {
            let trouble = self.troubles.report(dyno.clone(), cause.complaint(), at, settings.tolerance);
            let Some(Trouble { since, is_news }) = trouble else { continue };
            let Tolerance { reports, window } = settings.tolerance;
            let times = match reports {
                1 => String::new(),
                _ => format!(", the last of {reports} reports within {}", human(window)),
            };
            if !is_news {
                debug!(%app, %dyno, "{dyno} of {app} is still in trouble: {cause}{times}");
            } else if in_trouble.len() < MOST_TOLD {
                info!(%app, %dyno, "{dyno} of {app} is in trouble: {cause}{times}");
            } else {
                untold += 1;
            }
            // Heroku's own time, as that of the dyno's creation is.
            let when = When::At { time: since, skew: -LONGEST_GOODBYE };
            let known = in_trouble.entry(dyno).or_insert(when);
            *known = when.max(*known);
        }
        if untold > 0 {
            info!(%app, "{untold} more dynos of {app} are in trouble");
        }
        in_trouble
    }

    /// Says once that a dyno is reported that is not to be restarted; never true.
    fn note_unwatched(&mut self, app: &AppName, Report { dyno, cause, .. }: &Report) -> bool {
        if self.unwatched.len() < MOST_TOLD && self.unwatched.insert(dyno.clone()) {
            info!(%app, %dyno, "{dyno} of {app}: {cause}. It is left alone, for its process type is not in PROCESS_TYPES");
        }
        false
    }

    /// Says once that a drain arrives, and whose log it is taken for.
    fn note_drain(&mut self, app: &AppName, token: Option<&str>) {
        let Some(token) = token.filter(|token| is_token(token) && !self.drains.contains(*token)) else { return };
        if self.drains.len() == MOST_DRAINS {
            return;
        }
        self.drains.insert(token.to_owned());
        match self.drains.len() {
            1 => info!(%app, "the log of {app} arrives, by drain {token}"),
            number => warn!(
                %app,
                "the log of {app} arrives by another drain, {token}, {number} in all. Only its URL says that it is the log of \
                 {app}; see `heroku drains -a {app}`"
            ),
        }
    }

    fn note_broken(&mut self, app: &AppName, extent: Extent, fault: logplex::Fault) {
        if extent != Extent::Whole {
            debug!(%app, "a batch of the log of {app} is not whole; what came of it counts");
        } else if let Some(batches) = self.broken.count() {
            warn!(
                %app,
                batches,
                "the drain of {app} brought something that is no log: {fault}. What stood in front of it counts. Does the URL \
                 with /drain belong to a log drain?{}",
                since_last_told(batches)
            );
        }
    }

    /// Whether this is the log of the service itself. Each batch of it makes the router write one more line.
    fn is_own(&mut self, app: &AppName, token: Option<&str>, shows_itself: bool) -> bool {
        let is_known = token.is_some_and(|token| self.own_drains.contains(token));
        let has_room = self.own_drains.len() < MOST_DRAINS;
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

impl Settings {
    fn warn_of_what_cannot_be(&self) {
        let Tolerance { reports, window } = self.tolerance;
        let router_is_asked = self.errors.iter().any(|code| code.letter() == 'H');
        let shortest = EVERY * u32::try_from(reports - 1).unwrap_or(u32::MAX);
        if shortest > window && !router_is_asked {
            warn!(
                "TOLERANCE asks for {reports} reports within {}, but Heroku reports every {}: no dyno will ever be in trouble \
                 by a log drain. Make the window {} or longer",
                human(window),
                human(EVERY),
                human(shortest + EVERY)
            );
        }
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

/// It is written into the log, so it must be what Heroku calls a drain: `d.` and an id.
fn is_token(token: &str) -> bool {
    let is_of_an_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    token.len() <= 64 && token.starts_with("d.") && token.bytes().all(is_of_an_id)
}

/// Two names of hosts, whatever the port.
fn is_same_host(one: &str, other: &str) -> bool {
    fn name(host: &str) -> &str {
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        port.map_or(host, |(name, _)| name)
    }
    name(one).eq_ignore_ascii_case(name(other))
}

impl Cause {
    fn is_trouble(self, settings: &Settings) -> bool {
        match self {
            Self::Error(_) => true,
            Self::Memory { total, quota } => settings.memory_limit.is_some_and(|limit| limit.is_reached(total, quota)),
        }
    }

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
