//! Dynos that were told to restart and are not seen up yet, and what a look tells of them.

use std::collections::BTreeSet;

use tokio::time::Instant;

use super::policy::running;
use crate::heroku::{Dyno, DynoName, Error, ProcessType, State};

/// A dyno that was told to restart and is not seen up yet.
pub(super) struct InHand {
    /// As it was before.
    pub(super) old: Dyno,
    pub(super) since: Instant,
    /// The answer to the restart was lost: it may not have been accepted.
    pub(super) lost: Option<Error>,
    /// It was seen in another state than up since.
    went_down: bool,
    /// The names that were listed before the restart.
    listed_before: BTreeSet<DynoName>,
}

/// The dynos of one process type, as the pass found them.
pub(super) struct Crew<'a> {
    pub(super) process_type: &'a ProcessType,
    /// How many run when all is well: as many as when the pass began, or fewer when the app was scaled down since.
    pub(super) size: usize,
    /// Since when too few run for another restart.
    pub(super) short_since: Option<Instant>,
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
    /// `dynos` is what was listed before the restart.
    pub(super) fn new(old: Dyno, lost: Option<Error>, dynos: &[Dyno]) -> Self {
        let listed_before = dynos.iter().map(|dyno| dyno.name.clone()).collect();
        Self { old, since: Instant::now(), lost, went_down: false, listed_before }
    }

    /// What `dynos` tell. `is_whole` says whether so many run, beside those in hand, that this one's place is filled.
    pub(super) fn sight(&mut self, dynos: &[Dyno], is_whole: bool) -> Sight {
        let Some(now) = dynos.iter().find(|dyno| dyno.name == self.old.name) else {
            return self.sight_of_successor(dynos, is_whole);
        };
        match now.state {
            State::Crashed => Sight::Crashed,
            State::Up if now.replaces(&self.old) || self.went_down => Sight::Up { renamed: None },
            State::Up => Sight::Unchanged,
            State::Other(_) => {
                self.went_down = true;
                Sight::Booting
            }
        }
    }

    /// The name is gone, as always on Fir. Which of the new names took its place nobody tells, so dynos are counted.
    fn sight_of_successor(&self, dynos: &[Dyno], is_whole: bool) -> Sight {
        let is_new =
            |dyno: &&Dyno| dyno.process_type == self.old.process_type && !self.listed_before.contains(&dyno.name);
        let newcomer = |state| dynos.iter().filter(is_new).find(|dyno| dyno.state == state);
        if newcomer(State::Crashed).is_some() {
            Sight::Crashed
        } else if is_whole {
            Sight::Up { renamed: newcomer(State::Up).map(|dyno| dyno.name.clone()) }
        } else {
            Sight::Booting
        }
    }
}

/// How many of a type run, not counting those in hand: they are as good as down, whatever the list says.
pub(super) fn running_beside(in_hand: &[InHand], dynos: &[Dyno], process_type: &ProcessType) -> usize {
    let is_in_hand = |dyno: &Dyno| in_hand.iter().any(|in_hand| in_hand.old.name == dyno.name);
    running(dynos, process_type).filter(|dyno| !is_in_hand(dyno)).count()
}
