//! Looks at the dynos: when, and what follows from each. An API in trouble does not lose the restart: rule 6.

use std::time::Duration;

use jiff::Timestamp;

use super::{LAST_LOOK, Phase, Rollout};
use crate::heroku::Error;
use crate::restart::event::{Action, Note};
use crate::restart::fleet::{LONGEST_LOOK, Look, elapsed};
use crate::restart::pacing::{WAITING_POLL, poll_interval};
use crate::restart::report::End;

/// How many empty lists in a row are not believed, after dynos were listed.
const MOST_EMPTY_LISTS: u32 = 3;

impl Rollout {
    /// A look that succeeded. Returns the restart to make at once, while the list is fresh.
    pub(super) fn looked(&mut self, mut look: Look) -> Option<Action> {
        let took = elapsed(look.asked, look.answered);
        let is_late = took > LONGEST_LOOK;
        if !is_late {
            self.retry.look_succeeded();
        }
        self.calls += look.calls;
        if look.dynos.is_empty() && self.history.knows_any() && self.empty_lists < MOST_EMPTY_LISTS {
            self.empty_lists += 1;
            self.notes.push(Note::EmptyList);
            self.look_after(poll_interval(look.allowance));
            return None;
        }
        self.empty_lists = 0;
        if look.unreadable > 0 && self.phase == Phase::Choosing {
            self.notes.push(Note::Unreadable(look.unreadable));
        }
        self.history.remember(&mut look);
        let mut changes = self.history.observe(&look, &self.policy);
        self.look = Some(look);
        for process_type in self.policy.process_types.clone() {
            // The formation was asked about these already, and explained nothing.
            if self.asked_formation_about.get(&process_type) == Some(&self.missing(&process_type)) {
                changes.extend(self.conclude_missing(&process_type, usize::MAX));
            }
        }
        self.conclude(changes);
        if self.phase == Phase::Choosing && self.formation_to_ask().is_none() {
            self.choose();
        }
        let restart = if self.formation_to_ask().is_none() { self.next_restart() } else { None };
        self.schedule_look();
        if restart.is_some() && is_late {
            let error = Error::TooLate { took };
            let pause = self.retry.pause_after_look(&error, took, self.now);
            self.look_again(error, pause);
            return None;
        }
        restart
    }

    /// A look that failed: rule 6.
    pub(super) fn look_failed(&mut self, error: Error, call_began: Timestamp) {
        self.calls += 1;
        let pause = self.retry.pause_after_look(&error, elapsed(call_began, self.now), self.now);
        self.look_again(error, pause);
    }

    /// A call without which nothing is known has failed: looks again after a pause, or ends the pass without one.
    pub(super) fn look_again(&mut self, error: Error, pause: Option<Duration>) {
        if let Some(pause) = pause {
            self.notes.push(Note::Retry(error, pause));
            self.look_after(pause);
        } else {
            self.end.get_or_insert(End::Api(error));
            self.phase = Phase::Blind;
        }
    }

    /// When to look next, unless something else happens.
    pub(super) fn schedule_look(&mut self) {
        let poll = poll_interval(self.look.as_ref().and_then(|look| look.allowance));
        if self.history.in_flight().next().is_some() {
            return self.look_after(poll);
        }
        if self.next_restart_at > self.now {
            self.look_at = self.next_restart_at;
            return;
        }
        let gives_up_at = self.capacity.values().filter_map(|it| it.waits_until(self.policy.boot_timeout)).min();
        match gives_up_at {
            Some(at) => {
                self.look_after(poll.max(WAITING_POLL));
                self.look_at = self.look_at.min(at.max(self.now));
            }
            None => self.look_after(poll),
        }
    }

    pub(super) fn look_after(&mut self, pause: Duration) {
        self.look_at = self.not_after_last_look(self.now.saturating_add(pause).unwrap_or(self.now));
    }

    /// This time or, once the service was asked to end, the time of the last look if that is earlier and still to come: rule 7.
    pub(super) fn not_after_last_look(&self, at: Timestamp) -> Timestamp {
        let last_look = self.deadline().and_then(|deadline| deadline.checked_sub(LAST_LOOK).ok());
        last_look.filter(|last_look| self.now < *last_look).map_or(at, |last_look| at.min(last_look))
    }
}
