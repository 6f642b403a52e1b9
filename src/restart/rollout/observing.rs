//! What follows from what a look shows (rule 4), and from what it does not show: the formation says whether dynos that are
//! not listed any more were scaled away.

use std::time::Duration;

use jiff::Timestamp;

use super::{Missing, Phase, Rollout};
use crate::heroku::{DynoName, Error, ProcessType};
use crate::restart::event::Note;
use crate::restart::fleet::elapsed;
use crate::restart::our_dyno::{Change, HoldEnd};
use crate::restart::report::{End, Outcome, Skip};

/// How often the formation is asked about dynos that the pass waits for. With four looks that makes six calls a minute.
const ASK_AGAIN: Duration = Duration::from_secs(30);

impl Rollout {
    /// What follows from what a look changed: rule 4.
    pub(super) fn conclude(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Up { dyno, took, renamed } => {
                    if let Some(name) = &renamed {
                        self.capacity.values_mut().for_each(|capacity| capacity.rename(&dyno, name));
                    }
                    self.note_end_of_hold(renamed.as_ref().unwrap_or(&dyno), HoldEnd::Up);
                    self.settle(dyno, Outcome::Restarted { took, at: self.now, renamed });
                }
                Change::Unconfirmed(dyno) => {
                    self.note_end_of_hold(&dyno, HoldEnd::Up);
                    self.settle(dyno, Outcome::Unconfirmed);
                }
                Change::Deployed { dyno, release } => {
                    self.note_end_of_hold(&dyno, HoldEnd::Deployed);
                    self.settle(dyno, Outcome::Deployed { release });
                }
                Change::Gone(dyno) => {
                    self.note_end_of_hold(&dyno, HoldEnd::ScaledAway);
                    self.settle(dyno, Outcome::Skipped(Skip::Gone));
                }
                // An earlier pass asked for it, and it is up.
                Change::NotRestarted { dyno, .. } if !self.is_in_this_pass(&dyno.name) => {
                    self.note_end_of_hold(&dyno.name, HoldEnd::Up);
                }
                Change::NotRestarted { dyno, error, waited } => {
                    let name = dyno.name.clone();
                    self.due.push_front(*dyno);
                    if !self.retry.spend(waited) {
                        self.refuse(error);
                    } else if self.end.is_none() && self.stop_requested_at.is_none() {
                        self.notes.push(Note::NotRestarted(name));
                    }
                }
                Change::Failed { dyno, failure } if self.phase == Phase::Choosing => {
                    self.notes.push(Note::Hold(dyno, failure));
                }
                Change::Failed { dyno, failure } => {
                    self.end.get_or_insert(End::Failed(dyno.clone()));
                    self.record(dyno, Outcome::Failed(failure));
                }
                Change::HoldEnded { dyno, why } => self.notes.push(Note::HoldEnded(dyno, why)),
                Change::ReArmed(dyno) => self.notes.push(Note::ReArmed(dyno)),
            }
        }
        // Of several dynos, the last one that comes up ends the hold.
        if self.history.on_hold().any(|our| !self.is_in_this_pass(our.restarted_as())) {
            self.notes.retain(|note| !matches!(note, Note::HoldEnded(..)));
        }
    }

    /// A dyno of an earlier pass is in order, or is not there any more. While this pass makes its choice, that ends a hold.
    fn note_end_of_hold(&mut self, dyno: &DynoName, why: HoldEnd) {
        if self.phase == Phase::Choosing && self.began_on_hold {
            self.notes.push(Note::HoldEnded(dyno.clone(), why));
        }
    }

    /// A dyno that this pass restarted is not in flight any more, and has not failed.
    fn settle(&mut self, dyno: DynoName, outcome: Outcome) {
        self.next_restart_at = self.now.saturating_add(self.policy.settle_time).unwrap_or(self.now);
        if self.is_in_this_pass(&dyno) {
            self.record(dyno, outcome);
        }
    }

    /// Whether this pass restarted the dyno and has not seen the new instance up.
    pub(super) fn is_in_this_pass(&self, dyno: &DynoName) -> bool {
        matches!(self.outcomes.get(dyno), Some(Outcome::Due | Outcome::Unconfirmed))
    }

    pub(super) fn record(&mut self, dyno: DynoName, outcome: Outcome) {
        self.notes.push(Note::Outcome(dyno.clone(), outcome.clone()));
        self.outcomes.insert(dyno, outcome);
    }

    /// The first process type with missing dynos about which the formation is to be asked.
    pub(super) fn formation_to_ask(&self) -> Option<ProcessType> {
        let is_to_ask = |process_type: &&ProcessType| {
            let missing = self.missing(process_type);
            !missing.is_empty() && self.asked_formation_about.get(*process_type) != Some(&missing)
        };
        self.policy.process_types.iter().find(is_to_ask).filter(|_| self.phase != Phase::Blind).cloned()
    }

    /// How many dynos of a type the app is scaled to.
    pub(super) fn formation_answered(
        &mut self,
        process_type: &ProcessType,
        quantity: Result<usize, Error>,
        call_began: Timestamp,
    ) {
        let quantity = match quantity {
            Ok(quantity) => quantity,
            // The app has no such process type any more.
            Err(Error::NotFound(_)) => 0,
            Err(error) => return self.formation_failed(error, call_began),
        };
        self.retry.formation_succeeded();
        self.asked_formation_about.insert(process_type.clone(), self.missing(process_type));
        let changes = self.conclude_missing(process_type, quantity);
        if !changes.is_empty() {
            self.look_at = self.now;
        }
        self.conclude(changes);
        if self.phase == Phase::Choosing && self.formation_to_ask().is_none() {
            self.choose();
            self.look_at = self.now;
        }
    }

    /// Nothing is assumed. What the look showed is of no use without the formation: both are asked for again.
    fn formation_failed(&mut self, error: Error, call_began: Timestamp) {
        let took = elapsed(call_began, self.now);
        let pause = self.retry.pause_after_formation(&error, took, self.now);
        if pause.is_some() {
            self.look = None;
        }
        self.look_again(error, pause);
    }

    /// Draws the conclusions for missing dynos of a type that is scaled to this quantity.
    pub(super) fn conclude_missing(&mut self, process_type: &ProcessType, quantity: usize) -> Vec<Change> {
        let Some(look) = &self.look else { return Vec::new() };
        if let Some(capacity) = self.capacity.get_mut(process_type) {
            let missing = capacity.missing(look, process_type);
            let gone: Vec<_> =
                missing.filter(|name| look.is_scaled_away(name, process_type, quantity)).cloned().collect();
            capacity.forget(&gone);
        }
        self.history.conclude_missing(look, process_type, quantity, &self.policy)
    }

    /// The dynos of a type that should be listed and are not, as far as it matters: our own and, when too few run for the
    /// next restart, those that the pass expects. The formation is asked about our own when they are missed first, and once
    /// more before they count as failed; about the others now and then, for somebody may be scaling the app down.
    pub(super) fn missing(&self, process_type: &ProcessType) -> Missing {
        let Some(look) = &self.look else { return Missing::new() };
        let mut missing = Missing::new();
        if let Some(capacity) = self.capacity.get(process_type)
            && let Some(since) = capacity.short_since()
        {
            let round = elapsed(since, look.asked).as_secs() / ASK_AGAIN.as_secs();
            missing.extend(capacity.missing(look, process_type).map(|name| (name.clone(), round)));
        }
        let ours = self.history.missing(look, process_type);
        missing.extend(ours.map(|our| (our.record.name.clone(), u64::from(our.is_late(look, &self.policy)))));
        missing
    }
}
