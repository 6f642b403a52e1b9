//! What a pass is doing, for a person who looks at it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Capacity, Phase, Rollout};
use crate::heroku::DynoName;
use crate::restart::past_passes::DynoRecord;
use crate::restart::status::{Booting, PassStatus, WaitsFor};
use crate::util::ordered::CollectOrdered;

impl Rollout {
    /// The pass as far as it has come.
    pub(in crate::restart) fn progress(&self) -> PassStatus {
        PassStatus {
            began_at: self.began_at,
            alerts: self.alerts,
            asked: self.asked.describe(),
            forced: self.asked.is_forced(),
            dynos: DynoRecord::all(&self.outcomes),
            waits_for: self.waits_for(),
        }
    }

    /// How much longer calls may fail before the pass ends.
    pub(in crate::restart) fn gives_up_at(&self, next_call: Timestamp) -> Timestamp {
        next_call.saturating_add(self.retry.left()).unwrap_or(next_call)
    }

    fn waits_for(&self) -> WaitsFor {
        let until = |since: Timestamp| since.saturating_add(self.policy.boot_timeout).unwrap_or(since);
        // Without those of which it is not known whether they restart at all: the answer was lost.
        let booting: BTreeMap<DynoName, Booting> = self
            .history
            .in_flight()
            .filter(|our| !our.is_unsure())
            .map(|our| (our.record.name.clone(), Booting { since: our.restarted_at, until: until(our.restarted_at) }))
            .collect_ordered();
        if !booting.is_empty() {
            return WaitsFor::Boot(booting);
        }
        if let Some(since) = self.capacity.values().filter_map(Capacity::short_since).min() {
            return WaitsFor::MissingDynos { since, until: until(since) };
        }
        let is_settling = self.phase == Phase::Restarting && self.next_restart_at > self.now;
        if is_settling { WaitsFor::SettleTime { until: self.next_restart_at } } else { WaitsFor::Heroku }
    }
}
