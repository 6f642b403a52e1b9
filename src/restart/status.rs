//! What there is to say of an app now: its dynos, the pass under way, holds. Plain data, for a page and for scripts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fleet::elapsed;
use super::past_passes::DynoRecord;
use crate::heroku::{AppName, DynoName, ProcessType};
use crate::util::text::human;

/// An app as the restarter sees it.
#[derive(Clone, Debug, Serialize)]
pub struct AppStatus {
    /// Its name.
    pub app: AppName,
    /// When its dynos were listed last, by our clock.
    pub looked_at: Option<Timestamp>,
    /// Its dynos, as that list shows them.
    pub dynos: Vec<DynoStatus>,
    /// With a database, who makes the passes.
    pub turn: Option<TurnStatus>,
    /// What that process is called, as far as it is known.
    pub turn_holder: Option<String>,
    /// Why no restarter can make passes, although the database answers.
    pub turn_problem: Option<String>,
    /// The pass under way.
    pub pass: Option<PassStatus>,
    /// The alerts that wait for the next pass.
    pub waiting: Option<WaitingAlerts>,
    /// Calls to Heroku that failed since the last good answer.
    pub trouble: Option<Trouble>,
    /// The dynos that put automatic restarts on hold.
    pub holds: Vec<HoldStatus>,
    /// The dynos that are left alone because restarts do not help.
    pub given_up: Vec<GivenUp>,
    /// What happened to its dynos in the last 24 hours, as far as it was seen, oldest first.
    pub events: Vec<DynoEvent>,
    /// How many API calls the account had left when its dynos were listed, for the metrics.
    #[serde(skip)]
    pub calls_left: Option<u32>,
}

/// Who makes the passes over an app, of several restarters with one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// This process.
    Ours,
    /// Another process, or nobody yet.
    Others,
    /// This process, without the database: it knows of no other that does.
    Alone,
    /// It is not known, because the database does not answer.
    DatabaseAway,
    /// It cannot be read or written, although the database answers.
    Unknown,
}

/// The database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseStatus {
    /// Whether it answered within the last half minute.
    pub answers: bool,
    /// When it answered last: what is known of other replicas is of this time.
    pub answered_at: Option<Timestamp>,
    /// Why it cannot be written, although it answers, and what to do.
    pub problem: Option<String>,
    /// Whether this process makes passes without it.
    pub acts_alone: bool,
    /// The alerts that are in memory only.
    pub unwritten_alerts: u64,
    /// The reports on passes that are in memory only.
    pub unwritten_passes: usize,
}

/// A dyno.
#[derive(Clone, Debug, Serialize)]
pub struct DynoStatus {
    /// Its name.
    pub name: DynoName,
    /// Its process type.
    pub process_type: ProcessType,
    /// Its size, such as `Standard-1X`, if the list has it.
    pub size: Option<String>,
    /// Its state, in Heroku's word.
    pub state: String,
    /// When its process began, by Heroku's clock.
    pub began_at: Option<Timestamp>,
    /// How old its process is now, in seconds.
    pub age_seconds: Option<u64>,
    /// Whether its process type is watched.
    pub is_watched: bool,
    /// Whether an alert that arrives now would restart it.
    pub is_due: bool,
    /// Why it would not.
    pub reason: Option<String>,
}

/// A pass under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PassStatus {
    /// When it began, by our clock.
    pub began_at: Timestamp,
    /// How many alerts it answers.
    pub alerts: u64,
    /// What they asked for.
    pub asked: String,
    /// Whether any of them asked for it with force.
    pub forced: bool,
    /// What became of the dynos so far.
    pub dynos: Vec<DynoRecord>,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a pass waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// These dynos were restarted and are not up yet.
    Boot(BTreeMap<DynoName, Booting>),
    /// Fewer dynos run than when the pass began, and not because of us.
    MissingDynos {
        /// Since when.
        since: Timestamp,
        /// When the pass ends if none comes up.
        until: Timestamp,
    },
    /// The dyno that came up last settles.
    SettleTime {
        /// When the next one is restarted.
        until: Timestamp,
    },
    /// An answer of Heroku.
    Heroku,
}

/// A dyno that was restarted and is not up yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Booting {
    /// When it was restarted.
    pub since: Timestamp,
    /// When `BOOT_TIMEOUT` is over.
    pub until: Timestamp,
}

/// Alerts that wait for the next pass.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WaitingAlerts {
    /// How many.
    pub alerts: u64,
    /// What they asked for.
    pub asked: String,
}

/// Calls to Heroku that fail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trouble {
    /// The last error.
    pub error: String,
    /// What a person should do about it, if anything.
    pub remedy: Option<String>,
    /// Whether the same call may succeed later.
    #[serde(default)]
    pub is_transient: bool,
    /// When the first call failed.
    pub since: Timestamp,
    /// When the next call is made, if one is planned.
    pub next_call: Option<Timestamp>,
    /// When the pass gives up.
    pub gives_up_at: Option<Timestamp>,
}

/// A dyno that was restarted by us and is not up.
#[derive(Clone, Debug, Serialize)]
pub struct HoldStatus {
    /// The dyno.
    pub dyno: DynoName,
    /// When it was restarted.
    pub restarted_at: Timestamp,
    /// What is wrong with it, as far as it is known.
    pub failure: Option<String>,
    /// When alerts count again at the latest.
    pub until: Timestamp,
}

/// A dyno that was restarted too often.
#[derive(Clone, Debug, Serialize)]
pub struct GivenUp {
    /// The dyno.
    pub dyno: DynoName,
    /// When alerts count again.
    pub until: Timestamp,
}

/// Something that happened to a dyno.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DynoEvent {
    /// When.
    pub at: Timestamp,
    /// The dyno.
    pub dyno: DynoName,
    /// What.
    pub what: WhatHappened,
    /// With a database, which restarter restarted it.
    #[serde(default)]
    pub by: Option<String>,
}

/// What happened to a dyno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhatHappened {
    /// A new process began, whoever asked for it.
    Began,
    /// Heroku accepted a restart that we asked for.
    Restarted,
    /// It did not come up after our restart, or is down again.
    Failed,
}

impl WaitsFor {
    /// In words; `clock` writes a time, and `now` is the time of the reader.
    pub fn text(&self, now: Timestamp, clock: impl Fn(Timestamp) -> String) -> String {
        let of = |since: Timestamp, until: Timestamp| {
            let seconds = Duration::from_secs(elapsed(since, now).as_secs());
            format!("{} of {}", human(seconds), human(elapsed(since, until)))
        };
        match self {
            Self::Boot(dynos) => {
                let booting = |(dyno, Booting { since, until }): (&DynoName, &Booting)| {
                    format!("{dyno} has been booting since {}, {}", clock(*since), of(*since, *until))
                };
                dynos.iter().map(booting).collect::<Vec<_>>().join("; ")
            }
            Self::MissingDynos { since, until } => {
                format!("too few dynos are up for the next restart, since {}, {}", clock(*since), of(*since, *until))
            }
            Self::SettleTime { until } => format!("the dyno that came up last settles until {}", clock(*until)),
            Self::Heroku => "an answer of Heroku".to_owned(),
        }
    }
}

impl fmt::Display for HoldStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            Some(failure) => write!(f, "{} is not up after its restart: {failure}", self.dyno),
            None => write!(f, "{} was restarted and not seen up", self.dyno),
        }
    }
}
