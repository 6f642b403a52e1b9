//! What is remembered of an app from pass to pass: the dynos that we restarted, and what each look says about them.
//!
//! A dyno that we restarted is ours until it has been up for `MIN_AGE`; `our_dyno` says what follows from a look. All of it
//! is plain data without a clock of its own, so it can be written down and read back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fleet::{Look, elapsed};
use super::our_dyno::{Change, HoldEnd, OurDyno, OurState};
use super::outlook::Hold;
use super::policy::Policy;
use crate::heroku::{Dyno, DynoName, Error, ProcessType};
use crate::util::ordered::CollectOrdered;

/// How long a list may be out of date. What follows a primary database is behind by seconds at most.
const LONGEST_OUT_OF_DATE: Duration = Duration::from_secs(15);

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
    known: BTreeMap<DynoName, Known>,
}

/// The newest record seen of a dyno.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    record: Dyno,
    /// Since when lists show an older record.
    contradicted_since: Option<Timestamp>,
}

impl History {
    /// Whether holds or dynos that were given up on are different from before.
    pub(super) fn differs_from(&self, before: &Self) -> bool {
        self.given_up != before.given_up || !self.states().eq(before.states())
    }

    /// What is known of each dyno that we restarted.
    fn states(&self) -> impl Iterator<Item = (&DynoName, &OurState)> {
        self.ours.iter().map(|(name, our)| (name, &our.state))
    }

    /// Remembers a look without drawing conclusions from it. A record that is older than one seen before is replaced by that
    /// one: the answer is out of date. If lists go on showing the older record, it is true.
    pub(super) fn remember(&mut self, look: &mut Look) {
        let mut known = std::mem::take(&mut self.known);
        for dyno in &mut look.dynos {
            let mut contradicted_since = None;
            if let Some(known) = known.remove(&dyno.name)
                && known.record.is_newer_than(dyno)
            {
                let since = known.contradicted_since.unwrap_or(look.asked);
                if elapsed(since, look.asked) < LONGEST_OUT_OF_DATE {
                    contradicted_since = Some(since);
                    *dyno = known.record;
                }
            }
            self.known.insert(dyno.name.clone(), Known { record: dyno.clone(), contradicted_since });
        }
    }

    /// Until when a dyno booted that we restarted and that is up, by our clock.
    pub(super) fn booted_until(&self, dyno: &DynoName) -> Option<Timestamp> {
        self.ours.get(dyno)?.booted_until()
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
    ) -> impl Iterator<Item = &'a OurDyno> {
        self.ours.values().filter(move |our| our.record.process_type == *process_type && our.is_missing(look))
    }

    /// Draws the conclusions for those of them, given how many dynos of the type the app is scaled to.
    pub(super) fn conclude_missing(
        &mut self,
        look: &Look,
        process_type: &ProcessType,
        quantity: usize,
        policy: &Policy,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        self.ours.retain(|name, our| {
            if our.record.process_type != *process_type || !our.is_missing(look) {
                return true;
            }
            let is_scaled_away = look.is_scaled_away(name, process_type, quantity);
            let (is_ours, change) = our.conclude_missing(is_scaled_away, look, policy);
            changes.extend(change);
            is_ours
        });
        changes
    }

    /// A restart was asked for, and was accepted or its answer was `lost`.
    pub(super) fn restarted(&mut self, dyno: &Dyno, at: Timestamp, lost: Option<Error>, look: &Look) {
        let is_kept = |other: &&Dyno| !other.name.is_numbered();
        let listed_before =
            look.of_type(&dyno.process_type).filter(is_kept).map(|dyno| dyno.name.clone()).collect_ordered();
        self.restarts.entry(dyno.name.clone()).or_default().push(at);
        let (state, former_names) = (OurState::Requested { lost }, Vec::new());
        let (record, seen_down_at) = (dyno.clone(), None);
        let our = OurDyno { record, restarted_at: at, state, seen_down_at, listed_before, former_names };
        self.ours.insert(dyno.name.clone(), our);
    }

    /// The dynos that were restarted and are neither up nor failed.
    pub(super) fn in_flight(&self) -> impl Iterator<Item = &OurDyno> {
        self.ours.values().filter(|our| our.is_in_flight())
    }

    /// Whether this dyno was restarted and is neither up nor failed.
    pub(super) fn is_in_flight(&self, dyno: &DynoName) -> bool {
        self.ours.get(dyno).is_some_and(OurDyno::is_in_flight)
    }

    /// The dynos that were restarted and did not come up, or are down again.
    pub(super) fn failed(&self) -> impl Iterator<Item = &OurDyno> {
        self.ours.values().filter(|our| our.is_failed())
    }

    /// The dynos that put automatic restarts on hold when a pass begins: those that failed, and those that an earlier pass
    /// did not see up.
    pub(super) fn not_up(&self) -> impl Iterator<Item = &DynoName> {
        self.on_hold().map(|our| &our.record.name)
    }

    /// The dynos that put automatic restarts on hold, as they are known.
    pub(super) fn on_hold(&self) -> impl Iterator<Item = &OurDyno> {
        self.ours.values().filter(|our| our.is_failed() || our.is_in_flight())
    }

    /// Why automatic restarts are on hold, if they are.
    pub(super) fn hold(&self) -> Option<Hold> {
        let our = self.on_hold().next()?;
        Some(Hold { dyno: our.record.name.clone(), since: our.restarted_at })
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

    /// Whether this knows of the last restart of each dyno of which the other one knows.
    #[must_use]
    pub fn knows_all_of(&self, other: &Self) -> bool {
        let is_known = |(dyno, restarts): (_, &Vec<_>)| {
            restarts.last().is_none_or(|last| self.restarts.get(dyno).is_some_and(|restarts| restarts.contains(last)))
        };
        other.restarts.iter().all(is_known)
    }

    /// Adds what another process remembered, or this one at another time. Of each dyno, what is known since its last restart
    /// counts.
    pub fn merge(&mut self, other: Self) {
        for (name, our) in other.ours {
            let restarted_since = self.last_restart(&name).is_some_and(|at| at > our.restarted_at);
            let is_known_since = self.ours.get(&name).is_some_and(|ours| ours.restarted_at > our.restarted_at);
            if !restarted_since && !is_known_since {
                self.ours.insert(name, our);
            }
        }
        for (dyno, restarts) in other.restarts {
            let known = self.restarts.entry(dyno).or_default();
            known.extend(restarts);
            known.sort();
            known.dedup();
        }
        self.given_up.extend(other.given_up);
        for (name, known) in other.known {
            let is_newer = self.known.get(&name).is_none_or(|ours| !ours.record.is_newer_than(&known.record));
            if is_newer {
                self.known.insert(name, known);
            }
        }
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

    /// On Fir a dyno comes back under another name. Nothing says which of the new names took its place. So one is chosen
    /// that was not listed before the restart and that is none of ours, and one that is not up if there is any: a wrong choice
    /// then only means to wait too long.
    fn adopt_successors(&mut self, look: &Look) {
        let is_missing = |our: &OurDyno| look.named(&our.record.name).is_none() && !our.record.name.is_numbered();
        let mut missing: Vec<_> = self.ours.values().filter(|our| is_missing(our)).cloned().collect();
        missing.sort_by_key(|our| our.restarted_at);
        for mut our in missing {
            let is_new = |dyno: &&Dyno| !our.listed_before.contains(&dyno.name) && !self.ours.contains_key(&dyno.name);
            let successor = look
                .of_type(&our.record.process_type)
                .filter(is_new)
                .min_by_key(|dyno| (dyno.is_up(), dyno.created_at));
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
