//! What there is to say of an app now: its dynos, the pass under way, holds. Plain data, for a page and for scripts.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::fleet::{Look, elapsed};
use super::history::History;
use super::policy::Policy;
use super::report::{Failure, Outcome, Skip};
use super::report_text::outcomes;
use super::rollout::Rollout;
use super::target::{MergedTarget, Target, When};
use crate::heroku::{AppName, DynoName, Error, ProcessType};
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
    /// What happened to its dynos in the last 24 hours, as far as it was seen, in the order in which it was seen.
    pub events: VecDeque<DynoEvent>,
}

/// Who makes the passes over an app, of several restarters with one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// This process.
    Ours,
    /// Another process, or nobody yet.
    Others,
    /// It is not known, because the database does not answer.
    DatabaseAway,
}

/// A dyno.
#[derive(Clone, Debug, Serialize)]
pub struct DynoStatus {
    /// Its name.
    pub name: DynoName,
    /// Its process type.
    pub process_type: ProcessType,
    /// Its size, such as `Standard-1X`, if the list tells it.
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
#[derive(Clone, Debug, Serialize)]
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
    #[serde(serialize_with = "outcomes")]
    pub dynos: BTreeMap<DynoName, Outcome>,
    /// What it waits for.
    pub waits_for: WaitsFor,
}

/// What a pass waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Booting {
    /// When it was restarted.
    pub since: Timestamp,
    /// When `BOOT_TIMEOUT` is over.
    pub until: Timestamp,
}

/// Alerts that wait for the next pass.
#[derive(Clone, Debug, Serialize)]
pub struct WaitingAlerts {
    /// How many.
    pub alerts: u64,
    /// What they asked for.
    pub asked: String,
}

/// Calls to Heroku that fail.
#[derive(Clone, Debug, Serialize)]
pub struct Trouble {
    /// The last error.
    pub error: String,
    /// What a person should do about it; `None` where waiting helps.
    pub remedy: Option<String>,
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
#[derive(Clone, Debug, Serialize)]
pub struct DynoEvent {
    /// When.
    pub at: Timestamp,
    /// The dyno.
    pub dyno: DynoName,
    /// What.
    pub what: WhatHappened,
}

/// What happened to a dyno.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WhatHappened {
    /// A new process began, whoever asked for it.
    Began,
    /// Heroku accepted a restart that we asked for.
    Restarted,
    /// It did not come up after our restart, or is down again.
    Failed,
}

/// How many events of an app are kept.
const MOST_EVENTS: usize = 1_000;

/// How long they are kept.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What an app's task knows. The task writes it; whoever asks for the status reads it.
#[derive(Debug, Default)]
pub(super) struct View {
    look: Option<Look>,
    history: History,
    rollout: Option<Rollout>,
    trouble: Option<Trouble>,
    events: VecDeque<DynoEvent>,
    /// When the process of each dyno began that was seen last.
    began: BTreeMap<DynoName, Timestamp>,
}

impl View {
    /// Something happened to a dyno.
    pub(super) fn happened(&mut self, dyno: &DynoName, what: WhatHappened, at: Timestamp) {
        while self.events.len() == MOST_EVENTS || self.events.front().is_some_and(|old| at.duration_since(old.at) > DAY)
        {
            self.events.pop_front();
        }
        self.events.push_back(DynoEvent { at, dyno: dyno.clone(), what });
    }

    /// Notices the processes that are new in a list.
    fn compare(&mut self, look: &Look) {
        let began: BTreeMap<_, _> =
            look.dynos.iter().filter_map(|dyno| Some((dyno.name.clone(), dyno.created_at?))).collect();
        for (dyno, at) in &began {
            if self.began.get(dyno) != Some(at) && look.at.duration_since(*at) < DAY {
                self.happened(dyno, WhatHappened::Began, *at);
            }
        }
        self.began = began;
    }

    /// The app was looked at, apart from a pass.
    pub(super) fn looked(&mut self, look: &Look, history: &History) {
        self.compare(look);
        (self.look, self.history, self.trouble) = (Some(look.clone()), history.clone(), None);
    }

    /// Another process makes the passes, and remembers this.
    pub(super) fn learned(&mut self, history: &History) {
        self.history = history.clone();
    }

    /// Why the last call failed, if it did.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// A call failed.
    pub(super) fn failed(&mut self, error: &Error, at: Timestamp) {
        let since = self.trouble.as_ref().map_or(at, |trouble| trouble.since);
        let remedy = error.remedy().map(str::to_owned);
        self.trouble = Some(Trouble { error: error.to_string(), remedy, since, next_call: None, gives_up_at: None });
    }

    /// A call succeeded.
    pub(super) fn answered(&mut self) {
        self.trouble = None;
    }

    /// A pass has made a step, and acts again at this time.
    pub(super) fn stepped(&mut self, rollout: &Rollout, next: Option<Timestamp>) {
        if let Some(trouble) = &mut self.trouble {
            (trouble.next_call, trouble.gives_up_at) = (next, next.map(|next| rollout.gives_up_at(next)));
        }
        if let Some(look) = rollout.last_look() {
            self.compare(look);
        }
        self.rollout = Some(rollout.clone());
    }

    /// The pass is over.
    pub(super) fn passed(&mut self, look: Option<&Look>, history: &History) {
        self.rollout = None;
        if let Some(trouble) = &mut self.trouble {
            (trouble.next_call, trouble.gives_up_at) = (None, None);
        }
        self.history = history.clone();
        self.look = look.cloned().or(self.look.take());
    }

    /// The status of the app.
    pub(super) fn status(
        &self,
        app: &AppName,
        policy: &Policy,
        waiting: Option<WaitingAlerts>,
        turn: Option<TurnStatus>,
        now: Timestamp,
    ) -> AppStatus {
        let rollout = self.rollout.as_ref();
        let look = rollout.and_then(Rollout::last_look).or(self.look.as_ref());
        let history = rollout.map_or(&self.history, Rollout::history);
        let window = policy.give_up_after.window;
        let holds = history.on_hold().map(|our| HoldStatus {
            dyno: our.record.name.clone(),
            restarted_at: our.restarted_at,
            failure: our.failure().map(Failure::to_string),
            until: our.restarted_at.saturating_add(window).unwrap_or(our.restarted_at),
        });
        // A dyno that boots within a pass is in order.
        let holds = holds.filter(|hold| rollout.is_none() || hold.failure.is_some()).collect();
        let dynos = look.map(|look| dynos(look, history, policy, rollout.is_some(), now)).unwrap_or_default();
        let given_up = dynos.iter().filter_map(|dyno| {
            let until = history.given_up_until(&dyno.name, now, policy)?;
            Some(GivenUp { dyno: dyno.name.clone(), until })
        });
        AppStatus {
            app: app.clone(),
            looked_at: look.map(|look| look.answered),
            given_up: given_up.collect(),
            dynos,
            turn,
            pass: rollout.map(Rollout::progress),
            waiting,
            trouble: self.trouble.clone(),
            events: self.events.clone(),
            holds,
        }
    }
}

/// What would become of each dyno for an alert that arrives now.
fn dynos(look: &Look, history: &History, policy: &Policy, is_busy: bool, now: Timestamp) -> Vec<DynoStatus> {
    let mut asked = MergedTarget::default();
    asked.merge(Target::all(When::Now), false, now, policy.min_age);
    let mut outcomes = policy.judge_all(look, &asked, history);
    let platform_now = look.by_platform_clock(now);
    let status = |dyno: &crate::heroku::Dyno| {
        let outcome = outcomes.remove(&dyno.name).unwrap_or(Outcome::Skipped(Skip::NotWatched));
        DynoStatus {
            name: dyno.name.clone(),
            process_type: dyno.process_type.clone(),
            size: dyno.size.clone(),
            state: dyno.state.to_string(),
            began_at: dyno.created_at,
            age_seconds: dyno.created_at.map(|began| elapsed(began, platform_now).as_secs()),
            is_watched: policy.process_types.contains(&dyno.process_type),
            is_due: outcome == Outcome::Due,
            reason: match outcome {
                Outcome::Skipped(Skip::Held(_)) if is_busy => Some("a pass is under way".to_owned()),
                Outcome::Skipped(skip) => Some(skip.to_string()),
                _ => None,
            },
        }
    };
    look.dynos.iter().map(status).collect()
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
                    format!("{dyno} is booting since {}, {}", clock(*since), of(*since, *until))
                };
                dynos.iter().map(booting).collect::<Vec<_>>().join("; ")
            }
            Self::MissingDynos { since, until } => {
                format!("dynos that ran when the pass began are not up since {}, {}", clock(*since), of(*since, *until))
            }
            Self::SettleTime { until } => format!("the dyno that came up last settles until {}", clock(*until)),
            Self::Heroku => "an answer of Heroku".to_owned(),
        }
    }
}

impl fmt::Display for HoldStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.failure {
            Some(failure) => write!(f, "{} is not up since its restart: {failure}", self.dyno),
            None => write!(f, "{} was restarted and not seen up", self.dyno),
        }
    }
}
