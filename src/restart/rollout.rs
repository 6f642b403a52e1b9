//! The decisions of a pass: which dyno next, wait, go on, stop. Pure: no I/O, no clock, no log.
//!
//! [`Rollout::step`] takes what happened and says what to do next; `pass` does it. The rules, and where to find them:
//!
//! 1. *A trigger is never dropped*: every dyno that was asked for is in the report ([`Rollout::choose`]).
//! 2. *Only the process that was in trouble*: `due`, and once more right before the restart (`restarting`).
//! 3. *In turn*: [`Rollout::next_restart`] and `fleet::Capacity`.
//! 4. *Stop on failure, and hold*: `history`, and [`Rollout::conclude`].
//! 5. *Give up when restarts do not help*: `due` and `history`.
//! 6. *An API in trouble does not lose the restart*: [`Rollout::looked`], [`Rollout::restart_answered`], `retry`.
//! 7. *SIGTERM*: [`Rollout::is_over`].

mod looking;
mod observing;
mod progress;
mod restarting;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Action, Event, Note};
use super::fleet::{Capacity, Look, elapsed};
use super::history::History;
use super::our_dyno::OurDyno;
use super::policy::Policy;
use super::report::{End, Outcome, Report, Skip};
use super::retry::Retry;
use super::target::MergedTarget;
use crate::heroku::{AppName, Dyno, DynoName, Error, ProcessType};
use crate::shutdown::GRACE;

/// A pass over one app. Plain data: it can be written down between two steps and read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    app: AppName,
    policy: Policy,
    asked: MergedTarget,
    alerts: u64,
    history: History,
    phase: Phase,
    began_at: Timestamp,
    /// Whether automatic restarts were paused when the pass began.
    #[serde(default)]
    began_on_hold: bool,
    /// The time of the last step, and so when the call under way began.
    now: Timestamp,
    /// What the last good look showed.
    look: Option<Look>,
    /// When to look next.
    look_at: Timestamp,
    /// How many lists in a row were empty.
    empty_lists: u32,
    /// Due and not restarted yet, in order. The first one is the one whose restart is asked for.
    due: VecDeque<Dyno>,
    capacity: BTreeMap<ProcessType, Capacity>,
    /// About which missing dynos the formation was asked last.
    asked_formation_about: BTreeMap<ProcessType, Missing>,
    /// The API answered that it does not know the first of the due dynos.
    not_found: Option<(DynoName, Error)>,
    /// No dyno is restarted before this: the one that came up last is settling, or the API asked for a pause.
    next_restart_at: Timestamp,
    stop_requested_at: Option<Timestamp>,
    retry: Retry,
    outcomes: BTreeMap<DynoName, Outcome>,
    end: Option<End>,
    calls: u32,
    restarts: u32,
    /// The latest restarts that replicas made, as far as this process knows: when, and by which replica.
    #[serde(skip)]
    known_restarts: BTreeMap<DynoName, (Timestamp, String)>,
    #[serde(skip)]
    notes: Vec<Note>,
}

/// How long after the answer to a look a restart may be asked for. Between the two is one write to the database, which takes
/// 2 s at most.
const LONGEST_AFTER_LOOK: Duration = Duration::from_secs(3);

/// When the service has to end, the dynos in flight are looked at once more, this long before the end.
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Dynos that are not listed, each with the number of times that the formation is to be asked about it.
type Missing = BTreeMap<DynoName, u64>;

/// How far a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// The dynos that are due are not chosen yet.
    Choosing,
    /// They are restarted in turn.
    Restarting,
    /// The API does not answer any more: what is in flight cannot be seen through.
    Blind,
}

impl Rollout {
    /// A pass for what `alerts` alerts asked for together.
    #[must_use]
    pub fn new(
        app: AppName,
        policy: Policy,
        asked: MergedTarget,
        alerts: u64,
        history: History,
        now: Timestamp,
    ) -> Self {
        let began_on_hold = history.on_hold().next().is_some();
        Self {
            app,
            policy,
            asked,
            alerts,
            history,
            phase: Phase::Choosing,
            began_at: now,
            began_on_hold,
            now,
            look: None,
            look_at: now,
            empty_lists: 0,
            due: VecDeque::new(),
            capacity: BTreeMap::new(),
            asked_formation_about: BTreeMap::new(),
            not_found: None,
            next_restart_at: now,
            stop_requested_at: None,
            retry: Retry::default(),
            outcomes: BTreeMap::new(),
            end: None,
            calls: 0,
            restarts: 0,
            known_restarts: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Takes what happened, and says what to do next. `now` never goes back.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Action {
        let call_began = std::mem::replace(&mut self.now, now);
        let restart = match event {
            Event::Time => None,
            Event::Looked(Ok(look)) => self.looked(look),
            Event::Looked(Err(error)) => {
                self.look_failed(error, call_began);
                None
            }
            Event::Restarted(answer) => {
                self.restart_answered(answer, call_began);
                None
            }
            Event::Postponed(pause) => {
                self.next_restart_at = now.saturating_add(pause).unwrap_or(now);
                self.calls = self.calls.saturating_sub(1);
                self.schedule_look();
                None
            }
            Event::Formation(process_type, quantity) => {
                self.formation_answered(&process_type, quantity, call_began);
                None
            }
            Event::StopRequested(at) => {
                self.stop_requested_at.get_or_insert(at);
                self.look_at = self.not_after_last_look(self.look_at);
                None
            }
        };
        let action = restart.unwrap_or_else(|| self.next_action());
        self.calls += u32::from(matches!(action, Action::Restart(_) | Action::AskFormation(_)));
        action
    }

    /// What the alerts asked for.
    pub(super) fn asked(&self) -> &MergedTarget {
        &self.asked
    }

    /// Which replica restarted each dyno last, as far as that is known. Only the report depends on it.
    pub(super) fn know_restarts(&mut self, restarts: BTreeMap<DynoName, (Timestamp, String)>) {
        self.known_restarts = restarts;
    }

    /// When the driver must come back although a call or a wait is under way: once as soon as the service is asked to end,
    /// and then, at the latest, at this time.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.stop_requested_at.map(|at| at.saturating_add(GRACE).unwrap_or(at))
    }

    /// The notes since the last call of this.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// What the last good look showed.
    #[must_use]
    pub fn last_look(&self) -> Option<&Look> {
        self.look.as_ref()
    }

    /// Whether the restart that the last step asked for may still be asked for. If this process stood still meanwhile, or the
    /// database was slow, the dynos must be looked at once more.
    #[must_use]
    pub fn is_look_recent(&self, now: Timestamp) -> bool {
        self.look.as_ref().is_some_and(|look| elapsed(look.answered, now) <= LONGEST_AFTER_LOOK)
    }

    /// What is remembered so far.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// A pass that was written down goes on under this policy, with a look. Returns the time of its last step, by the clock of
    /// the process that made it: nothing waits for a time by that clock.
    pub(super) fn resume(&mut self, policy: Policy, now: Timestamp) -> Timestamp {
        let latest = now.saturating_add(policy.settle_time).unwrap_or(now);
        (self.look_at, self.next_restart_at) = (now, self.next_restart_at.min(latest));
        self.policy = policy;
        self.stop_requested_at = None;
        self.now
    }

    /// Adds what this process remembers of other passes.
    pub fn merge_history(&mut self, history: History) {
        self.history.merge(history);
    }

    /// What is remembered if the restart of the next dyno is asked for now and its answer is lost.
    pub(super) fn history_with_next_restart(&self, now: Timestamp) -> History {
        let mut history = self.history.clone();
        if let (Some(dyno), Some(look)) = (self.due.front(), &self.look) {
            history.restarted(dyno, now, Some(predecessor_ended()), look);
        }
        history
    }

    /// What is remembered for the next pass.
    #[must_use]
    pub fn into_history(self) -> History {
        self.history
    }

    /// What is to be done when there is nothing to restart on the spot.
    fn next_action(&mut self) -> Action {
        if self.is_over() {
            return Action::Done(self.finish());
        }
        if let Some(process_type) = self.formation_to_ask() {
            return Action::AskFormation(process_type);
        }
        let wake_at = self.deadline().map_or(self.look_at, |deadline| deadline.min(self.look_at));
        if wake_at > self.now { Action::WaitUntil(wake_at) } else { Action::Look }
    }

    /// Chooses the dynos that are due, and says of every other one that was asked for why it is left alone: rules 1, 2 and 5.
    fn choose(&mut self) {
        let Some(look) = &self.look else { return };
        for process_type in &self.policy.process_types {
            self.capacity
                .insert(process_type.clone(), Capacity::at_start(look, process_type, self.policy.boot_timeout));
        }
        let outcomes = self.policy.judge_all(look, &self.asked, &self.history);
        let is_due = |dyno: &&Dyno| outcomes.get(&dyno.name) == Some(&Outcome::Due);
        let in_order = self.policy.process_types.iter().flat_map(|process_type| look.of_type(process_type));
        self.due = in_order.filter(is_due).cloned().collect();
        self.phase = Phase::Restarting;
        for (name, outcome) in outcomes {
            match outcome {
                Outcome::Skipped(skip @ Skip::GivenUp { .. }) if self.history.give_up(&name) => {
                    self.notes.push(Note::GaveUp(name.clone(), skip.clone()));
                    self.outcomes.insert(name, Outcome::Skipped(skip));
                }
                Outcome::Due => _ = self.outcomes.insert(name, Outcome::Due),
                outcome => self.record(name, outcome),
            }
        }
        if !self.due.is_empty() {
            let names = self.due.iter().map(|dyno| dyno.name.clone()).collect();
            self.notes.push(Note::Plan { dynos: names, asked: self.asked.describe(), forced: self.asked.is_forced() });
        }
    }

    /// Whether nothing is left to do, or nothing more may be done: rule 7.
    fn is_over(&self) -> bool {
        let is_in_flight = self.in_flight_here().next().is_some();
        let may_go_on = self.end.is_none() && self.stop_requested_at.is_none();
        let is_waiting = self.phase == Phase::Choosing || !self.due.is_empty();
        match self.phase {
            Phase::Blind => true,
            _ if is_in_flight => self.deadline().is_some_and(|deadline| deadline <= self.now),
            _ => !(may_go_on && is_waiting),
        }
    }

    /// The dynos that this pass restarted and has not seen up.
    fn in_flight_here(&self) -> impl Iterator<Item = &OurDyno> {
        self.history.in_flight().filter(|our| self.is_in_this_pass(our.restarted_as()))
    }

    /// The dynos in flight are left to the next pass.
    fn finish(&mut self) -> Report {
        let lost: Vec<_> = self.in_flight_here().map(|our| (our.restarted_as().clone(), our.lost_sight())).collect();
        let is_unfinished = self.phase == Phase::Choosing || !self.due.is_empty() || !lost.is_empty();
        if self.stop_requested_at.is_some() && is_unfinished {
            self.end.get_or_insert(End::Stopped { waiting: None, trouble: None });
        }
        for (dyno, failure) in lost {
            self.record(dyno, Outcome::Failed(failure));
        }
        Report {
            app: self.app.clone(),
            began_at: self.began_at,
            took: elapsed(self.began_at, self.now),
            alerts: self.alerts,
            senders: BTreeSet::new(),
            calls: self.calls,
            restarts: self.restarts,
            dynos: self.outcomes.clone(),
            end: self.end.clone(),
        }
    }
}

/// The answer to a restart that another restarter asked for: nobody knows it, because that one did not see it.
pub(super) fn predecessor_ended() -> Error {
    Error::NoAnswer { reason: "the restarter that asked for it did not see one".to_owned() }
}
