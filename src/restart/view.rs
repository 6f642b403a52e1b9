//! What the task of an app knows, and what the holder of the turn publishes: the status of the app is made of it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::event::{Action, Note};
use super::fleet::{Look, elapsed};
use super::history::History;
use super::policy::Policy;
use super::report::{End, Failure, Outcome, Report, Skip};
use super::rollout::Rollout;
use super::status::{
    AppStatus, DynoEvent, DynoStatus, GivenUp, HoldStatus, PassStatus, Trouble, TurnStatus, WaitingAlerts, WhatHappened,
};
use super::target::{MergedTarget, Target, When};
use super::turn::TurnNow;
use crate::heroku::{AppName, DynoName, Error};
use crate::util::ordered::CollectOrdered;

/// How many events of an app are kept.
const MOST_EVENTS: usize = 1_000;

/// What to do when Heroku refuses a restart and the reason is not one that a person can fix.
const BY_HAND: &str = "restart the dynos by hand, with `heroku ps:restart`";

/// How long events are kept.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What the holder of a turn publishes: what it sees and does.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HolderStatus {
    /// The list that it saw last.
    look: Option<Look>,
    pass: Option<PassStatus>,
    waiting: Option<WaitingAlerts>,
    trouble: Option<Trouble>,
    /// What happened to the dynos in the last 24 hours.
    #[serde(default)]
    events: Vec<DynoEvent>,
}

/// What an app's task knows. The task writes it; whoever asks for the status reads it.
#[derive(Debug, Default)]
pub(super) struct View {
    look: Option<Look>,
    history: History,
    rollout: Option<Rollout>,
    trouble: Option<Trouble>,
    /// Heroku lists the dynos, and refused to restart one.
    refused: Option<Trouble>,
    /// What the holder of the turn published last, if that is another process.
    holder: Option<HolderStatus>,
    events: Vec<DynoEvent>,
    /// When the process of each dyno began that was seen last.
    began: BTreeMap<DynoName, Timestamp>,
}

impl View {
    /// Something happened to a dyno.
    fn happened(&mut self, dyno: &DynoName, what: WhatHappened, at: Timestamp) {
        self.add_events([DynoEvent { at, dyno: dyno.clone(), what, by: None }], at);
    }

    /// Heroku accepted a restart that this process, as other replicas call it, asked for.
    pub(super) fn restarted(&mut self, dyno: &DynoName, by: Option<&str>, at: Timestamp) {
        self.refused = None;
        let (what, by) = (WhatHappened::Restarted, by.map(str::to_owned));
        self.add_events([DynoEvent { at, dyno: dyno.clone(), what, by }], at);
    }

    /// Adds what happened, here or as other processes saw it.
    pub(super) fn add_events(&mut self, events: impl IntoIterator<Item = DynoEvent>, now: Timestamp) {
        self.events.extend(events);
        self.events.sort();
        self.events.dedup();
        self.events.retain(|event| now.duration_since(event.at) <= DAY);
        let too_many = self.events.len().saturating_sub(MOST_EVENTS);
        self.events.drain(..too_many);
    }

    /// Whether something in it is too old to be shown.
    pub(super) fn has_old_events(&self, now: Timestamp) -> bool {
        self.events.first().is_some_and(|event| now.duration_since(event.at) > DAY)
    }

    /// What was done with the dynos since then.
    pub(super) fn done_since(&self, since: Timestamp) -> Vec<DynoEvent> {
        let is_done = |event: &&DynoEvent| event.at >= since && event.what != WhatHappened::Began;
        self.events.iter().filter(is_done).cloned().collect()
    }

    /// The latest restart of each dyno, with its time and the replica that made it, where that is known.
    pub(super) fn latest_restarts(&self) -> BTreeMap<DynoName, (Timestamp, String)> {
        let restart = |event: &DynoEvent| Some((event.dyno.clone(), (event.at, event.by.clone()?)));
        self.events.iter().filter_map(restart).collect_ordered()
    }

    /// Notices the processes that are new in a list.
    fn compare(&mut self, look: &Look) {
        let began: BTreeMap<_, _> =
            look.dynos.iter().filter_map(|dyno| Some((dyno.name.clone(), dyno.created_at?))).collect_ordered();
        for (dyno, at) in &began {
            if self.began.get(dyno) != Some(at) && look.at.duration_since(*at) < DAY {
                self.happened(dyno, WhatHappened::Began, *at);
            }
        }
        self.began = began;
    }

    /// The app was looked at, apart from a pass. What is remembered of it is `None` if another process knows better.
    pub(super) fn looked(&mut self, look: &Look, history: Option<&History>) {
        self.compare(look);
        (self.look, self.trouble) = (Some(look.clone()), None);
        if let Some(history) = history {
            self.history = history.clone();
        }
    }

    /// Another process makes the passes. This is what it remembers, and its status.
    pub(super) fn learned(&mut self, history: Option<&History>, holder: Option<HolderStatus>, now: Timestamp) {
        if let Some(history) = history {
            self.history = history.clone();
        }
        if let Some(holder) = &holder {
            self.add_events(holder.events.iter().cloned(), now);
        }
        if let Some(look) = holder.as_ref().and_then(|holder| holder.look.as_ref()) {
            self.compare(look);
        }
        self.holder = holder;
    }

    /// This process makes the passes, and knows better than the last holder of the turn.
    pub(super) fn forget_holder(&mut self) {
        self.holder = None;
    }

    /// What this process sees and does.
    pub(super) fn holder_status(&self, waiting: Option<WaitingAlerts>) -> HolderStatus {
        let look = self.rollout.as_ref().and_then(Rollout::last_look).or(self.look.as_ref()).cloned();
        let pass = self.rollout.as_ref().map(Rollout::progress);
        HolderStatus { look, pass, waiting, trouble: self.trouble().cloned(), events: self.events.clone() }
    }

    /// Why the last call failed, if it did.
    pub(super) fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref().or(self.refused.as_ref())
    }

    /// A call failed.
    pub(super) fn failed(&mut self, error: &Error, at: Timestamp) {
        let since = self.trouble.as_ref().map_or(at, |trouble| trouble.since);
        self.trouble = Some(trouble(error, error.remedy(), since));
    }

    /// A pass ended because Heroku refused to restart a dyno: that is shown until a restart is accepted, or seen to have happened.
    fn note_refusal(&mut self, report: &Report, at: Timestamp) {
        match &report.end {
            Some(End::Api(error)) if !error.is_transient() && report.was_refused() => {
                let since = self.refused.as_ref().map_or(at, |refused| refused.since);
                self.refused = Some(trouble(error, error.remedy().or(Some(BY_HAND)), since));
            }
            _ if report.dynos.values().any(|outcome| matches!(outcome, Outcome::Restarted { .. })) => {
                self.refused = None;
            }
            _ => {}
        }
    }

    /// A call succeeded.
    pub(super) fn answered(&mut self) {
        self.trouble = None;
    }

    /// A person is told this.
    pub(super) fn noted(&mut self, notes: &[Note], now: Timestamp) {
        for note in notes {
            match note {
                Note::Hold(dyno, _) => self.happened(dyno, WhatHappened::Failed, now),
                Note::Retry(error @ Error::TooLate { .. }, _) => self.failed(error, now),
                _ => {}
            }
        }
    }

    /// A pass has made a step, with these notes, and does this next.
    pub(super) fn stepped(&mut self, rollout: &Rollout, notes: &[Note], action: &Action, now: Timestamp) {
        self.noted(notes, now);
        let next = if let Action::WaitUntil(time) = action { Some(*time) } else { None };
        if let Some(trouble) = &mut self.trouble {
            (trouble.next_call, trouble.gives_up_at) = (next, next.map(|next| rollout.gives_up_at(next)));
        }
        if let Some(look) = rollout.last_look() {
            self.compare(look);
        }
        self.rollout = Some(rollout.clone());
        if let Action::Done(report) = action {
            self.note_refusal(report, now);
        }
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

    /// The status of the app. What the holder of the turn published is shown until this process has the turn or acts, or sees
    /// something newer while the database does not answer. `is_over` says whether the pass that began then is over: reports may be
    /// a second newer than what the holder published.
    pub(super) fn status(
        &self,
        app: &AppName,
        policy: &Policy,
        waiting: Option<WaitingAlerts>,
        turn: Option<TurnNow>,
        now: Timestamp,
        is_over: impl Fn(Timestamp) -> bool,
    ) -> AppStatus {
        let own = self.holder_status(waiting);
        let TurnNow { status: turn, holder: turn_holder, problem: turn_problem } = turn.unwrap_or_default();
        let answered = |status: &HolderStatus| status.look.as_ref().map(|look| look.answered);
        let shown = match (&self.holder, turn) {
            (Some(holder), Some(TurnStatus::Others | TurnStatus::Unknown)) => HolderStatus {
                look: holder.look.clone().or(own.look),
                waiting: holder.waiting.clone().or(own.waiting),
                ..holder.clone()
            },
            (Some(holder), Some(TurnStatus::DatabaseAway | TurnStatus::Alone))
                if own.pass.is_none() && answered(&own) < answered(holder) =>
            {
                HolderStatus { look: holder.look.clone(), pass: holder.pass.clone(), ..own }
            }
            _ => own,
        };
        let HolderStatus { look, pass, waiting, trouble, events } = shown;
        let pass = pass.filter(|pass| !is_over(pass.began_at));
        let history = self.rollout.as_ref().map_or(&self.history, Rollout::history);
        let window = policy.give_up_after.window;
        let holds = history.on_hold().map(|our| HoldStatus {
            dyno: our.record.name.clone(),
            restarted_at: our.restarted_at,
            failure: our.failure().map(Failure::to_string),
            until: our.restarted_at.saturating_add(window).unwrap_or(our.restarted_at),
        });
        // A dyno that boots within a pass is in order.
        let holds = holds.filter(|hold| pass.is_none() || hold.failure.is_some()).collect();
        let dynos = look.as_ref().map(|look| dynos(look, history, policy, pass.is_some(), now)).unwrap_or_default();
        let given_up = dynos.iter().filter_map(|dyno| {
            let until = history.given_up_until(&dyno.name, now, policy)?;
            Some(GivenUp { dyno: dyno.name.clone(), until })
        });
        AppStatus {
            app: app.clone(),
            looked_at: look.as_ref().map(|look| look.answered),
            calls_left: look.as_ref().and_then(|look| look.allowance),
            given_up: given_up.collect(),
            dynos,
            turn,
            turn_holder,
            turn_problem,
            pass,
            waiting,
            trouble,
            events,
            holds,
        }
    }
}

/// No further call is planned yet.
fn trouble(error: &Error, remedy: Option<&str>, since: Timestamp) -> Trouble {
    let (is_transient, error, remedy) = (error.is_transient(), error.to_string(), remedy.map(str::to_owned));
    Trouble { error, remedy, is_transient, since, next_call: None, gives_up_at: None }
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
