//! What the service remembers about the log of one app.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tracing::{debug, info, warn};

use super::batch::{Label, OldReports};
use super::detector::{Recorded, Trouble, TroubleDetector};
use super::settings::Threshold;
use super::status::{DrainStatus, HeardLog, MAX_DRAINS, MAX_LOGGED, MOST_MEASURED, Memory, MemoryAround};
use super::steps::Steps;
use super::summary::Summary;
use super::symptom::Symptom;
use crate::heroku::{AppName, DynoName};
use crate::logplex;
use crate::restart::{Target, When};
use crate::store::StoredReports;
use crate::util::log_throttle::LogThrottle;
use crate::util::ordered::CollectOrdered;
use crate::util::text::human;

/// Heroku gives the old process of a dyno 30 s to exit. Until then its errors appear under the name of the new one.
const EXIT_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// What the service remembers about the log of one app.
#[derive(Debug, Default)]
pub(super) struct AppDrain {
    detector: TroubleDetector,
    /// The reports that led to nothing.
    pub(super) summary: Summary,
    /// Whether the latest reports are too old, which the log has said.
    is_stale: bool,
    /// When the last batch came, by Heroku's clock, and the name of the key that it had.
    heard: Option<(Timestamp, Arc<str>)>,
    /// How many lines came since the start.
    lines: u64,
    /// What other replicas heard.
    others: Option<HeardLog>,
    /// The latest measurement of each dyno's memory.
    memory: BTreeMap<DynoName, Memory>,
    /// The last 24 hours.
    pub(super) steps: Steps,
    /// The tokens of the drains that deliver the log.
    drains: BTreeSet<String>,
    /// The tokens of the drains that deliver the log of this service itself.
    own_drains: BTreeSet<String>,
    /// The unwatched dynos that the log has named.
    unwatched: BTreeSet<DynoName>,
    /// The other apps of the space that the log has named.
    other_apps: BTreeSet<AppName>,
    log: LogThrottle,
}

impl AppDrain {
    /// Counts these symptoms; returns the dynos that are now in trouble, each with the time since when.
    pub(super) fn count(&mut self, app: &AppName, symptoms: &[Symptom], threshold: Threshold) -> Target {
        let Threshold { reports, window } = threshold;
        let times = match reports.get() {
            1 => String::new(),
            _ => format!(" ({reports} reports within {})", human(window)),
        };
        let (mut in_trouble, mut news) = (Target::default(), 0);
        for symptom in symptoms {
            let recorded = self.detector.record(symptom, threshold);
            let Symptom { dyno, at, cause } = symptom;
            if recorded != Recorded::Ignored {
                self.steps.add_report(dyno, *at);
            }
            let Trouble { since, is_news } = match recorded {
                Recorded::Reached(trouble) => trouble,
                Recorded::Counted(count) => {
                    debug!(%app, %dyno, "{dyno} of {app}: {cause}, report {count} of {reports} within {}", human(window));
                    self.summary.too_few(dyno.clone());
                    continue;
                }
                Recorded::Ignored => continue,
            };
            self.summary.enough(dyno);
            news += usize::from(is_news);
            if !is_news {
                debug!(%app, %dyno, "{dyno} of {app} is still in trouble: {cause}{times}");
            } else if news <= MAX_LOGGED {
                info!(event = "trouble", %app, %dyno, "{dyno} of {app} is in trouble: {cause}{times}");
            }
            // This time and the creation time of a dyno are both of Heroku's clock, so there is no skew to allow for.
            in_trouble.add(dyno.clone(), When::At { time: since, skew: -EXIT_TIMEOUT });
        }
        if self.detector.is_full() {
            let app = app.clone();
            self.log.log("full", move |times| {
                warn!(%app, "the log of {app} reports too many different dynos; new ones are ignored for now{times}");
            });
        }
        if news > MAX_LOGGED {
            info!(%app, "{} more dynos of {app} are in trouble", news - MAX_LOGGED);
        }
        in_trouble
    }

    /// The same, together with what other replicas counted. Returns what is counted then, too.
    pub(super) fn count_together(
        &mut self,
        app: &AppName,
        symptoms: &[Symptom],
        threshold: Threshold,
        stored: Vec<StoredReports>,
    ) -> (Vec<StoredReports>, Target) {
        self.detector.add_stored(stored);
        let target = self.count(app, symptoms, threshold);
        (self.detector.stored(&symptoms.iter().map(|symptom| &symptom.dyno).collect_ordered()), target)
    }

    /// A batch came.
    pub(super) fn heard(&mut self, now: Timestamp, label: Label<'_>, lines: u64, memory: BTreeMap<DynoName, Memory>) {
        self.heard = Some((now, Arc::clone(label.key)));
        self.lines += lines;
        self.steps.add_batch(now, lines, label.token.filter(|token| is_token(token)));
        for (dyno, measured) in memory {
            self.steps.add_memory(&dyno, measured);
            if self.memory.len() < MOST_MEASURED || self.memory.contains_key(&dyno) {
                self.memory.insert(dyno, measured);
            }
        }
        self.memory.retain(|_, measured| measured.is_recent(now));
    }

    /// What this process heard.
    pub(super) fn heard_here(&self) -> Option<HeardLog> {
        let (at, key) = self.heard.as_ref()?;
        Some(HeardLog { at: *at, key: key.to_string(), memory: self.memory.clone() })
    }

    /// What other replicas heard. Whether they heard something new.
    pub(super) fn learn(&mut self, heard: HeardLog) -> bool {
        let is_new = self.others.as_ref().is_none_or(|known| known.at < heard.at);
        self.others = self.others.take().into_iter().chain([heard]).reduce(HeardLog::merge);
        is_new
    }

    /// The reports that count, of all replicas.
    pub(super) fn learn_reports(&mut self, reports: Vec<StoredReports>) {
        self.detector.add_stored(reports);
    }

    /// How many lines came to this process since the start.
    pub(super) fn lines_here(&self) -> u64 {
        self.lines
    }

    /// What all replicas heard.
    fn heard_anywhere(&self) -> Option<HeardLog> {
        self.heard_here().into_iter().chain(self.others.clone()).reduce(HeardLog::merge)
    }

    pub(super) fn status(&self, threshold: Threshold, has_database: bool, now: Timestamp) -> DrainStatus {
        let heard = self.heard_anywhere();
        let (heard_at, key) = heard.as_ref().map(|heard| (heard.at, heard.key.clone())).unzip();
        let mut memory = heard.map(|heard| heard.memory).unwrap_or_default();
        memory.retain(|_, measured| measured.is_recent(now));
        let (lines, drains) =
            if has_database { self.steps.lines_and_drains(now) } else { (self.lines, self.drains.len()) };
        DrainStatus {
            heard_at,
            seconds_since: heard_at.map(|at| u64::try_from(now.duration_since(at).as_secs()).unwrap_or_default()),
            key,
            drains,
            lines,
            reports: self.detector.counted(threshold, now),
            tolerance: threshold.reports.get(),
            tolerance_seconds: threshold.window.as_secs(),
            memory,
            day: self.steps.day(now),
        }
    }

    /// The memory of a dyno around a restart, from which it was up at this time. Its name may have changed.
    pub(super) fn memory_around(&self, before: &DynoName, after: &DynoName, up_at: Timestamp) -> MemoryAround {
        let latest = self.heard_anywhere().and_then(|heard| heard.memory.get(after).copied());
        let after = latest.filter(|measured| measured.at >= up_at).map(|measured| measured.total);
        MemoryAround { before: self.steps.peak(before, up_at), after }
    }

    /// Logs once that a dyno has a problem but is not watched.
    pub(super) fn note_unwatched(&mut self, app: &AppName, Symptom { dyno, cause, .. }: &Symptom) {
        self.summary.not_watched();
        let problem = format!("ignoring {dyno} of {app} ({cause}): its process type is not in PROCESS_TYPES");
        if self.unwatched.len() < MAX_LOGGED && self.unwatched.insert(dyno.clone()) {
            info!(%app, %dyno, "{problem}");
        } else {
            debug!(%app, %dyno, "{problem}");
        }
    }

    /// Logs once that all reports are too old. Then Heroku delivers late, or a clock is wrong.
    pub(super) fn note_age(&mut self, app: &AppName, old: OldReports, now: Timestamp, has_recent: bool) {
        self.summary.too_old(old.count);
        if has_recent {
            self.is_stale = false;
        } else if let Some(latest) = old.latest
            && !std::mem::replace(&mut self.is_stale, true)
        {
            warn!(
                %app,
                "all reports in the last batch of the log of {app} are too old and do not count: the latest is from \
                 {latest:.0}, and Heroku's clock says {now:.0}"
            );
        }
    }

    /// Logs once that the drain of a Private Space carries the log of another app, too.
    pub(super) fn note_other_apps(&mut self, app: &AppName, others: BTreeSet<AppName>) {
        for other in others {
            if self.other_apps.len() < MAX_LOGGED && self.other_apps.insert(other.clone()) {
                info!(%app, "the drain of {app} carries the log of {other}, too; errors in lines of {other} are ignored");
            }
        }
    }

    /// Logs once that a drain delivers the log of this app.
    pub(super) fn note_drain(&mut self, app: &AppName, token: Option<&str>) {
        let Some(token) = token.filter(|token| is_token(token) && !self.drains.contains(*token)) else { return };
        if self.drains.len() == MAX_DRAINS {
            return;
        }
        self.drains.insert(token.to_owned());
        match self.drains.len() {
            1 => info!(%app, "receiving the log of {app} from drain {token}"),
            number => warn!(
                %app,
                "receiving the log of {app} from another drain, {token}; there are {number} now. Only the URL of a \
                 drain says which app it belongs to: check that this one belongs to {app} with `heroku drains -a {app}`"
            ),
        }
    }

    /// Logs that a batch was incomplete or invalid.
    pub(super) fn note_invalid(&mut self, app: &AppName, is_complete: bool, error: logplex::FrameError) {
        if !is_complete {
            debug!(%app, "a batch of the log of {app} is incomplete; the lines that arrived count");
            return;
        }
        let app = app.clone();
        self.log.log(&error.to_string(), move |times| {
            warn!(
                %app,
                count = times.count(),
                "invalid log data from the drain of {app}: {error}. The lines before that count. Does something other than \
                 a log drain use the URL with /drain?{times}"
            );
        });
    }

    /// Whether the drain delivers the log of this service itself. Such a drain never stops: the router logs each
    /// delivery, and that line is delivered too.
    pub(super) fn is_own(&mut self, app: &AppName, token: Option<&str>, is_own_log: bool) -> bool {
        let is_known = token.is_some_and(|token| self.own_drains.contains(token));
        let has_room = self.own_drains.len() < MAX_DRAINS;
        if is_own_log && has_room && self.own_drains.insert(token.unwrap_or_default().to_owned()) {
            warn!(
                %app,
                "the log drain for {app} is attached to the restarter itself, so every delivery causes another one. \
                 Its lines are ignored. Remove the drain from the app of the restarter: see `heroku drains` and \
                 `heroku drains:remove`"
            );
        }
        is_known || is_own_log
    }
}

/// Whether this is what Heroku calls a drain: `d.` and an id. Anything else must not be written into the log.
fn is_token(token: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    token.len() <= 64 && token.starts_with("d.") && token.bytes().all(is_valid)
}
