//! One pass over one app: list the dynos, choose those that are due, restart them in turn.
//!
//! What keeps it from doing harm: a dyno is restarted only when a look just taken shows it as the same instance, up, and
//! as many of its type running as when the pass began; then the pass waits until the new instance is up before it goes
//! on; and it stops for good when one does not come up.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::in_hand::{Crew, InHand, Sight, running_beside};
use super::lookout::Lookout;
use super::patience::Patience;
use super::policy::{Halt, History, News, Policy, running};
use super::report::{End, Failure, Outcome, Report, Skip, list};
use super::trigger::Wanted;
use crate::heroku::{AppName, Client, Dyno, DynoName, Error};
use crate::shutdown::Stop;

/// After an accepted restart Heroku shows a new instance within a second or two. When nothing has changed after this
/// long, nothing will.
const NEVER_CHANGED: Duration = Duration::from_secs(15);

/// A pass under way.
pub(super) struct Pass<'a> {
    lookout: Lookout<'a>,
    policy: &'a Policy,
    history: &'a mut History,
    in_hand: Vec<InHand>,
    outcomes: BTreeMap<DynoName, Outcome>,
    /// Set when no further dyno may be restarted; those in hand are still seen through.
    end: Option<End>,
}

impl<'a> Pass<'a> {
    pub(super) fn new(
        app: &'a AppName,
        client: &'a Client,
        policy: &'a Policy,
        history: &'a mut History,
        stop: &'a Stop,
    ) -> Self {
        let lookout = Lookout::new(app, client, stop, Patience::new());
        Self { lookout, policy, history, in_hand: Vec::new(), outcomes: BTreeMap::new(), end: None }
    }

    /// Makes the pass.
    pub(super) async fn run(mut self, wanted: &Wanted, alerts: u64) -> Report {
        let (began_at, began) = (Timestamp::now(), Instant::now());
        let end = self.restart_in_turn(wanted).await.err();
        for unseen in std::mem::take(&mut self.in_hand) {
            self.history.note_restart(&unseen.old.name, unseen.since);
            let failure = if unseen.lost.is_some() { Failure::Unknown } else { Failure::NotSeenUp };
            self.record(unseen.old.name, Outcome::Failed(failure));
        }
        let app = self.lookout.app.clone();
        Report { app, began_at, took: began.elapsed(), alerts, dynos: self.outcomes, end }
    }

    /// Says what passes would do, after one look.
    pub(super) async fn rehearse(mut self, wanted: &[&Wanted]) -> Vec<Report> {
        let (began_at, began) = (Timestamp::now(), Instant::now());
        self.lookout.patience = Patience::none();
        let looked = self.look_and_remember().await;
        let report = |wanted: &&Wanted| {
            let (dynos, end) = match &looked {
                Ok(now) => (self.judge(wanted, *now), None),
                Err(end) => (BTreeMap::new(), Some(end.clone())),
            };
            Report { app: self.lookout.app.clone(), began_at, took: began.elapsed(), alerts: 1, dynos, end }
        };
        wanted.iter().map(report).collect()
    }

    async fn restart_in_turn(&mut self, wanted: &Wanted) -> Result<(), End> {
        let due = self.choose(wanted).await?;
        for crew in self.crews() {
            let of_this_type = due.iter().filter(|dyno| dyno.process_type == *crew.process_type);
            self.restart_crew(crew, of_this_type.cloned().collect()).await?;
        }
        Ok(())
    }

    /// Looks, decides on every dyno that is asked for, and returns those that are due, in order of their names.
    async fn choose(&mut self, wanted: &Wanted) -> Result<Vec<Dyno>, End> {
        let now = self.look_and_remember().await?;
        let app = self.lookout.app;
        for (name, outcome) in self.judge(wanted, now) {
            self.record(name, outcome);
        }
        let is_due = |dyno: &&Dyno| matches!(self.outcomes.get(&dyno.name), Some(Outcome::Due));
        let due: Vec<Dyno> = self.lookout.dynos.iter().filter(is_due).cloned().collect();
        if !due.is_empty() {
            let in_turn = if due.len() > 1 { ", in turn" } else { "" };
            info!(%app, "restarting {} of {app}{in_turn}", list(due.iter().map(|dyno| &dyno.name)));
        }
        Ok(due)
    }

    /// Looks, and brings what is remembered of the app up to date; returns the platform's time.
    async fn look_and_remember(&mut self) -> Result<Timestamp, End> {
        let now = self.lookout.look().await?;
        let app = self.lookout.app;
        for news in self.history.update(&self.lookout.dynos, self.policy.give_up_after) {
            match news {
                News::ReArmed(dyno) => info!(%app, %dyno, "{dyno} of {app} may be restarted again"),
                News::Resumed(dyno) => {
                    info!(%app, %dyno, "alerts restart dynos of {app} again: {dyno} is up, or failed long enough ago");
                }
            }
        }
        Ok(now)
    }

    /// What becomes of each dyno that is asked for: due, or left alone.
    fn judge(&self, wanted: &Wanted, now: Timestamp) -> BTreeMap<DynoName, Outcome> {
        let mut outcomes = BTreeMap::new();
        for dyno in self.lookout.dynos.iter().filter(|dyno| wanted.includes(&dyno.name)) {
            let judgement = if self.policy.process_types.contains(&dyno.process_type) {
                self.policy.judge(dyno, now, wanted.is_forced(&dyno.name), self.history)
            } else if wanted.names().contains(&dyno.name) {
                Err(Skip::NotWatched)
            } else {
                continue;
            };
            outcomes.insert(dyno.name.clone(), judgement.map_or_else(Outcome::Skipped, |()| Outcome::Due));
        }
        for name in wanted.names() {
            outcomes.entry(name.clone()).or_insert(Outcome::Skipped(Skip::Unknown));
        }
        outcomes
    }

    fn crews(&self) -> Vec<Crew<'a>> {
        let crew = |process_type| Crew {
            process_type,
            size: running(&self.lookout.dynos, process_type).count(),
            short_since: None,
        };
        self.policy.process_types.iter().map(crew).collect()
    }

    /// Restarts the due dynos of one process type, as many at once as may be down.
    async fn restart_crew(&mut self, mut crew: Crew<'_>, mut due: VecDeque<Dyno>) -> Result<(), End> {
        loop {
            self.take_in_hand(&mut crew, &mut due).await?;
            if self.in_hand.is_empty() {
                match self.end.take() {
                    Some(end) => return Err(end),
                    None if due.is_empty() => return Ok(()),
                    None => {}
                }
            }
            self.lookout.look_again().await?;
            let before = self.in_hand.len();
            for not_restarted in self.see_to_those_in_hand(&mut crew).await {
                due.push_front(not_restarted);
            }
            if self.in_hand.len() < before && !due.is_empty() {
                self.lookout.settle(self.policy.settle_time).await?;
            }
        }
    }

    /// Restarts dynos until as many are down as may be, or nothing more is to be done for now.
    async fn take_in_hand(&mut self, crew: &mut Crew<'_>, due: &mut VecDeque<Dyno>) -> Result<(), End> {
        while self.in_hand.len() < self.policy.max_unavailable && self.end.is_none() && !self.lookout.is_to_end() {
            let Some(next) = due.pop_front() else { break };
            if !self.lookout.fresh {
                self.lookout.look().await?;
            }
            if let Some(skip) = self.changed_since_chosen(&next) {
                self.record(next.name, Outcome::Skipped(skip));
            } else if !self.enough_are_running(crew).await {
                due.push_front(next);
                break;
            } else if let Some(come_again) = self.restart(next).await? {
                due.push_front(come_again);
            }
        }
        Ok(())
    }

    /// The last look before a restart: is it still the dyno that was chosen?
    fn changed_since_chosen(&self, chosen: &Dyno) -> Option<Skip> {
        match self.lookout.dynos.iter().find(|dyno| dyno.name == chosen.name) {
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
        let needed = (crew.size + 1).saturating_sub(self.policy.max_unavailable);
        if running >= needed {
            crew.short_since = None;
            return true;
        }
        let short_since = *crew.short_since.get_or_insert_with(Instant::now);
        if short_since.elapsed() >= self.policy.boot_timeout {
            self.end = Some(End::Short { running, needed });
        }
        self.shrink_if_scaled_down(crew).await;
        false
    }

    /// A crew that was scaled down is whole with fewer. When the API does not tell, nothing is assumed.
    async fn shrink_if_scaled_down(&mut self, crew: &mut Crew<'_>) {
        if let Some(quantity) = self.lookout.quantity(crew.process_type).await {
            crew.size = crew.size.min(quantity);
        }
    }

    /// Restarts one dyno and takes it in hand; gives it back when the API asks to come again later.
    async fn restart(&mut self, dyno: Dyno) -> Result<Option<Dyno>, End> {
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
            Err(Error::NotFound(_)) => {
                self.record(name, Outcome::Skipped(Skip::Gone));
                return Ok(None);
            }
            Err(error) => {
                self.record(name, Outcome::Failed(Failure::Refused(error.to_string())));
                self.end = Some(End::Api(error));
                return Ok(None);
            }
        };
        self.in_hand.push(InHand::new(dyno, lost, &self.lookout.dynos));
        self.lookout.seeing_through = true;
        Ok(None)
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
            self.close(done, outcome, crew);
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
        let is_whole = running_beside(&self.in_hand, dynos, crew.process_type) + self.in_hand.len() > crew.size;
        self.in_hand[at].sight(dynos, is_whole)
    }

    async fn was_scaled_away(&mut self, at: usize, crew: &mut Crew<'_>) -> bool {
        let size_before = crew.size;
        self.shrink_if_scaled_down(crew).await;
        crew.size < size_before && matches!(self.sight(at, crew), Sight::Up { .. })
    }

    /// A dyno is out of hand, for good or ill.
    fn close(&mut self, done: InHand, outcome: Outcome, crew: &Crew<'_>) {
        let dyno = done.old.name;
        self.history.note_restart(&dyno, done.since);
        match &outcome {
            Outcome::Restarted { renamed: Some(successor), .. } => self.history.rename(&dyno, successor),
            Outcome::Failed(_) => {
                let process_type = crew.process_type.clone();
                self.history.halt(Halt { dyno: dyno.clone(), process_type, crew: crew.size, since: Instant::now() });
                self.end = Some(End::Failed(dyno.clone()));
            }
            _ => {}
        }
        self.record(dyno, outcome);
    }

    /// Writes down what became of a dyno, and logs it unless it is told already.
    fn record(&mut self, name: DynoName, outcome: Outcome) {
        let (app, dyno) = (self.lookout.app, &name);
        match &outcome {
            Outcome::Due => {}
            Outcome::Failed(_) => warn!(%app, %dyno, "{dyno} of {app}: {outcome}"),
            Outcome::Skipped(skip) if !self.history.is_news(dyno, skip) => {
                debug!(%app, %dyno, "{dyno} of {app}: {outcome}");
            }
            Outcome::Skipped(Skip::GivenUp { .. }) => {
                warn!(%app, %dyno, "giving up on {dyno} of {app}, {outcome}. Find the leak, or use a larger dyno size");
            }
            _ => info!(%app, %dyno, "{dyno} of {app}: {outcome}"),
        }
        self.outcomes.insert(name, outcome);
    }
}
