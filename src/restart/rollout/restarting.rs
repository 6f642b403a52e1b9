//! The restarts of a pass, one after the other: rule 3, and what comes of each call: rule 6.

use jiff::Timestamp;

use super::{Phase, Rollout};
use crate::heroku::{Dyno, Error};
use crate::restart::event::{Action, Note};
use crate::restart::fleet::{Look, Room, elapsed};
use crate::restart::our_dyno::NEVER_CHANGED;
use crate::restart::report::{End, Failure, Outcome, Skip};

impl Rollout {
    /// The next restart, given a look just taken: rule 3.
    pub(super) fn next_restart(&mut self) -> Option<Action> {
        while self.may_restart() {
            let (look, next) = (self.look.as_ref()?, self.due.front()?);
            let process_type = next.process_type.clone();
            if let Some(skip) = self.changed(next, look) {
                self.not_found = None;
                self.drop_next(Outcome::Skipped(skip));
                continue;
            }
            if let Some((_, error)) = self.not_found.take_if(|(name, _)| *name == next.name) {
                // It is listed, and Heroku does not find it. The others may be restarted, unless this happens again.
                if self.outcomes.values().any(Outcome::is_refused) {
                    self.refuse(error);
                    return None;
                }
                self.drop_next(Outcome::Failed(Failure::Refused(error.to_string())));
                continue;
            }
            let in_flight: Vec<_> = self.history.in_flight().map(|our| &our.record.process_type).collect();
            let failed = self.history.failed().filter(|our| our.record.process_type == process_type).count();
            let most_down = self.policy.max_unavailable.get();
            // A dyno that failed is down because of us, too. Only forced restarts come here beside one, and one at a time.
            if self.history.is_in_flight(&next.name)
                || in_flight.len() >= most_down.saturating_sub(failed).max(1)
                || in_flight.iter().any(|other| **other != process_type)
            {
                return None;
            }
            let running = look.running(&process_type).filter(|dyno| !self.history.is_in_flight(&dyno.name)).count();
            let name = next.name.clone();
            let capacity = self.capacity.entry(process_type).or_default();
            match capacity.room(running, most_down, look, self.policy.boot_timeout) {
                Room::Enough => return Some(Action::Restart(name)),
                Room::Wait => return None,
                Room::Short { running, needed } => {
                    self.end = Some(End::Short { running, needed });
                }
            }
        }
        None
    }

    fn may_restart(&self) -> bool {
        self.phase == Phase::Restarting
            && self.end.is_none()
            && self.stop_requested_at.is_none()
            && self.next_restart_at <= self.now
    }

    /// The answer to a restart, or that there was none: rule 6.
    pub(super) fn restart_answered(&mut self, answer: Result<(), Error>, call_began: Timestamp) {
        let Some(dyno) = self.due.front() else { return };
        let (name, process_type) = (dyno.name.clone(), dyno.process_type.clone());
        let lost = match answer {
            Ok(()) => {
                self.retry.restart_accepted();
                None
            }
            Err(error) if error.may_have_taken_effect() => {
                self.notes.push(Note::AnswerLost(name, error.clone()));
                Some(error)
            }
            Err(error) if error.is_transient() => {
                match self.retry.pause_after_restart(&error, elapsed(call_began, self.now), self.now) {
                    Some(pause) => {
                        self.next_restart_at = self.now.saturating_add(pause).unwrap_or(self.now);
                        self.schedule_look();
                        if matches!(error, Error::RateLimited { .. }) {
                            self.look_after(pause);
                        }
                        self.notes.push(Note::Retry(error, pause));
                    }
                    None => self.end = Some(End::Api(error)),
                }
                return;
            }
            Err(error @ Error::NotFound(_)) => {
                self.not_found = Some((name, error));
                self.look_at = self.now;
                return;
            }
            Err(error) => return self.refuse(error),
        };
        let Some(dyno) = self.due.pop_front() else { return };
        if let Some(look) = &self.look {
            self.history.restarted(&dyno, self.now, lost, look);
        }
        self.restarts += 1;
        self.schedule_look();
        let is_room_left = self.history.in_flight().count() < self.policy.max_unavailable.get();
        if is_room_left && self.due.front().is_some_and(|next| next.process_type == process_type) {
            self.look_at = self.now;
        }
    }

    /// The API refused to restart the next dyno: the pass ends.
    pub(super) fn refuse(&mut self, error: Error) {
        self.drop_next(Outcome::Failed(Failure::Refused(error.to_string())));
        self.end.get_or_insert(End::Api(error));
    }

    pub(super) fn drop_next(&mut self, outcome: Outcome) {
        if let Some(dyno) = self.due.pop_front() {
            self.record(dyno.name, outcome);
        }
    }

    /// The last look before a restart: why it does not show the process that was chosen, up.
    fn changed(&self, chosen: &Dyno, look: &Look) -> Option<Skip> {
        match look.named(&chosen.name) {
            None => Some(Skip::Gone),
            Some(now) if now.is_of_later_release(chosen) => Some(Skip::Deployed { release: now.release }),
            Some(now) if now.replaces(chosen) => {
                Some(self.restarter_of(now, look).map_or(Skip::Replaced, Skip::RestartedBy))
            }
            Some(now) if !now.is_up() => Some(Skip::NotUp(now.state.clone())),
            Some(_) => None,
        }
    }

    /// The replica by whose restart this process began.
    fn restarter_of(&self, dyno: &Dyno, look: &Look) -> Option<String> {
        let (at, restarter) = self.known_restarts.get(&dyno.name)?;
        let apart = dyno.created_at?.duration_since(look.by_platform_clock(*at));
        (apart.unsigned_abs() <= NEVER_CHANGED).then(|| restarter.clone())
    }
}
