//! Which dynos are in trouble: those that are reported often enough within a while. One spike is not a leak.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::symptom::{CauseKind, Symptom};
use crate::heroku::{DynoName, LONGEST_LIFE};

/// How many complaints of how many dynos are kept track of. An app has about a hundred dynos of a type at the most.
const MOST: usize = 1_000;

/// How long it is no news that a dyno is still in trouble. What is done about it each pass reports.
const SILENCE: Duration = Duration::from_secs(10 * 60);

/// So many reports of one dyno within the window, and it is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// How many reports.
    pub reports: NonZeroUsize,
    /// How far back reports count.
    pub window: Duration,
}

/// A dyno is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// When the first of the reports that count was made. A dyno that was started after that is another process, of which
    /// some of these reports are not.
    pub(super) since: Timestamp,
    /// Whether that was not said lately.
    pub(super) is_news: bool,
}

/// The reports of an app's dynos.
#[derive(Debug, Default)]
pub(super) struct TroubleDetector {
    reports: BTreeMap<(DynoName, CauseKind), Reports>,
    /// There is no room for another one until then.
    full_until: Option<Timestamp>,
}

/// Of one dyno.
#[derive(Debug, Default)]
struct Reports {
    /// When, in order.
    times: Vec<Timestamp>,
    /// What is not later than this has had its effect.
    done: Option<Timestamp>,
    told_at: Option<Instant>,
}

impl TroubleDetector {
    /// A report; whether it is the one too many. They count anew from then on.
    pub(super) fn record(&mut self, symptom: &Symptom, threshold: Threshold) -> Option<Trouble> {
        let Symptom { ref dyno, at, cause } = *symptom;
        let key = (dyno.clone(), cause.kind());
        if self.reports.len() >= MOST && !self.reports.contains_key(&key) && !self.make_room(at, threshold.window) {
            return None;
        }
        let reports = self.reports.entry(key).or_default();
        let since = reports.add(at, threshold)?;
        Some(Trouble { since, is_news: reports.is_news() })
    }

    /// Whether there are dynos of which reports cannot be counted.
    pub(super) fn is_full(&self) -> bool {
        self.full_until.is_some()
    }

    /// Forgets those of which nothing was heard within the window. Whoever floods the log with names must not push out the
    /// dynos that there are.
    fn make_room(&mut self, now: Timestamp, window: Duration) -> bool {
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        let window = window.min(LONGEST_LIFE);
        let is_quiet = |reports: &Reports| reports.latest().is_none_or(|latest| latest + window < now);
        self.reports.retain(|_, reports| !is_quiet(reports));
        let first_quiet = self.reports.values().filter_map(Reports::latest).min().map(|latest| latest + window);
        self.full_until = first_quiet.filter(|_| self.reports.len() >= MOST);
        self.full_until.is_none()
    }
}

impl Reports {
    fn add(&mut self, at: Timestamp, Threshold { reports, window }: Threshold) -> Option<Timestamp> {
        if self.done.is_some_and(|done| at <= done) {
            return None;
        }
        // Lines may overtake each other, and an app may have two drains that bring the same. Heroku tells the time to the
        // microsecond, so that two reports of the same time are one.
        match self.times.binary_search(&at) {
            Ok(_) => return None,
            Err(place) => self.times.insert(place, at),
        }
        let latest = *self.times.last()?;
        self.times.retain(|time| latest.duration_since(*time).unsigned_abs() <= window);
        let first = *self.times.get(self.times.len().checked_sub(reports.get())?)?;
        self.done = Some(latest);
        self.times.clear();
        Some(first)
    }

    fn is_news(&mut self) -> bool {
        let is_news = self.told_at.is_none_or(|at| at.elapsed() >= SILENCE);
        if is_news {
            self.told_at = Some(Instant::now());
        }
        is_news
    }

    fn latest(&self) -> Option<Timestamp> {
        self.times.last().copied().max(self.done)
    }
}
