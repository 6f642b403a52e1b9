//! Restarting dynos in turn, the part of a pass that could do harm.
//!
//! What keeps it from that: a dyno is restarted only when a look just taken shows it as the same instance, up, and as
//! many of its type running as when the pass began; then the pass waits until the new instance is up before it goes on;
//! and it stops for good when one does not come up.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use super::in_flight::{Crew, InHand, Sight, running_beside};
use super::pass::Pass;
use super::policy::{NEVER_CHANGED, named};
use super::report::{End, Failure, Outcome, Skip};
use crate::heroku::{Dyno, DynoName, Error, State};

impl Pass<'_> {
    /// Restarts the due dynos of one process type, as many at once as may be down.
    pub(super) async fn restart_crew(&mut self, mut crew: Crew<'_>, mut due: VecDeque<Dyno>) -> Result<(), End> {
        loop {
            self.take_in_hand(&mut crew, &mut due).await?;
            if self.in_hand.is_empty() {
                match self.end.take() {
                    Some(end) => return Err(end),
                    None if due.is_empty() => return Ok(()),
                    None => {}
                }
            }
            let settling = self.settled_at.map(|at| at.saturating_duration_since(Instant::now()));
            let nothing_to_see = self.in_hand.is_empty();
            self.lookout.look_after(settling.filter(|time| nothing_to_see && !time.is_zero())).await?;
            self.see_to_all(&mut crew, &mut due).await;
        }
    }

    /// Restarts dynos until as many are down as may be, or nothing more is to be done for now.
    async fn take_in_hand(&mut self, crew: &mut Crew<'_>, due: &mut VecDeque<Dyno>) -> Result<(), End> {
        while self.in_hand.len() < self.policy.max_unavailable.get() && !due.is_empty() && self.may_go_on() {
            if !self.lookout.fresh {
                self.lookout.look().await?;
                self.see_to_all(crew, due).await;
                continue;
            }
            let Some(next) = due.pop_front() else { break };
            if let Some(skip) = self.changed_since_chosen(&next) {
                self.record(next.name, Outcome::Skipped(skip));
            } else if !self.enough_are_running(crew).await {
                due.push_front(next);
                break;
            } else if let Some(come_again) = self.restart(next, crew.size()).await? {
                due.push_front(come_again);
            }
        }
        Ok(())
    }

    fn may_go_on(&self) -> bool {
        let is_settled = self.settled_at.is_none_or(|at| at <= Instant::now());
        self.end.is_none() && is_settled && !self.lookout.is_to_end()
    }

    /// Draws the conclusions of a look.
    async fn see_to_all(&mut self, crew: &mut Crew<'_>, due: &mut VecDeque<Dyno>) {
        for not_restarted in self.see_to_those_in_hand(crew).await {
            due.push_front(not_restarted);
        }
        let dynos = &self.lookout.dynos;
        let has_crashed = |up: &InHand| named(dynos, &up.old.name).is_some_and(|dyno| dyno.state == State::Crashed);
        if let Some(at) = self.up_again.iter().position(has_crashed) {
            let failed = self.up_again.remove(at);
            let after = failed.since.elapsed();
            self.fail(failed, Failure::Crashed { after });
        }
    }

    /// The last look before a restart: is it still the dyno that was chosen?
    fn changed_since_chosen(&self, chosen: &Dyno) -> Option<Skip> {
        match named(&self.lookout.dynos, &chosen.name) {
            None => Some(Skip::Gone),
            Some(now) if now.replaces(chosen) => Some(Skip::Replaced),
            Some(now) if !now.is_up() => Some(Skip::NotUp(now.state.clone())),
            Some(_) => None,
        }
    }

    /// Whether as many run as when the pass began, less what may be down because of us. Where they do not, somebody or
    /// something else is at work: the restarts wait for as long as a boot may take, then the pass ends.
    async fn enough_are_running(&mut self, crew: &mut Crew<'_>) -> bool {
        let running = running_beside(&self.in_hand, &self.lookout.dynos, crew.process_type);
        let needed = (crew.size() + 1).saturating_sub(self.policy.max_unavailable.get());
        if running >= needed {
            crew.short_since = None;
            return true;
        }
        let short_since = *crew.short_since.get_or_insert_with(Instant::now);
        if short_since.elapsed() < self.policy.boot_timeout {
            // Counts from the next look on.
            self.note_scaling(crew).await;
        } else if crew.hoped_for > 0 {
            // They were down before, and stay down.
            (crew.hoped_for, crew.short_since) = (0, None);
        } else if let Some(at) = self.up_again.iter().position(|up| !self.is_up(&up.old.name)) {
            let failed = self.up_again.remove(at);
            self.fail(failed, Failure::NotUp { within: self.policy.boot_timeout });
        } else {
            self.end = Some(End::Short { running, needed });
        }
        false
    }

    fn is_up(&self, name: &DynoName) -> bool {
        named(&self.lookout.dynos, name).is_some_and(Dyno::is_up)
    }

    /// A crew that was scaled down is whole with fewer. When the API does not tell, nothing is assumed.
    async fn note_scaling(&mut self, crew: &mut Crew<'_>) {
        if let Some(quantity) = self.lookout.quantity(crew.process_type).await {
            crew.scaled_down_by = crew.listed.saturating_sub(quantity);
        }
    }

    /// Restarts one dyno and takes it in hand; gives it back when the API asks to come again later.
    async fn restart(&mut self, dyno: Dyno, crew: usize) -> Result<Option<Dyno>, End> {
        let (app, name) = (self.lookout.app, dyno.name.clone());
        self.lookout.fresh = false;
        let lost = match self.lookout.client.restart(app, &name).await {
            Ok(()) => {
                self.lookout.patience.start_anew();
                None
            }
            Err(error) if error.may_have_taken_effect() => {
                warn!(%app, dyno = %name, "restarting {name} of {app}: {error}; looking whether it took effect");
                Some(error)
            }
            Err(error) if error.is_transient() => {
                self.lookout.bear(error).await?;
                return Ok(Some(dyno));
            }
            Err(Error::NotFound(_)) if self.is_gone(&name).await? => {
                self.record(name, Outcome::Skipped(Skip::Gone));
                return Ok(None);
            }
            Err(error) => {
                self.record(name, Outcome::Failed(Failure::Refused(error.to_string())));
                self.end = Some(End::Api(error));
                return Ok(None);
            }
        };
        self.in_hand.push(InHand::new(dyno, lost, crew));
        self.lookout.seeing_through = true;
        Ok(None)
    }

    async fn is_gone(&mut self, name: &DynoName) -> Result<bool, End> {
        self.lookout.look().await?;
        // Those in hand have not been seen to after this look.
        self.lookout.fresh = false;
        Ok(named(&self.lookout.dynos, name).is_none())
    }

    /// Settles what the last look settles; returns the dynos whose restart was lost on the way to the API.
    async fn see_to_those_in_hand(&mut self, crew: &mut Crew<'_>) -> Vec<Dyno> {
        let mut not_restarted = Vec::new();
        let mut at = 0;
        while at < self.in_hand.len() {
            let elapsed = self.in_hand[at].since.elapsed();
            let outcome = match self.sight(at, crew) {
                Sight::Up { renamed } => Outcome::Restarted { took: elapsed, renamed },
                Sight::Crashed => Outcome::Failed(Failure::Crashed { after: elapsed }),
                Sight::Unchanged if elapsed >= NEVER_CHANGED => match self.in_hand[at].lost.take() {
                    None => Outcome::Unconfirmed,
                    Some(error) => {
                        let dyno = self.in_hand.remove(at).old;
                        not_restarted.extend(self.come_again(dyno, error, elapsed));
                        continue;
                    }
                },
                Sight::Booting if elapsed >= self.policy.boot_timeout => {
                    if self.was_scaled_away(at, crew).await {
                        Outcome::Skipped(Skip::Gone)
                    } else {
                        Outcome::Failed(Failure::NotUp { within: self.policy.boot_timeout })
                    }
                }
                Sight::Booting | Sight::Unchanged => {
                    at += 1;
                    continue;
                }
            };
            let done = self.in_hand.remove(at);
            self.close(done, outcome);
        }
        self.lookout.seeing_through = !self.in_hand.is_empty();
        not_restarted
    }

    /// A restart was lost on the way: the dyno is to be restarted again, as long as there is patience.
    fn come_again(&mut self, dyno: Dyno, error: Error, elapsed: Duration) -> Option<Dyno> {
        let (app, name) = (self.lookout.app, &dyno.name);
        if self.lookout.patience.spend(elapsed) {
            warn!(%app, dyno = %name, "{name} of {app} is unchanged, so its restart did not happen; trying again");
            return Some(dyno);
        }
        self.record(dyno.name, Outcome::Failed(Failure::Refused(error.to_string())));
        self.end = Some(End::Api(error));
        None
    }

    fn sight(&mut self, at: usize, crew: &Crew<'_>) -> Sight {
        let dynos = &self.lookout.dynos;
        let is_whole = running_beside(&self.in_hand, dynos, crew.process_type) + self.in_hand.len() > crew.size();
        let known = self.listed_at_start.iter().chain(self.outcomes.values().filter_map(Outcome::successor)).collect();
        self.in_hand[at].sight(dynos, is_whole, &known)
    }

    async fn was_scaled_away(&mut self, at: usize, crew: &mut Crew<'_>) -> bool {
        let size_before = crew.size();
        self.note_scaling(crew).await;
        crew.size() < size_before && matches!(self.sight(at, crew), Sight::Up { .. })
    }

    /// A dyno is out of hand, for good or ill.
    fn close(&mut self, mut done: InHand, outcome: Outcome) {
        let name = done.old.name.clone();
        self.history.note_restart(&name, done.since);
        match outcome {
            Outcome::Failed(failure) => return self.fail(done, failure),
            Outcome::Restarted { ref renamed, .. } => {
                if let Some(successor) = renamed {
                    self.history.rename(&name, successor);
                    done.old.name = successor.clone();
                }
                self.up_again.push(done);
            }
            _ => {}
        }
        self.settled_at = Some(Instant::now() + self.policy.settle_time);
        self.record(name, outcome);
    }

    /// A restarted dyno is down: no further one is restarted, in this pass and by alerts until it is up.
    fn fail(&mut self, failed: InHand, failure: Failure) {
        let name = failed.old.name.clone();
        self.history.halt(failed.into_halt(true));
        self.end.get_or_insert(End::Failed(name.clone()));
        self.record(name, Outcome::Failed(failure));
    }
}
