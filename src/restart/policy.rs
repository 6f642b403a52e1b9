//! Which dynos are due: the rules that look at one dyno and what is remembered of it.

use std::collections::{HashMap, HashSet};
use std::mem::discriminant;
use std::num::NonZeroUsize;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::report::Skip;
use super::target::{Wanted, When};
use crate::heroku::{Dyno, DynoName, LONGEST_LIFE, ProcessType, State};

/// After an accepted restart Heroku shows a new instance within a second or two. When nothing has changed after this
/// long, nothing will.
pub(super) const NEVER_CHANGED: Duration = Duration::from_secs(15);

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
    /// How many dynos of one process type may be down at once because of us.
    pub max_unavailable: NonZeroUsize,
    /// When restarting one dyno again and again is no use.
    pub give_up_after: GiveUp,
}

/// So many restarts of one dyno within the window, and it is left alone until the first of them is that long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveUp {
    /// How many restarts.
    pub restarts: NonZeroUsize,
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
    /// Dynos that are down because of us, as far as is known.
    halts: HashMap<DynoName, Halt>,
}

/// A restarted dyno did not come up, or was not seen to: automatic restarts of the app pause.
#[derive(Clone, Debug)]
pub(super) struct Halt {
    /// As it was before its restart.
    pub(super) old: Dyno,
    /// When it was restarted.
    pub(super) since: Instant,
    /// Whether it was seen down since. If not, it is up only when that is a new instance, or when nothing has changed.
    pub(super) seen_down: bool,
    /// How many dynos of its type ran when the pass began.
    pub(super) crew: usize,
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
    pub(super) fn judge(&self, dyno: &Dyno, now: Timestamp, wanted: &Wanted, history: &History) -> Result<(), Skip> {
        if !dyno.is_up() {
            return Err(Skip::NotUp(dyno.state.clone()));
        }
        if wanted.forced_when(&dyno.name).is_some_and(|when| late(dyno, now, when).is_none()) {
            return Ok(());
        }
        if let Some(late) = wanted.when(&dyno.name).and_then(|when| late(dyno, now, when)) {
            return Err(late);
        }
        if let Some(down) = history.halts.keys().min() {
            return Err(Skip::Halted(down.clone()));
        }
        // A record that does not say when it was created counts as old; one from the future, as new.
        if let Some(created_at) = dyno.created_at {
            let age = age(now, created_at);
            if age < self.min_age {
                return Err(Skip::Young { age, min_age: self.min_age });
            }
        }
        let (restarts, window) = (self.give_up_after.restarts.get(), self.give_up_after.window);
        let recent = history.recent_restarts(&dyno.name);
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
            self.restarts.entry(to.clone()).or_default().extend(restarts);
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
        self.halts.insert(halt.old.name.clone(), halt);
    }

    /// Brings what is remembered up to date with what `dynos` shows, and says what is new since last time.
    pub(super) fn update(&mut self, dynos: &[Dyno], limit: GiveUp) -> Vec<News> {
        let mut news = Vec::new();
        let over = self.halts.extract_if(|_, halt| halt.is_over(dynos, limit.window));
        news.extend(over.map(|(name, _)| News::Resumed(name)));
        for restarts in self.restarts.values_mut() {
            restarts.retain(|at| at.elapsed() < limit.window);
        }
        self.restarts.retain(|_, restarts| !restarts.is_empty());
        self.halt_for_crashes(dynos);
        self.told.retain(|name, _| named(dynos, name).is_some());
        let restarts = |name: &DynoName| self.restarts.get(name).map_or(0, Vec::len);
        news.extend(self.given_up.extract_if(|name| restarts(name) < limit.restarts.get()).map(News::ReArmed));
        news
    }

    /// A dyno that crashed after its restart did not come up, even if it was seen up in between.
    fn halt_for_crashes(&mut self, dynos: &[Dyno]) {
        for dyno in dynos.iter().filter(|dyno| dyno.state == State::Crashed) {
            if let Some(&since) = self.recent_restarts(&dyno.name).last() {
                let halt = || Halt { old: dyno.clone(), since, seen_down: true, crew: 0 };
                self.halts.entry(dyno.name.clone()).or_insert_with(halt);
            }
        }
    }

    /// Those within the window, as of the last update.
    fn recent_restarts(&self, name: &DynoName) -> &[Instant] {
        self.restarts.get(name).map_or(&[], Vec::as_slice)
    }
}

impl Halt {
    fn is_over(&self, dynos: &[Dyno], window: Duration) -> bool {
        let elapsed = self.since.elapsed();
        let up_again = match named(dynos, &self.old.name) {
            Some(dyno) => dyno.is_up() && (self.seen_down || dyno.replaces(&self.old) || elapsed >= NEVER_CHANGED),
            None => running(dynos, &self.old.process_type).count() >= self.crew,
        };
        up_again || elapsed >= window
    }
}

/// How many dynos of a type, beside those that serve, started so lately that they may well serve soon: another
/// restarter, or we ourselves before we were restarted, may have a hand in it.
pub(super) fn booting(dynos: &[Dyno], process_type: &ProcessType, now: Timestamp, boot_timeout: Duration) -> usize {
    let is_young = |dyno: &Dyno| dyno.created_at.is_some_and(|at| age(now, at) < boot_timeout);
    let boots = |dyno: &&Dyno| matches!(dyno.state, State::Other(_)) && is_young(dyno);
    dynos.iter().filter(|dyno| dyno.process_type == *process_type).filter(boots).count()
}

/// What happened before this instance was created describes a process that is gone.
fn late(dyno: &Dyno, now: Timestamp, when: When) -> Option<Skip> {
    let When::At { time, skew } = when else { return None };
    let ago = age(now, time);
    match dyno.created_at {
        Some(created_at) if created_at.duration_since(time) > skew => {
            Some(Skip::Late { ago, age: Some(age(now, created_at)) })
        }
        _ => (ago > LONGEST_LIFE).then_some(Skip::Late { ago, age: None }),
    }
}

/// A time in the future is no age at all.
fn age(now: Timestamp, created_at: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(created_at)).unwrap_or_default()
}

/// The dyno of this name, if it is listed.
pub(super) fn named<'a>(dynos: &'a [Dyno], name: &DynoName) -> Option<&'a Dyno> {
    dynos.iter().find(|dyno| dyno.name == *name)
}

/// The dynos of a process type that serve.
pub(super) fn running<'a>(dynos: &'a [Dyno], process_type: &'a ProcessType) -> impl Iterator<Item = &'a Dyno> {
    dynos.iter().filter(move |dyno| dyno.process_type == *process_type && dyno.is_up())
}
