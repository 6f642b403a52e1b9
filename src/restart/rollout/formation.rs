//! Dynos that are not listed any more: the formation says whether they were scaled away.

use std::collections::BTreeSet;

use super::{Phase, Rollout};
use crate::heroku::{DynoName, ProcessType};
use crate::restart::our_dyno::Change;

impl Rollout {
    /// The first process type with missing dynos for which the formation is to be asked.
    pub(super) fn formation_to_ask(&self) -> Option<ProcessType> {
        let is_to_ask = |process_type: &ProcessType| {
            let missing = self.missing(process_type);
            !missing.is_empty() && self.asked_formation_for.get(process_type) != Some(&missing)
        };
        self.policy.process_types.iter().find(|it| is_to_ask(it)).filter(|_| self.phase != Phase::Blind).cloned()
    }

    /// How many dynos of a type the app is scaled to, if the API told. When it did not, nothing is assumed.
    pub(super) fn formation_told(&mut self, process_type: &ProcessType, quantity: Option<usize>) {
        let Some(look) = &self.look else { return };
        let is_scaled_away = quantity.is_some_and(|quantity| look.of_type(process_type).count() >= quantity);
        self.asked_formation_for.insert(process_type.clone(), self.missing(process_type));
        let changes = self.conclude_missing(process_type, is_scaled_away);
        if is_scaled_away {
            self.look_at = self.now;
        }
        self.conclude(changes);
        if self.phase == Phase::Choosing && self.formation_to_ask().is_none() {
            self.choose();
            self.look_at = self.now;
        }
    }

    pub(super) fn conclude_missing(&mut self, process_type: &ProcessType, is_scaled_away: bool) -> Vec<Change> {
        let Some(look) = &self.look else { return Vec::new() };
        if is_scaled_away && let Some(capacity) = self.capacity.get_mut(process_type) {
            let missing: Vec<_> = capacity.missing(look, process_type).cloned().collect();
            capacity.forget(&missing);
        }
        self.history.conclude_missing(look, process_type, is_scaled_away, &self.policy)
    }

    /// The dynos of a type that should be listed and are not, as far as it matters: our own and, when too few run for the
    /// next restart, those that the pass expects.
    pub(super) fn missing(&self, process_type: &ProcessType) -> BTreeSet<DynoName> {
        let Some(look) = &self.look else { return BTreeSet::new() };
        let short = self.capacity.get(process_type).filter(|capacity| capacity.is_short());
        let expected = short.into_iter().flat_map(|capacity| capacity.missing(look, process_type));
        self.history.missing(look, process_type).chain(expected).cloned().collect()
    }
}
