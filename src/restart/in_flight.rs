//! Dynos that were told to restart and are not seen up yet, and what a look tells of them.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::policy::{Halt, named, running};
use crate::heroku::{Dyno, DynoName, Error, ProcessType, State};

/// A dyno that was told to restart and is not seen up yet.
pub(super) struct InHand {
    /// As it was before.
    pub(super) old: Dyno,
    pub(super) since: Instant,
    /// The answer to the restart was lost: it may not have been accepted.
    pub(super) lost: Option<Error>,
    /// It was seen in another state than up since.
    pub(super) went_down: bool,
    /// How many of its type run when all is well.
    pub(super) crew: usize,
}

/// The dynos of one process type, as the pass found them.
pub(super) struct Crew<'a> {
    pub(super) process_type: &'a ProcessType,
    /// How many were listed, running or not.
    pub(super) listed: usize,
    /// How many ran.
    pub(super) ran: usize,
    /// How many of those that did not run may be waited for: they were booting.
    pub(super) hoped_for: usize,
    /// How many fewer the app was scaled to since.
    pub(super) scaled_down_by: usize,
    /// Since when too few run for another restart.
    pub(super) short_since: Option<Instant>,
}

impl Crew<'_> {
    /// How many run when all is well.
    pub(super) fn size(&self) -> usize {
        (self.ran + self.hoped_for).saturating_sub(self.scaled_down_by)
    }
}

/// What a look tells of a dyno in hand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// A new instance is up.
    Up {
        /// What it is called, where that is something else.
        renamed: Option<DynoName>,
    },
    /// It has crashed.
    Crashed,
    /// It is neither up nor crashed.
    Booting,
    /// Still the old instance, still up.
    Unchanged,
}

impl InHand {
    pub(super) fn new(old: Dyno, lost: Option<Error>, crew: usize) -> Self {
        Self { old, since: Instant::now(), lost, went_down: false, crew }
    }

    /// What the next passes must remember of it: it may be down because of us.
    pub(super) fn into_halt(self, seen_down: bool) -> Halt {
        Halt { old: self.old, since: self.since, seen_down, crew: self.crew }
    }

    /// What `dynos` tell. `is_whole` says whether so many run, beside those in hand, that this one's place is filled, and
    /// `known` who cannot have filled it.
    pub(super) fn sight(&mut self, dynos: &[Dyno], is_whole: bool, known: &BTreeSet<&DynoName>) -> Sight {
        match named(dynos, &self.old.name) {
            // The name is gone, as always on Fir. Which of the new names took its place nobody tells, so they are counted.
            None if is_whole => Sight::Up { renamed: self.successor(dynos, known) },
            None => Sight::Booting,
            Some(now) => match now.state {
                State::Crashed => Sight::Crashed,
                State::Up if now.replaces(&self.old) || self.went_down => Sight::Up { renamed: None },
                State::Up => Sight::Unchanged,
                State::Other(_) => {
                    self.went_down = true;
                    Sight::Booting
                }
            },
        }
    }

    fn successor(&self, dynos: &[Dyno], known: &BTreeSet<&DynoName>) -> Option<DynoName> {
        let mut names = running(dynos, &self.old.process_type).map(|dyno| &dyno.name);
        names.find(|name| !known.contains(name)).cloned()
    }
}

/// How many of a type run, not counting those in hand: they are as good as down, whatever the list says.
pub(super) fn running_beside(in_hand: &[InHand], dynos: &[Dyno], process_type: &ProcessType) -> usize {
    let is_in_hand = |dyno: &Dyno| in_hand.iter().any(|in_hand| in_hand.old.name == dyno.name);
    running(dynos, process_type).filter(|dyno| !is_in_hand(dyno)).count()
}
