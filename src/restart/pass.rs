//! One pass over one app: list the dynos, choose those that are due, restart them in turn (`in_turn`), report.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::in_flight::{Crew, InHand};
use super::observer::{Lookout, warn_of_unreadable};
use super::policy::{History, News, Policy, booting, running};
use super::report::{End, Failure, Outcome, Report, Skip};
use super::retry::Patience;
use super::target::Wanted;
use crate::heroku::{AppName, Client, Dyno, DynoName};
use crate::shutdown::Stop;
use crate::util::text::list;

/// Of a few dynos that an app does not have each is told in the log.
const MOST_UNKNOWN: usize = 20;

/// A pass under way.
pub(super) struct Pass<'a> {
    pub(super) lookout: Lookout<'a>,
    pub(super) policy: &'a Policy,
    pub(super) history: &'a mut History,
    pub(super) listed_at_start: BTreeSet<DynoName>,
    pub(super) in_hand: Vec<InHand>,
    /// Restarted in this pass and seen up. They are looked at until it ends, for some crash a little later.
    pub(super) up_again: Vec<InHand>,
    /// The next restart has to wait until then: the dyno that came up last is settling.
    pub(super) settled_at: Option<Instant>,
    pub(super) outcomes: BTreeMap<DynoName, Outcome>,
    /// Set when no further dyno may be restarted; those in hand are still seen through.
    pub(super) end: Option<End>,
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
        Self {
            lookout,
            policy,
            history,
            listed_at_start: BTreeSet::new(),
            in_hand: Vec::new(),
            up_again: Vec::new(),
            settled_at: None,
            outcomes: BTreeMap::new(),
            end: None,
        }
    }

    /// Makes the pass.
    pub(super) async fn run(mut self, wanted: &Wanted, alerts: u64) -> Report {
        let (began_at, began) = (Timestamp::now(), Instant::now());
        let end = self.restart_in_turn(wanted).await.err();
        for unseen in std::mem::take(&mut self.in_hand) {
            let (name, went_down) = (unseen.old.name.clone(), unseen.went_down);
            let failure = if unseen.lost.is_some() { Failure::Unknown } else { Failure::NotSeenUp };
            self.history.note_restart(&name, unseen.since);
            self.history.halt(unseen.into_halt(went_down));
            self.record(name, Outcome::Failed(failure));
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
        let now = self.look_and_remember().await?;
        self.listed_at_start = self.lookout.dynos.iter().map(|dyno| dyno.name.clone()).collect();
        let due = self.choose(wanted, now);
        for crew in self.crews(now) {
            let of_this_type = due.iter().filter(|dyno| dyno.process_type == *crew.process_type);
            self.restart_crew(crew, of_this_type.cloned().collect()).await?;
        }
        Ok(())
    }

    /// Decides on every dyno that is asked for, and returns those that are due, in order of their names.
    fn choose(&mut self, wanted: &Wanted, now: Timestamp) -> Vec<Dyno> {
        let app = self.lookout.app;
        for (name, outcome) in self.judge(wanted, now) {
            self.record(name, outcome);
        }
        let is_due = |dyno: &&Dyno| matches!(self.outcomes.get(&dyno.name), Some(Outcome::Due));
        let due: Vec<Dyno> = self.lookout.dynos.iter().filter(is_due).cloned().collect();
        if !due.is_empty() {
            let in_turn = if due.len() > 1 { ", in turn" } else { "" };
            let force = if wanted.is_forced() { ", by force" } else { "" };
            let (names, asked) = (list(due.iter().map(|dyno| &dyno.name)), wanted.describe());
            info!(%app, "restarting {names} of {app}{in_turn}: alerts asked for {asked}{force}");
        }
        due
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
        warn_of_unreadable(app, self.lookout.unreadable);
        Ok(now)
    }

    /// What becomes of each dyno that is asked for: due, or left alone.
    fn judge(&self, wanted: &Wanted, now: Timestamp) -> BTreeMap<DynoName, Outcome> {
        let (names, mut outcomes) = (wanted.names(), BTreeMap::new());
        for dyno in self.lookout.dynos.iter().filter(|dyno| wanted.when(&dyno.name).is_some()) {
            let judgement = if self.policy.process_types.contains(&dyno.process_type) {
                self.policy.judge(dyno, now, wanted, self.history)
            } else if names.contains(&dyno.name) {
                Err(Skip::NotWatched)
            } else {
                continue;
            };
            outcomes.insert(dyno.name.clone(), judgement.map_or_else(Outcome::Skipped, |()| Outcome::Due));
        }
        for name in names {
            outcomes.entry(name.clone()).or_insert(Outcome::Skipped(Skip::Unknown));
        }
        outcomes
    }

    fn crews(&self, now: Timestamp) -> Vec<Crew<'a>> {
        let dynos = &self.lookout.dynos;
        let crew = |process_type| Crew {
            process_type,
            listed: dynos.iter().filter(|dyno| dyno.process_type == *process_type).count(),
            ran: running(dynos, process_type).count(),
            hoped_for: booting(dynos, process_type, now, self.policy.boot_timeout),
            scaled_down_by: 0,
            short_since: None,
        };
        self.policy.process_types.iter().map(crew).collect()
    }

    /// Writes down what became of a dyno, and logs it unless it is told already.
    pub(super) fn record(&mut self, name: DynoName, outcome: Outcome) {
        let (app, dyno) = (self.lookout.app, &name);
        match &outcome {
            Outcome::Due => {}
            Outcome::Failed(_) => warn!(%app, %dyno, "{dyno} of {app}: {outcome}"),
            // A dyno that is not there cannot be remembered.
            Outcome::Skipped(Skip::Unknown) if self.outcomes.len() > MOST_UNKNOWN => {
                debug!(%app, %dyno, "{dyno} of {app}: {outcome}");
            }
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
