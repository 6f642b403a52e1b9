//! The dynos of an app as one look shows them, and how many of them a pass expects to run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::heroku::{Dyno, DynoName, Listing, ProcessType, State};
use crate::util::ordered::CollectOrdered;

/// How long the answer to a look may take so that a dyno may be restarted on what it shows. Heroku answers within a second. A
/// later list is too old to restart a dyno by.
pub(super) const LONGEST_LOOK: Duration = Duration::from_secs(3);

/// The dynos of an app at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// When the list was asked for, by our clock. What it shows is not older.
    pub asked: Timestamp,
    /// When the answer came, by our clock.
    pub answered: Timestamp,
    /// The same moment by the platform's clock, cut to the second.
    pub at: Timestamp,
    /// One record for each name, in order of the names.
    pub dynos: Vec<Dyno>,
    /// How many records could not be read.
    pub unreadable: usize,
    /// How many API calls the account has left, if the API said so.
    pub allowance: Option<u32>,
    /// How many API calls the look took.
    pub calls: u32,
}

/// How many dynos of one process type a pass expects to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Capacity {
    /// Those that ran when the pass began, and those that were booting.
    expected: BTreeSet<DynoName>,
    /// Those of them that were booting. They may stay down by themselves.
    booting: BTreeSet<DynoName>,
    /// All that were listed when the pass began.
    listed: BTreeSet<DynoName>,
    /// Since when too few run for another restart.
    short_since: Option<Timestamp>,
}

/// Whether another dyno may be taken down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// Enough dynos run.
    Enough,
    /// Too few run; those that are missing may come up.
    Wait,
    /// Too few run, and no one else comes up.
    Short { running: usize, needed: usize },
}

impl Look {
    pub(super) fn new(listing: Listing, asked: Timestamp, answered: Timestamp, allowance: Option<u32>) -> Self {
        let Listing { dynos, calls, unreadable, at, .. } = listing;
        Self { asked, answered, at, dynos: one_record_a_name(dynos), unreadable, allowance, calls }
    }

    /// The dyno of this name, if it is listed.
    pub(super) fn named(&self, name: &DynoName) -> Option<&Dyno> {
        self.dynos.iter().find(|dyno| dyno.name == *name)
    }

    /// The dynos of a process type.
    pub(super) fn of_type<'a>(&'a self, process_type: &'a ProcessType) -> impl Iterator<Item = &'a Dyno> {
        self.dynos.iter().filter(move |dyno| dyno.process_type == *process_type)
    }

    /// The dynos of a process type that serve.
    pub(super) fn running<'a>(&'a self, process_type: &'a ProcessType) -> impl Iterator<Item = &'a Dyno> {
        self.of_type(process_type).filter(|dyno| dyno.is_up())
    }

    /// Whether a dyno that is not listed was scaled away, given how many there should be. On Cedar its number says so; on Fir it
    /// was if all that should be listed are.
    pub(super) fn is_scaled_away(&self, dyno: &DynoName, process_type: &ProcessType, quantity: usize) -> bool {
        match dyno.number() {
            Some(number) => number > quantity,
            None => self.of_type(process_type).count() >= quantity,
        }
    }

    /// A time of our clock by the platform's clock. The result may be early by the time that the answer took and by the
    /// second to which the platform cuts; it is never late, so a process never seems older than it is.
    pub(super) fn by_platform_clock(&self, ours: Timestamp) -> Timestamp {
        self.at.saturating_sub(self.answered.duration_since(ours)).unwrap_or(self.at)
    }

    /// How long ago a time of the platform's clock was. A time in the future is zero.
    pub(super) fn since(&self, time: Timestamp) -> Duration {
        elapsed(time, self.at)
    }
}

impl Capacity {
    /// As a pass finds it. A dyno that is not up and started less than `boot_timeout` ago is booting: another restarter, or
    /// this one before its own restart, may have restarted it.
    pub(super) fn at_start(look: &Look, process_type: &ProcessType, boot_timeout: Duration) -> Self {
        let is_booting = |dyno: &&Dyno| {
            matches!(dyno.state, State::Other(_)) && dyno.created_at.is_some_and(|at| look.since(at) < boot_timeout)
        };
        let name = |dyno: &Dyno| dyno.name.clone();
        let booting: BTreeSet<_> = look.of_type(process_type).filter(is_booting).map(name).collect_ordered();
        let expected = look.running(process_type).map(name).chain(booting.iter().cloned()).collect_ordered();
        let listed = look.of_type(process_type).map(name).collect_ordered();
        Self { expected, booting, listed, short_since: None }
    }

    /// Whether one more dyno may be taken down while `running` run beside those in flight.
    pub(super) fn room(&mut self, running: usize, may_be_down: usize, look: &Look, boot_timeout: Duration) -> Room {
        let needed = (self.expected.len() + 1).saturating_sub(may_be_down);
        if running >= needed {
            self.short_since = None;
            return Room::Enough;
        }
        let since = *self.short_since.get_or_insert(look.asked);
        if elapsed(since, look.asked) < boot_timeout {
            return Room::Wait;
        }
        let still_down = |name: &&DynoName| look.named(name).is_none_or(|dyno| !dyno.is_up());
        let still_down: Vec<_> = self.booting.iter().filter(still_down).cloned().collect();
        if still_down.is_empty() {
            return Room::Short { running, needed };
        }
        // They were down before the pass and stay down: the pass does not depend on them.
        self.forget(&still_down);
        self.short_since = None;
        Room::Wait
    }

    /// When the pass stops waiting for missing dynos.
    pub(super) fn waits_until(&self, boot_timeout: Duration) -> Option<Timestamp> {
        self.short_since?.checked_add(boot_timeout).ok()
    }

    /// Since when too few dynos run.
    pub(super) fn short_since(&self) -> Option<Timestamp> {
        self.short_since
    }

    /// The expected dynos that are not listed any more. A new dyno may have taken the place of one (Fir): then it does not
    /// count as missing.
    pub(super) fn missing<'a>(&'a self, look: &'a Look, of: &'a ProcessType) -> impl Iterator<Item = &'a DynoName> {
        let is_new = |dyno: &&Dyno| !dyno.name.is_numbered() && !self.listed.contains(&dyno.name);
        let new = look.of_type(of).filter(is_new).count();
        self.expected.iter().filter(|name| look.named(name).is_none()).skip(new)
    }

    /// The app was scaled down: these dynos are not expected any more.
    pub(super) fn forget<'a>(&mut self, names: impl IntoIterator<Item = &'a DynoName>) {
        for name in names {
            self.expected.remove(name);
            self.booting.remove(name);
        }
    }

    /// A dyno came back under another name (Fir).
    pub(super) fn rename(&mut self, from: &DynoName, to: &DynoName) {
        if self.expected.remove(from) {
            self.expected.insert(to.clone());
        }
        self.listed.insert(to.clone());
    }
}

/// How long after `earlier` is `later`; zero when it is before.
pub(super) fn elapsed(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}

/// While an old and a new instance overlap (preboot) a name may be listed twice: the later instance counts.
fn one_record_a_name(dynos: Vec<Dyno>) -> Vec<Dyno> {
    let mut by_name: BTreeMap<DynoName, Dyno> = BTreeMap::new();
    for dyno in dynos {
        if by_name.get(&dyno.name).is_none_or(|known| !known.replaces(&dyno)) {
            by_name.insert(dyno.name.clone(), dyno);
        }
    }
    by_name.into_values().collect()
}
