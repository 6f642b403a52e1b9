//! What follows from what a look changed: rule 4.

use super::{Phase, Rollout};
use crate::heroku::DynoName;
use crate::restart::event::Note;
use crate::restart::our_dyno::Change;
use crate::restart::report::{End, Outcome, Skip};

impl Rollout {
    /// What follows from what a look changed: rule 4.
    pub(super) fn conclude(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Up { dyno, took, renamed } => {
                    if let Some(name) = &renamed {
                        self.capacity.values_mut().for_each(|capacity| capacity.rename(&dyno, name));
                    }
                    self.settle(dyno, Outcome::Restarted { took, renamed });
                }
                Change::Unconfirmed(dyno) => self.settle(dyno, Outcome::Unconfirmed),
                Change::Deployed { dyno, release } => self.settle(dyno, Outcome::Deployed { release }),
                Change::Gone(dyno) => self.settle(dyno, Outcome::Skipped(Skip::Gone)),
                Change::NotRestarted { dyno, error, waited } => {
                    let name = dyno.name.clone();
                    self.due.push_front(dyno);
                    if self.retry.spend(waited) {
                        self.notes.push(Note::NotRestarted(name));
                    } else {
                        self.refuse(error);
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
    }

    /// A dyno that this pass restarted is not in flight any more, and has not failed.
    fn settle(&mut self, dyno: DynoName, outcome: Outcome) {
        self.next_restart_at = self.now.saturating_add(self.policy.settle_time).unwrap_or(self.now);
        if matches!(self.outcomes.get(&dyno), Some(Outcome::Due | Outcome::Unconfirmed)) {
            self.record(dyno, outcome);
        }
    }

    pub(super) fn record(&mut self, dyno: DynoName, outcome: Outcome) {
        self.notes.push(Note::Outcome(dyno.clone(), outcome.clone()));
        self.outcomes.insert(dyno, outcome);
    }
}
