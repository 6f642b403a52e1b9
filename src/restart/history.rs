//! What is remembered of an app from pass to pass: the dynos that we restarted, and what each look tells of them.
//!
//! A dyno that we restarted is ours until it has been up for `MIN_AGE`; `our_dyno` says what a look tells of one. All of it
//! is plain data without a clock of its own, so it can be written down and read back.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fleet::{Look, elapsed};
use super::our_dyno::{Change, HoldEnd, OurDyno, OurState};
use super::policy::Policy;
use super::report::Failure;
use crate::heroku::{Dyno, DynoName, Error, ProcessType};

/// What is remembered of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When each dyno was restarted, oldest first.
    restarts: BTreeMap<DynoName, Vec<Timestamp>>,
    /// The dynos that were given up on, until they may be restarted again.
    given_up: BTreeSet<DynoName>,
    /// The dynos that we restarted and that have not been up for `MIN_AGE` since.
    ours: BTreeMap<DynoName, OurDyno>,
    /// The newest record seen of each dyno of the last list. An answer may be out of date.
    known: BTreeMap<DynoName, Dyno>,
}

impl History {
    /// Remembers a look without drawing conclusions from it.
    pub(super) fn remember(&mut self, look: &mut Look) {
        for dyno in &mut look.dynos {
            // A record that is older than one seen before is out of date, whatever else the answer shows.
            match self.known.remove(&dyno.name) {
                Some(known) if known.is_newer_than(dyno) => *dyno = known,
                _ => {}
            }
        }
        self.known = look.dynos.iter().map(|dyno| (dyno.name.clone(), dyno.clone())).collect();
    }

    /// Whether the last list showed any dynos.
    pub(super) fn knows_any(&self) -> bool {
        !self.known.is_empty()
    }

    /// Draws the conclusions of a look. Dynos that are not listed are left to [`History::conclude_missing`].
    pub(super) fn observe(&mut self, look: &Look, policy: &Policy) -> Vec<Change> {
        let mut changes = self.forget_old(look.asked, policy);
        self.adopt_successors(look);
        let mut restarts_undone = Vec::new();
        self.ours.retain(|name, our| {
            let Some(record) = look.named(name) else { return true };
            let (is_ours, change) = our.observe(record, look, policy);
            if let Some(Change::NotRestarted { dyno, .. }) = &change {
                restarts_undone.push(dyno.name.clone());
            }
            changes.extend(change);
            is_ours
        });
        for name in restarts_undone {
            self.restarts.entry(name).or_default().pop();
        }
        changes
    }

    /// Our dynos of a process type that the look does not list.
    pub(super) fn missing<'a>(
        &'a self,
        look: &'a Look,
        process_type: &'a ProcessType,
    ) -> impl Iterator<Item = &'a DynoName> {
        let is_missing = |name: &DynoName| look.named(name).is_none();
        let missing = self.ours.iter().filter(move |(name, our)| {
            // A list that shows a name it had before is out of date.
            let is_out_of_date = !our.former_names.iter().all(is_missing);
            our.record.process_type == *process_type && is_missing(name) && !is_out_of_date
        });
        missing.map(|(name, _)| name)
    }

    /// Draws the conclusion of the formation: whether our dynos of a process type that are not listed were scaled away.
    pub(super) fn conclude_missing(
        &mut self,
        look: &Look,
        process_type: &ProcessType,
        is_scaled_away: bool,
        policy: &Policy,
    ) -> Vec<Change> {
        let missing: BTreeSet<DynoName> = self.missing(look, process_type).cloned().collect();
        let mut changes = Vec::new();
        self.ours.retain(|name, our| {
            if !missing.contains(name) {
                return true;
            }
            let (is_ours, change) = our.conclude_missing(is_scaled_away, look, policy);
            changes.extend(change);
            is_ours
        });
        changes
    }

    /// A restart was asked for, and was accepted or its answer was `lost`.
    pub(super) fn restarted(&mut self, dyno: &Dyno, at: Timestamp, lost: Option<Error>, look: &Look) {
        let is_kept = |other: &&Dyno| !other.name.is_numbered();
        let listed_before = look.of_type(&dyno.process_type).filter(is_kept).map(|dyno| dyno.name.clone()).collect();
        self.restarts.entry(dyno.name.clone()).or_default().push(at);
        let (state, former_names) = (OurState::Requested { lost }, Vec::new());
        let our = OurDyno { record: dyno.clone(), restarted_at: at, state, listed_before, former_names };
        self.ours.insert(dyno.name.clone(), our);
    }

    /// The dynos that were restarted and are neither up nor failed.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = (&DynoName, &OurDyno)> {
        self.ours.iter().filter(|(_, our)| our.is_in_flight())
    }

    /// Whether this dyno was restarted and is neither up nor failed.
    pub(super) fn is_in_flight(&self, dyno: &DynoName) -> bool {
        self.ours.get(dyno).is_some_and(OurDyno::is_in_flight)
    }

    /// The dynos that put automatic restarts on hold.
    pub(super) fn failed(&self) -> impl Iterator<Item = (&DynoName, &OurDyno)> {
        self.ours.iter().filter(|(_, our)| our.is_failed())
    }

    /// The pass ends before these dynos were seen up: they put automatic restarts on hold.
    pub(super) fn lose_sight(&mut self) -> Vec<(DynoName, Failure)> {
        let mut lost = Vec::new();
        for our in self.ours.values_mut().filter(|our| our.is_in_flight()) {
            let failure = match our.state {
                OurState::Requested { lost: Some(_) } => Failure::Unknown,
                _ => Failure::NotSeenUp,
            };
            our.state = OurState::Failed(failure.clone());
            lost.push((our.restarted_as().clone(), failure));
        }
        lost
    }

    /// When this dyno was restarted last.
    pub(super) fn last_restart(&self, dyno: &DynoName) -> Option<Timestamp> {
        self.restarts.get(dyno)?.last().copied()
    }

    /// When this dyno may be restarted again, where it was restarted too often within the window.
    pub(super) fn given_up_until(&self, dyno: &DynoName, now: Timestamp, policy: &Policy) -> Option<Timestamp> {
        let (limit, window) = (policy.give_up_after.restarts.get(), policy.give_up_after.window);
        let restarts = self.restarts.get(dyno)?;
        let first_to_count = *restarts.get(restarts.len().checked_sub(limit)?)?;
        first_to_count.checked_add(window).ok().filter(|until| *until > now)
    }

    /// Gives up on a dyno. Whether that is new.
    pub(super) fn give_up(&mut self, dyno: &DynoName) -> bool {
        self.given_up.insert(dyno.clone())
    }

    /// Forgets what is too old to matter.
    fn forget_old(&mut self, now: Timestamp, policy: &Policy) -> Vec<Change> {
        let window = policy.give_up_after.window;
        let kept = window.max(policy.min_age);
        for restarts in self.restarts.values_mut() {
            restarts.retain(|at| elapsed(*at, now) < kept);
        }
        self.restarts.retain(|_, restarts| !restarts.is_empty());
        let mut changes = Vec::new();
        let on_hold_too_long = |our: &OurDyno| our.is_failed() && elapsed(our.restarted_at, now) >= window;
        for dyno in self.ours.iter().filter(|(_, our)| on_hold_too_long(our)).map(|(name, _)| name) {
            changes.push(Change::HoldEnded { dyno: dyno.clone(), why: HoldEnd::WindowPassed });
        }
        self.ours.retain(|_, our| !on_hold_too_long(our));
        let may_restart = |dyno: &&DynoName| self.given_up_until(dyno, now, policy).is_none();
        let re_armed: Vec<_> = self.given_up.iter().filter(may_restart).cloned().collect();
        for dyno in re_armed {
            self.given_up.remove(&dyno);
            changes.push(Change::ReArmed(dyno));
        }
        changes
    }

    /// On Fir a dyno comes back under another name. Nobody tells which of the new names took its place, so the oldest one
    /// that was not listed before the restart, and that no other of ours has, is taken.
    fn adopt_successors(&mut self, look: &Look) {
        let is_missing = |our: &OurDyno| look.named(&our.record.name).is_none() && !our.record.name.is_numbered();
        let mut missing: Vec<_> = self.ours.values().filter(|our| is_missing(our)).cloned().collect();
        missing.sort_by_key(|our| our.restarted_at);
        for mut our in missing {
            let is_new = |dyno: &&Dyno| !our.listed_before.contains(&dyno.name) && !self.ours.contains_key(&dyno.name);
            let successor = look.of_type(&our.record.process_type).filter(is_new).min_by_key(|dyno| dyno.created_at);
            let Some(successor) = successor else { continue };
            let before = our.record.name.clone();
            self.ours.remove(&before);
            if let Some(restarts) = self.restarts.remove(&before) {
                self.restarts.entry(successor.name.clone()).or_default().extend(restarts);
            }
            our.listed_before.insert(before.clone());
            our.former_names.push(before);
            our.record.name = successor.name.clone();
            self.ours.insert(successor.name.clone(), our);
        }
    }
}
