//! Reads a batch of the log of an app, and finds what is to be counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::debug;

use super::counting::Found;
use super::status::{MAX_LOGGED, MOST_MEASURED};
use super::symptom::{Cause, Symptom};
use super::{Drains, Memory};
use crate::heroku::{AppName, DynoName};
use crate::logplex::{Event, Line, Pieces};
use crate::restart::{Stopping, Watched};
use crate::util::task;

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
    drains: &'a Arc<Drains>,
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

/// The reports of a batch that are too old to count.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OldReports {
    pub(super) count: u64,
    pub(super) latest: Option<Timestamp>,
}

impl<'a> Batch<'a> {
    pub(super) fn new(drains: &'a Arc<Drains>, app: &'a AppName, label: Label<'a>) -> Self {
        Self {
            drains,
            app,
            label,
            now: drains.client.now(),
            pieces: Pieces::default(),
            symptoms: Vec::new(),
            memory: BTreeMap::new(),
            unwatched: Vec::new(),
            old: OldReports::default(),
            other_apps: BTreeSet::new(),
            is_own_log: false,
        }
    }

    /// Reads the next piece of the body.
    pub fn read(&mut self, piece: &[u8]) {
        let Drains { restarter, settings, interest, .. } = &**self.drains;
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
                if self.other_apps.len() < MAX_LOGGED {
                    self.other_apps.insert(other);
                }
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
        if !found.drains.restarter.has_database() {
            return found.count();
        }
        // If the connection breaks meanwhile, Heroku delivers the batch again: then it must be known whether this one counted.
        task::spawn_if_pending(Box::pin(found.count_together())).await.unwrap_or(Err(Stopping))
    }

    /// Notes what the batch says. What is to be counted, if anything is.
    fn note(self, is_complete: bool) -> Result<Option<Found>, Stopping> {
        let Self { drains, app, label, now, pieces, symptoms, memory, unwatched, old, other_apps, is_own_log } = self;
        let Drains { restarter, settings, .. } = &**drains;
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
        let frame_id = label.frame_id.filter(|id| !id.is_empty() && is_complete).map(str::to_owned);
        let (drains, app, key) = (Arc::clone(drains), app.clone(), Arc::clone(label.key));
        Ok(Some(Found { drains, app, symptoms, frame_id, key }))
    }
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
