//! The latest passes over an app, in words: those that this process made, and those that the database knows.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::{Outcome, Report};
use super::status::DynoEvent;
use super::turn::json;
use crate::heroku::{AppName, DynoName};
use crate::store::{Error, NewPass};

/// How many passes are kept of each app.
pub(super) const MOST: usize = 50;

/// How many of them restarted nothing. An alert may come every 20 s for days, and must not push out what was done.
pub(super) const MOST_IDLE: usize = 25;

/// A pass that is over, as the page and `/status` show it and the database keeps it. Another version of this program may have
/// written it, so it consists of words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassRecord {
    /// The app.
    pub app: AppName,
    /// When the pass began, by the clock of the process that made it.
    pub began_at: Timestamp,
    /// How long it took.
    pub took_seconds: u64,
    /// How many alerts it answers.
    pub alerts: u64,
    /// Who sent them: the names of the keys, the first few.
    pub senders: Vec<String>,
    /// How many API calls it made.
    #[serde(default)]
    pub calls: u32,
    /// What became of each dyno considered.
    pub dynos: Vec<DynoRecord>,
    /// Why it ended before its time, if it did.
    pub ended_early: Option<String>,
}

/// What became of a dyno.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DynoRecord {
    /// Its name.
    pub dyno: String,
    /// One word: see [`Outcome::word`].
    pub outcome: String,
    /// A phrase.
    pub detail: String,
}

/// A pass as the database keeps it.
#[derive(Debug, Serialize, Deserialize)]
struct Row<'a> {
    #[serde(flatten)]
    record: Cow<'a, PassRecord>,
    /// What happened to the dynos in this pass, for the picture of the last 24 hours.
    #[serde(default)]
    events: Vec<DynoEvent>,
}

/// The latest passes over an app.
#[derive(Debug, Default)]
pub(super) struct PastPasses {
    /// Oldest first.
    passes: VecDeque<PastPass>,
    /// The last row of the database that was read, or 0 if there was none. `None` before the first time.
    last_row: Option<i64>,
    /// Why the database cannot be read, if so.
    error: Option<Error>,
    /// How many of the rows could not be read.
    unreadable: usize,
}

/// A pass that is over.
#[derive(Debug)]
struct PastPass {
    record: Arc<PassRecord>,
    /// The report, if this process made it.
    report: Option<Arc<Report>>,
    /// What is to be written to the database, until it is.
    unwritten: Option<NewPass>,
}

/// The reports of which the database confirmed nothing yet.
#[derive(Debug)]
pub(super) struct Unwritten {
    pub(super) passes: Vec<NewPass>,
    records: Vec<Arc<PassRecord>>,
}

impl From<&Report> for PassRecord {
    fn from(report: &Report) -> Self {
        Self {
            app: report.app.clone(),
            began_at: report.began_at,
            took_seconds: report.took.as_secs(),
            alerts: report.alerts,
            senders: report.senders.iter().map(ToString::to_string).collect(),
            calls: report.calls,
            dynos: DynoRecord::all(&report.dynos),
            ended_early: report.end.as_ref().map(ToString::to_string),
        }
    }
}

impl DynoRecord {
    /// One for each of these dynos.
    pub(crate) fn all(dynos: &BTreeMap<DynoName, Outcome>) -> Vec<Self> {
        let record = |(dyno, outcome): (&DynoName, &Outcome)| Self {
            dyno: dyno.to_string(),
            outcome: outcome.word().to_owned(),
            detail: outcome.to_string(),
        };
        dynos.iter().map(record).collect()
    }
}

impl PassRecord {
    /// Whether nothing was done about any dyno.
    fn is_idle(&self) -> bool {
        self.dynos.iter().all(|dyno| ["skipped", "due"].contains(&dyno.outcome.as_str()))
    }
}

impl PastPasses {
    /// Adds a pass that this process made, with what happened in it. With a database, it is to be written there.
    pub(super) fn add(&mut self, report: &Arc<Report>, events: Vec<DynoEvent>, has_database: bool) {
        let record = PassRecord::from(&**report);
        let row = has_database.then(|| NewPass {
            restarted: !record.is_idle(),
            report: json(&Row { record: Cow::Borrowed(&record), events }),
        });
        self.push(PastPass { record: Arc::new(record), report: Some(Arc::clone(report)), unwritten: row });
    }

    /// Adds what the database has, oldest first; a report is `None` if it is too large. Returns what happened in the passes
    /// that are new here.
    pub(super) fn add_rows(&mut self, rows: Vec<(i64, Option<Value>)>) -> Vec<DynoEvent> {
        self.error = None;
        let mut news = Vec::new();
        self.last_row.get_or_insert(0);
        for (id, report) in rows {
            self.last_row = self.last_row.max(Some(id));
            let Some(Row { record, events }) = report.and_then(|report| serde_json::from_value(report).ok()) else {
                self.unreadable += 1;
                continue;
            };
            let is_known = |known: &&mut PastPass| known.record.began_at == record.began_at;
            if let Some(known) = self.passes.iter_mut().find(is_known) {
                known.unwritten = None;
                continue;
            }
            self.push(PastPass { record: Arc::new(record.into_owned()), report: None, unwritten: None });
            news.extend(events);
        }
        news
    }

    fn push(&mut self, pass: PastPass) {
        let place = self.passes.partition_point(|known| known.record.began_at <= pass.record.began_at);
        self.passes.insert(place, pass);
        let idle = self.passes.iter().filter(|pass| pass.record.is_idle()).count();
        if idle > MOST_IDLE || self.passes.len() > MOST {
            let oldest = self.passes.iter().position(|pass| idle <= MOST_IDLE || pass.record.is_idle());
            oldest.and_then(|oldest| self.passes.remove(oldest));
        }
    }

    /// They cannot be read from the database.
    pub(super) fn cannot_be_read(&mut self, error: Error) {
        self.error = Some(error);
    }

    /// The last row of the database that was read, or 0 if there was none. `None` before the first time.
    pub(super) fn last_row(&self) -> Option<i64> {
        self.last_row
    }

    /// Whether the pass that began then is over.
    pub(super) fn has(&self, began_at: Timestamp) -> bool {
        self.passes.iter().any(|pass| pass.record.began_at == began_at)
    }

    /// All of them, the latest first.
    pub(super) fn records(&self) -> Vec<Arc<PassRecord>> {
        self.passes.iter().rev().map(|pass| Arc::clone(&pass.record)).collect()
    }

    /// The reports on those that this process made, oldest first.
    pub(super) fn reports(&self) -> Vec<Arc<Report>> {
        self.passes.iter().filter_map(|pass| pass.report.clone()).collect()
    }

    /// How many are to be written to the database.
    pub(super) fn unwritten_count(&self) -> usize {
        self.passes.iter().filter(|pass| pass.unwritten.is_some()).count()
    }

    /// What is to be written to the database, oldest first.
    pub(super) fn unwritten(&self) -> Unwritten {
        let unwritten = self.passes.iter().filter_map(|pass| Some((pass.unwritten.clone()?, Arc::clone(&pass.record))));
        let (passes, records) = unwritten.unzip();
        Unwritten { passes, records }
    }

    /// These are written.
    pub(super) fn written(&mut self, written: &Unwritten) {
        for pass in &mut self.passes {
            if written.records.iter().any(|record| Arc::ptr_eq(record, &pass.record)) {
                pass.unwritten = None;
            }
        }
    }

    /// What of the past is missing here, and why, if so.
    pub(super) fn problem(&self) -> Option<String> {
        if let Some(error) = &self.error {
            return Some(format!(
                "Passes of other restarters and of before cannot be read: {error}. {}.",
                error.remedy()
            ));
        }
        let what = match self.unreadable {
            0 => return None,
            1 => "One pass in the database".to_owned(),
            count => format!("{count} passes in the database"),
        };
        Some(format!(
            "{what} cannot be shown: another version of the restarter wrote what this one cannot read, or it was changed by hand."
        ))
    }
}
