//! What is known of one dyno that we restarted, and what a look says about it: rule 4.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fleet::{Look, elapsed};
use super::policy::Policy;
use super::report::Failure;
use crate::heroku::{Dyno, DynoName, Error, State};

/// After an accepted restart Heroku shows a new instance within a second or two. When nothing has changed after this
/// long, nothing will.
pub(super) const NEVER_CHANGED: Duration = Duration::from_secs(15);

/// How long after it was seen down last a dyno may have been booting still, if nobody looked. A pass looks every 3 s.
const LONGEST_UNSEEN: Duration = Duration::from_secs(10);

/// A dyno that we restarted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OurDyno {
    /// The newest record seen of it: at first the instance that was restarted.
    pub(super) record: Dyno,
    /// When the answer to the restart came, by our clock.
    pub(super) restarted_at: Timestamp,
    pub(super) state: OurState,
    /// When the last look was asked for that did not show it up.
    #[serde(default)]
    pub(super) seen_down_at: Option<Timestamp>,
    /// On Fir, the dynos of its type that were listed before the restart: the new instance has another name than these.
    pub(super) listed_before: BTreeSet<DynoName>,
    /// The names it had since, oldest first (Fir).
    pub(super) former_names: Vec<DynoName>,
}

/// What is known of a dyno that we restarted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OurState {
    /// The restart was asked for. The list still shows the old instance, up.
    Requested {
        /// The answer to the restart was lost: it may not have been accepted.
        lost: Option<Error>,
    },
    /// It was seen in another state than up.
    Booting,
    /// It is up.
    Up {
        /// When the look was asked for that showed it up first.
        since: Timestamp,
        /// The restart was never seen to happen; it may still come.
        unconfirmed: bool,
    },
    /// It did not come up, or is down again. Automatic restarts of the app are on hold.
    Failed(Failure),
}

/// What a look changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is up again, this long after its restart.
    Up { dyno: DynoName, took: Duration, renamed: Option<DynoName> },
    /// The restart was accepted, but never seen to happen. The dyno is up.
    Unconfirmed(DynoName),
    /// The answer to the restart was lost, and nothing happened for this long: it may be asked for again.
    NotRestarted { dyno: Box<Dyno>, error: Error, waited: Duration },
    /// It did not come up, or is down again: hold.
    Failed { dyno: DynoName, failure: Failure },
    /// A deploy replaced it.
    Deployed { dyno: DynoName, release: Option<u64> },
    /// It was scaled away.
    Gone(DynoName),
    /// It was on hold and is no longer: why.
    HoldEnded { dyno: DynoName, why: HoldEnd },
    /// It was given up on, and may be restarted again.
    ReArmed(DynoName),
}

/// Why a dyno does not put the app on hold any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEnd {
    /// It is up.
    Up,
    /// A deploy replaced it.
    Deployed,
    /// The app was scaled down.
    ScaledAway,
    /// Its restart is longer ago than the window of `GIVE_UP_AFTER`.
    WindowPassed,
}

/// What follows from a look: the state after it, `None` where the dyno is not ours any more, and what there is to say of it.
type Conclusion = (Option<OurState>, Option<Change>);

impl OurDyno {
    pub(super) fn is_in_flight(&self) -> bool {
        matches!(self.state, OurState::Requested { .. } | OurState::Booting)
    }

    /// Until when it booted after our restart, as far as looks showed; `None` if it is not up, or was not restarted.
    pub(super) fn booted_until(&self) -> Option<Timestamp> {
        let OurState::Up { since, unconfirmed: false } = self.state else { return None };
        let seen_down_at = self.seen_down_at.unwrap_or(self.restarted_at).max(self.restarted_at);
        Some(seen_down_at.saturating_add(LONGEST_UNSEEN).map_or(since, |latest| since.min(latest)))
    }

    /// Whether the answer to its restart was lost, and nothing has changed since.
    pub(super) fn is_unsure(&self) -> bool {
        matches!(self.state, OurState::Requested { lost: Some(_) })
    }

    pub(super) fn is_failed(&self) -> bool {
        self.failure().is_some()
    }

    /// What is wrong with it, if it has failed.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            OurState::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// What the report of the pass that restarted it calls it: its first name.
    pub(super) fn restarted_as(&self) -> &DynoName {
        self.former_names.first().unwrap_or(&self.record.name)
    }

    /// What the report says when the pass ends before it was seen up.
    pub(super) fn lost_sight(&self) -> Failure {
        if self.is_unsure() { Failure::Unknown } else { Failure::NotSeenUp }
    }

    /// Whether it should be listed and is not. A list that shows a name it had before is out of date, and a record that
    /// cannot be read may be its own.
    pub(super) fn is_missing(&self, look: &Look) -> bool {
        let is_listed = |name: &DynoName| look.named(name).is_some();
        let may_be_unreadable = look.unreadable > 0 && matches!(self.state, OurState::Up { .. });
        !is_listed(&self.record.name) && !self.former_names.iter().any(is_listed) && !may_be_unreadable
    }

    /// Whether its time to come up is over.
    pub(super) fn is_late(&self, look: &Look, policy: &Policy) -> bool {
        self.is_in_flight() && elapsed(self.restarted_at, look.asked) >= policy.boot_timeout
    }

    /// Takes the record of a look. Whether the dyno is still ours, and what there is to say of it.
    pub(super) fn observe(&mut self, now: &Dyno, look: &Look, policy: &Policy) -> (bool, Option<Change>) {
        let (state, change) = self.conclude(now, look, policy);
        self.record = now.clone();
        if !now.is_up() {
            self.seen_down_at = Some(look.asked);
        }
        let is_ours = state.is_some();
        if let Some(state) = state {
            if matches!((&self.state, &state), (OurState::Up { .. }, OurState::Booting)) {
                // The restart happens only now.
                self.restarted_at = look.asked;
            }
            self.state = state;
        }
        (is_ours, change)
    }

    /// It is not listed, and the formation says whether that is because the app was scaled down. Whether the dyno is still
    /// ours, and what there is to say of it.
    pub(super) fn conclude_missing(
        &mut self,
        is_scaled_away: bool,
        look: &Look,
        policy: &Policy,
    ) -> (bool, Option<Change>) {
        if is_scaled_away {
            let hold_ended = Change::HoldEnded { dyno: self.record.name.clone(), why: HoldEnd::ScaledAway };
            let gone = Change::Gone(self.restarted_as().clone());
            return (false, Some(if self.is_failed() { hold_ended } else { gone }));
        }
        let waited = elapsed(self.restarted_at, look.asked);
        let (dyno, failure) = match self.state {
            OurState::Failed(_) => return (true, None),
            OurState::Up { since, .. } if elapsed(since, look.asked) >= policy.min_age => return (false, None),
            OurState::Up { .. } => (self.record.name.clone(), Failure::DownAgain { after: waited }),
            _ if waited >= policy.boot_timeout => {
                (self.restarted_as().clone(), Failure::NotUp { within: policy.boot_timeout })
            }
            _ => {
                self.state = OurState::Booting;
                return (true, None);
            }
        };
        self.state = OurState::Failed(failure.clone());
        (true, Some(Change::Failed { dyno, failure }))
    }

    fn conclude(&self, now: &Dyno, look: &Look, policy: &Policy) -> Conclusion {
        if now.is_of_later_release(&self.record) {
            let change = match self.state {
                OurState::Failed(_) => Some(Change::HoldEnded { dyno: now.name.clone(), why: HoldEnd::Deployed }),
                OurState::Up { unconfirmed: false, .. } => None,
                _ => Some(Change::Deployed { dyno: self.restarted_as().clone(), release: now.release }),
            };
            return (None, change);
        }
        let waited = elapsed(self.restarted_at, look.asked);
        let is_new = now.replaces(&self.record);
        match &self.state {
            OurState::Requested { lost } => self.conclude_requested(lost.as_ref(), now, waited, look, policy),
            OurState::Booting => self.conclude_booting(now, waited, look, policy),
            OurState::Up { unconfirmed: true, .. } if is_new || !now.is_up() => {
                // The restart that was not seen to happen happens after all.
                self.conclude_booting(now, Duration::ZERO, look, policy)
            }
            OurState::Up { since, .. } => self.conclude_up(*since, now, waited, look, policy),
            OurState::Failed(_) if now.is_up() => {
                (Some(up(look)), Some(Change::HoldEnded { dyno: now.name.clone(), why: HoldEnd::Up }))
            }
            OurState::Failed(_) => (Some(self.state.clone()), None),
        }
    }

    /// The restart was asked for, and the old instance was still up when it was seen last.
    fn conclude_requested(
        &self,
        lost: Option<&Error>,
        now: &Dyno,
        waited: Duration,
        look: &Look,
        policy: &Policy,
    ) -> Conclusion {
        let is_unchanged = now.is_up() && !now.replaces(&self.record) && self.former_names.is_empty();
        match lost {
            _ if !is_unchanged => self.conclude_booting(now, waited, look, policy),
            _ if waited < NEVER_CHANGED => (Some(self.state.clone()), None),
            None => {
                let unconfirmed = OurState::Up { since: look.asked, unconfirmed: true };
                (Some(unconfirmed), Some(Change::Unconfirmed(now.name.clone())))
            }
            Some(error) => {
                (None, Some(Change::NotRestarted { dyno: Box::new(now.clone()), error: error.clone(), waited }))
            }
        }
    }

    /// The restart has happened, and the new instance was not up when it was seen last.
    fn conclude_booting(&self, now: &Dyno, waited: Duration, look: &Look, policy: &Policy) -> Conclusion {
        match &now.state {
            State::Up => {
                let renamed = (!self.former_names.is_empty()).then(|| now.name.clone());
                let took = elapsed(self.restarted_at, look.asked);
                (Some(up(look)), Some(Change::Up { dyno: self.restarted_as().clone(), took, renamed }))
            }
            State::Crashed => failed(self.restarted_as(), Failure::Crashed { after: waited }),
            State::Other(_) if waited >= policy.boot_timeout => {
                failed(self.restarted_as(), Failure::NotUp { within: policy.boot_timeout })
            }
            State::Other(_) => (Some(OurState::Booting), None),
        }
    }

    /// It was up when it was seen last, for the first time at `since`.
    fn conclude_up(&self, since: Timestamp, now: &Dyno, waited: Duration, look: &Look, policy: &Policy) -> Conclusion {
        let is_new = now.replaces(&self.record);
        // A new instance was created when the one before ended; the state of the same instance changed when it ended.
        let ended_at = match now.state {
            _ if is_new => now.created_at,
            State::Up => None,
            _ => now.updated_at,
        };
        let was_up_for = ended_at.map_or(elapsed(since, look.asked), |at| elapsed(look.by_platform_clock(since), at));
        match now.state {
            _ if was_up_for >= policy.min_age => (None, None),
            // An instance that we did not ask for: its time of `MIN_AGE` begins anew.
            State::Up if is_new => (Some(up(look)), None),
            State::Up => (Some(self.state.clone()), None),
            State::Crashed => failed(&now.name, Failure::Crashed { after: waited }),
            State::Other(_) => failed(&now.name, Failure::DownAgain { after: waited }),
        }
    }
}

fn up(look: &Look) -> OurState {
    OurState::Up { since: look.asked, unconfirmed: false }
}

fn failed(dyno: &DynoName, failure: Failure) -> Conclusion {
    (Some(OurState::Failed(failure.clone())), Some(Change::Failed { dyno: dyno.clone(), failure }))
}
