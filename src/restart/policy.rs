//! Which dynos are due: the rules that look at one dyno and what is remembered of it.

use std::collections::{HashMap, HashSet};
use std::mem::discriminant;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::report::Skip;
use crate::heroku::{Dyno, DynoName, ProcessType};

/// How carefully to restart.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The process types to restart, in this order.
    pub process_types: Vec<ProcessType>,
    /// A dyno that started less than this ago is left alone.
    pub min_age: Duration,
    /// How long a restarted dyno may take to be up again.
    pub boot_timeout: Duration,
    /// Pause after a dyno is up, before the next one.
    pub settle_time: Duration,
    /// How many dynos of one process type may be down at once because of us; at least 1.
    pub max_unavailable: usize,
    /// When restarting one dyno again and again is no use.
    pub give_up_after: GiveUp,
}

/// So many restarts of one dyno within the window, and it is left alone until the first of them is that long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// At least 1.
    pub restarts: usize,
    /// How far back restarts count.
    pub window: Duration,
}

/// What is remembered of an app from pass to pass. It is lost with the process; what must hold across our own restarts,
/// the age of a dyno, is kept by Heroku.
#[derive(Debug, Default)]
pub(super) struct History {
    restarts: HashMap<DynoName, Vec<Instant>>,
    /// Dynos that were given up on, until they may be restarted again.
    given_up: HashSet<DynoName>,
    /// Why a dyno was left alone the last time.
    told: HashMap<DynoName, Skip>,
    halt: Option<Halt>,
}

/// A restarted dyno did not come up: automatic restarts of the app pause.
#[derive(Clone, Debug)]
pub(super) struct Halt {
    pub(super) dyno: DynoName,
    pub(super) process_type: ProcessType,
    /// How many dynos of the type ran when the pass began that the dyno failed in.
    pub(super) crew: usize,
    pub(super) since: Instant,
}

/// What is no longer in the way of automatic restarts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The restarts of this dyno are long enough ago.
    ReArmed(DynoName),
    /// This dyno did not come up, and is up again or long enough ago.
    Resumed(DynoName),
}

impl Policy {
    /// Whether a dyno is due, and if not, why. `now` is the platform's time.
    pub(super) fn judge(&self, dyno: &Dyno, now: Timestamp, forced: bool, history: &History) -> Result<(), Skip> {
        if !dyno.is_up() {
            return Err(Skip::NotUp(dyno.state.clone()));
        }
        if forced {
            return Ok(());
        }
        if let Some(halt) = &history.halt {
            return Err(Skip::Halted(halt.dyno.clone()));
        }
        // A record that does not say when it was created counts as old; one from the future, as new.
        if let Some(created_at) = dyno.created_at {
            let age = Duration::try_from(now.duration_since(created_at)).unwrap_or_default();
            if age < self.min_age {
                return Err(Skip::Young { age, min_age: self.min_age });
            }
        }
        let GiveUp { restarts, window } = self.give_up_after;
        let recent = history.recent_restarts(&dyno.name, window);
        if recent.len() >= restarts {
            let first_to_count = recent[recent.len() - restarts];
            let re_armed_in = window.saturating_sub(first_to_count.elapsed());
            return Err(Skip::GivenUp { restarts, window, re_armed_in });
        }
        Ok(())
    }
}

impl History {
    pub(super) fn note_restart(&mut self, name: &DynoName, at: Instant) {
        self.restarts.entry(name.clone()).or_default().push(at);
        self.told.remove(name);
    }

    /// A dyno came back under another name (Fir): what is remembered of it goes along.
    pub(super) fn rename(&mut self, from: &DynoName, to: &DynoName) {
        if let Some(restarts) = self.restarts.remove(from) {
            self.restarts.insert(to.clone(), restarts);
        }
    }

    /// Whether leaving a dyno alone is worth a word. An alert may come every few seconds; the log says a thing once.
    pub(super) fn is_news(&mut self, name: &DynoName, skip: &Skip) -> bool {
        let before = self.told.insert(name.clone(), skip.clone());
        match skip {
            Skip::GivenUp { .. } => self.given_up.insert(name.clone()),
            _ => before.is_none_or(|before| discriminant(&before) != discriminant(skip)),
        }
    }

    pub(super) fn halt(&mut self, halt: Halt) {
        self.halt = Some(halt);
    }

    /// Brings what is remembered up to date with what `dynos` shows, and says what is new since last time.
    pub(super) fn update(&mut self, dynos: &[Dyno], limit: GiveUp) -> Vec<News> {
        let mut news = Vec::new();
        if let Some(halt) = self.halt.take_if(|halt| halt.is_over(dynos, limit.window)) {
            news.push(News::Resumed(halt.dyno));
        }
        for restarts in self.restarts.values_mut() {
            restarts.retain(|at| at.elapsed() < limit.window);
        }
        self.restarts.retain(|_, restarts| !restarts.is_empty());
        self.told.retain(|name, _| dynos.iter().any(|dyno| dyno.name == *name));
        let restarts = |name: &DynoName| self.restarts.get(name).map_or(0, Vec::len);
        news.extend(self.given_up.extract_if(|name| restarts(name) < limit.restarts).map(News::ReArmed));
        news
    }

    fn recent_restarts(&self, name: &DynoName, window: Duration) -> Vec<Instant> {
        let restarts = self.restarts.get(name).into_iter().flatten();
        restarts.filter(|at| at.elapsed() < window).copied().collect()
    }
}

impl Halt {
    fn is_over(&self, dynos: &[Dyno], window: Duration) -> bool {
        let up_again = match dynos.iter().find(|dyno| dyno.name == self.dyno) {
            Some(dyno) => dyno.is_up(),
            None => running(dynos, &self.process_type).count() >= self.crew,
        };
        up_again || self.since.elapsed() >= window
    }
}

/// The dynos of a process type that serve.
pub(super) fn running<'a>(dynos: &'a [Dyno], process_type: &'a ProcessType) -> impl Iterator<Item = &'a Dyno> {
    dynos.iter().filter(move |dyno| dyno.process_type == *process_type && dyno.is_up())
}
