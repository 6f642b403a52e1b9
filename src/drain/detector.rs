//! Decides which dynos are in trouble: those with enough reports within a time window. One spike is not a leak.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::settings::Threshold;
use super::status::CountedReports;
use super::symptom::{CauseKind, Symptom};
use crate::heroku::{DynoName, LONGEST_LIFE};
use crate::store::StoredReports;
use crate::util::ordered::CollectOrdered;

/// How many dynos are tracked, each kind of problem counted separately. An app has at most about a hundred dynos of a
/// type.
const MAX_TRACKED: usize = 1_000;

/// How often the log repeats that a dyno is in trouble. The report of each pass says what the service does about it.
const NEWS_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// A dyno is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The time of the first report that counted. If the dyno's process started later, then at least that report is
    /// about the process before.
    pub(super) since: Timestamp,
    /// Whether the log should say so: it has not for [`NEWS_INTERVAL`].
    pub(super) is_news: bool,
}

/// What came of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// The threshold is reached.
    Reached(Trouble),
    /// So many reports count now, fewer than the threshold.
    Counted(usize),
    /// It was counted before, or there is no room for one more dyno.
    Ignored,
}

/// Counts the reports of an app's dynos.
#[derive(Debug, Default)]
pub(super) struct TroubleDetector {
    tracked: BTreeMap<(DynoName, CauseKind), Reports>,
    /// Until then, there is no room for another dyno.
    full_until: Option<Timestamp>,
}

/// The reports of one kind about one dyno.
#[derive(Debug, Default)]
struct Reports {
    /// The times of those that count, in order.
    times: Vec<Timestamp>,
    /// The time of the last report when the threshold was last reached. Reports up to then no longer count.
    done: Option<Timestamp>,
    logged_at: Option<Instant>,
}

impl TroubleDetector {
    /// Records a report. Once the threshold is reached, the count begins anew.
    pub(super) fn record(&mut self, symptom: &Symptom, threshold: Threshold) -> Recorded {
        let Symptom { ref dyno, at, cause } = *symptom;
        let key = (dyno.clone(), cause.kind());
        if self.tracked.len() >= MAX_TRACKED
            && !self.tracked.contains_key(&key)
            && !self.make_room(at, threshold.window)
        {
            return Recorded::Ignored;
        }
        self.tracked.entry(key).or_default().add(at, threshold)
    }

    /// The reports that count now, of each dyno.
    pub(super) fn counted(&self, threshold: Threshold, now: Timestamp) -> Vec<CountedReports> {
        let counted = |((dyno, kind), reports): (&(DynoName, CauseKind), &Reports)| {
            let in_window = |at: &&Timestamp| now.duration_since(**at).unsigned_abs() <= threshold.window;
            let count = reports.times.iter().filter(in_window).count();
            (count > 0).then(|| CountedReports { dyno: dyno.clone(), what: kind.word(), count })
        };
        self.tracked.iter().filter_map(counted).collect()
    }

    /// Adds what other replicas counted.
    pub(super) fn add_stored(&mut self, stored: Vec<StoredReports>) {
        for StoredReports { dyno, kind, times, done } in stored {
            let kind = [CauseKind::Error, CauseKind::Memory].into_iter().find(|known| known.word() == kind);
            let Some(key) = DynoName::parse(&dyno).zip(kind) else { continue };
            if self.tracked.len() >= MAX_TRACKED && !self.tracked.contains_key(&key) {
                continue;
            }
            let time = |microseconds| Timestamp::from_microsecond(microseconds).ok();
            let reports = self.tracked.entry(key).or_default();
            reports.done = reports.done.max(done.and_then(time));
            // What led to a restart does not count again.
            let times = reports.times.iter().copied().chain(times.into_iter().filter_map(time));
            let counting: BTreeSet<Timestamp> =
                times.filter(|at| reports.done.is_none_or(|done| *at > done)).collect_ordered();
            reports.times = counting.into_iter().collect();
        }
    }

    /// What is counted of these dynos, for other replicas.
    pub(super) fn stored(&self, dynos: &BTreeSet<&DynoName>) -> Vec<StoredReports> {
        let stored = |((dyno, kind), reports): (&(DynoName, CauseKind), &Reports)| StoredReports {
            dyno: dyno.as_str().to_owned(),
            kind: kind.word().to_owned(),
            times: reports.times.iter().map(|at| at.as_microsecond()).collect(),
            done: reports.done.map(Timestamp::as_microsecond),
        };
        self.tracked.iter().filter(|((dyno, _), _)| dynos.contains(dyno)).map(stored).collect()
    }

    /// Whether reports of some dynos are ignored because there is no room for them.
    pub(super) fn is_full(&self) -> bool {
        self.full_until.is_some()
    }

    /// Forgets the dynos without a report in the window; returns whether there is room then. It never drops others: a
    /// flood of false names must not push out real dynos.
    fn make_room(&mut self, now: Timestamp, window: Duration) -> bool {
        if self.full_until.is_some_and(|until| now < until) {
            return false;
        }
        let window = window.min(LONGEST_LIFE);
        let is_quiet = |reports: &Reports| reports.latest().is_none_or(|latest| latest + window < now);
        self.tracked.retain(|_, reports| !is_quiet(reports));
        let first_quiet = self.tracked.values().filter_map(Reports::latest).min().map(|latest| latest + window);
        self.full_until = first_quiet.filter(|_| self.tracked.len() >= MAX_TRACKED);
        self.full_until.is_none()
    }
}

impl Reports {
    fn add(&mut self, at: Timestamp, Threshold { reports, window }: Threshold) -> Recorded {
        if self.done.is_some_and(|done| at <= done) {
            return Recorded::Ignored;
        }
        // Lines may arrive out of order, and an app may have two drains that deliver the same lines. Heroku's
        // timestamps have microseconds, so two reports with the same time are the same report.
        match self.times.binary_search(&at) {
            Ok(_) => return Recorded::Ignored,
            Err(place) => self.times.insert(place, at),
        }
        let latest = self.times.last().copied().unwrap_or(at);
        self.times.retain(|time| latest.duration_since(*time).unsigned_abs() <= window);
        let first = self.times.len().checked_sub(reports.get()).and_then(|place| self.times.get(place).copied());
        let Some(since) = first else { return Recorded::Counted(self.times.len()) };
        self.done = Some(latest);
        self.times.clear();
        Recorded::Reached(Trouble { since, is_news: self.is_news() })
    }

    fn is_news(&mut self) -> bool {
        let is_news = self.logged_at.is_none_or(|at| at.elapsed() >= NEWS_INTERVAL);
        if is_news {
            self.logged_at = Some(Instant::now());
        }
        is_news
    }

    fn latest(&self) -> Option<Timestamp> {
        self.times.last().copied().max(self.done)
    }
}
