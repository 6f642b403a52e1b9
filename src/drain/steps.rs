//! What the log of an app said in the last 24 hours, in steps of ten minutes, as each replica heard it. Whoever adds up the
//! same steps gets the same sum, in whatever order they came.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::day::{Day, STEP, Step};
use super::status::{MAX_DRAINS, MOST_MEASURED, Memory};
use crate::heroku::DynoName;
use crate::util::ordered::CollectOrdered;

/// How long steps are kept, in seconds.
const DAY: i64 = 24 * 60 * 60;

/// How many steps of other replicas are kept: those of a day, of 20 replicas.
const MOST_OF_OTHERS: usize = 20 * 144;

/// The steps, by the second at which they began.
#[derive(Debug, Default)]
pub(super) struct Steps {
    own: BTreeMap<i64, HeardStep>,
    /// Those of other replicas, with the name of the replica.
    others: BTreeMap<(i64, String), HeardStep>,
    /// Those of our own that changed since they were taken.
    changed: BTreeSet<i64>,
}

/// Ten minutes, as one replica heard them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct HeardStep {
    lines: u64,
    /// The tokens of the drains that delivered them.
    drains: BTreeSet<String>,
    dynos: BTreeMap<DynoName, HeardDyno>,
}

/// What the log said of one dyno in that time.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct HeardDyno {
    reports: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    memory: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quota: Option<u64>,
}

impl Steps {
    pub(super) fn add_batch(&mut self, now: Timestamp, lines: u64, drain: Option<&str>) {
        let Some(step) = self.step(now) else { return };
        step.lines += lines;
        let is_new = |drain: &&str| step.drains.len() < MAX_DRAINS && !step.drains.contains(*drain);
        if let Some(drain) = drain.filter(is_new) {
            step.drains.insert(drain.to_owned());
        }
    }

    pub(super) fn add_report(&mut self, dyno: &DynoName, at: Timestamp) {
        self.add(dyno, at, HeardDyno { reports: 1, ..HeardDyno::default() });
    }

    pub(super) fn add_memory(&mut self, dyno: &DynoName, Memory { at, total, quota }: Memory) {
        self.add(dyno, at, HeardDyno { reports: 0, memory: Some(total), quota });
    }

    fn add(&mut self, dyno: &DynoName, at: Timestamp, heard: HeardDyno) {
        let Some(step) = self.step(at) else { return };
        if let Some(known) = step.dynos.get_mut(dyno) {
            known.add(heard);
        } else if step.dynos.len() < MOST_MEASURED {
            step.dynos.insert(dyno.clone(), heard);
        }
    }

    /// The step of this time; `None` if it is too long before the latest one.
    fn step(&mut self, at: Timestamp) -> Option<&mut HeardStep> {
        let begin = at.as_second() - at.as_second().rem_euclid(STEP);
        let latest = self.own.last_key_value().map_or(begin, |(latest, _)| begin.max(*latest));
        if begin <= latest - DAY {
            return None;
        }
        if !self.own.contains_key(&begin) {
            self.own = self.own.split_off(&(latest - DAY));
            self.changed = self.changed.split_off(&(latest - DAY));
        }
        self.changed.insert(begin);
        Some(self.own.entry(begin).or_default())
    }

    /// Some of the steps that changed since they were taken last, the earliest first.
    pub(super) fn take_changed(&mut self, most: usize) -> Vec<(i64, HeardStep)> {
        let changed: Vec<i64> = self.changed.iter().take(most).copied().collect();
        let mut taken = Vec::new();
        for begin in changed {
            self.changed.remove(&begin);
            taken.extend(self.own.get(&begin).map(|step| (begin, step.clone())));
        }
        taken
    }

    /// What was taken is to be taken again.
    pub(super) fn put_back(&mut self, begin: i64) {
        self.changed.insert(begin);
    }

    /// A step as another replica heard it.
    pub(super) fn learn(&mut self, replica: String, begin: i64, heard: HeardStep, now: Timestamp) {
        if is_of_last_day(begin, now) {
            self.others.insert((begin, replica), heard);
        }
        self.others.retain(|(begin, _), _| is_of_last_day(*begin, now));
        while self.others.len() > MOST_OF_OTHERS {
            self.others.pop_first();
        }
    }

    /// The steps of all replicas in the last 24 hours.
    fn all(&self, now: Timestamp) -> impl Iterator<Item = (i64, &HeardStep)> {
        let own = self.own.iter().map(|(begin, heard)| (*begin, heard));
        let others = self.others.iter().map(|((begin, _), heard)| (*begin, heard));
        own.chain(others).filter(move |(begin, _)| is_of_last_day(*begin, now))
    }

    /// How many lines of the log came to all replicas, and from how many drains.
    pub(super) fn lines_and_drains(&self, now: Timestamp) -> (u64, usize) {
        let drains: BTreeSet<&String> = self.all(now).flat_map(|(_, heard)| &heard.drains).collect_ordered();
        (self.all(now).fold(0, |lines, (_, heard)| lines.saturating_add(heard.lines)), drains.len())
    }

    /// What all replicas heard of each dyno.
    pub(super) fn day(&self, now: Timestamp) -> Day {
        let mut dynos: BTreeMap<&DynoName, BTreeMap<i64, HeardDyno>> = BTreeMap::new();
        for (begin, heard) in self.all(now) {
            for (dyno, heard) in &heard.dynos {
                dynos.entry(dyno).or_default().entry(begin).or_default().add(*heard);
            }
        }
        let step = |(begin, HeardDyno { reports, memory, quota })| {
            Some(Step { at: Timestamp::from_second(begin).ok()?, reports, memory, quota })
        };
        let dyno = |(dyno, steps): (&DynoName, BTreeMap<_, _>)| (dyno.clone(), steps.into_iter().filter_map(step));
        dynos.into_iter().map(dyno).map(|(dyno, steps)| (dyno, steps.collect())).collect()
    }

    /// The most memory of a dyno in the step of this time and the one before.
    pub(super) fn peak(&self, dyno: &DynoName, at: Timestamp) -> Option<u64> {
        let near = self.all(at).filter(|(begin, _)| at.as_second() - begin < 2 * STEP);
        near.filter_map(|(_, heard)| heard.dynos.get(dyno)?.memory).max()
    }
}

impl HeardDyno {
    fn add(&mut self, Self { reports, memory, quota }: Self) {
        self.reports = self.reports.saturating_add(reports);
        (self.memory, self.quota) = (self.memory.max(memory), self.quota.max(quota));
    }
}

fn is_of_last_day(begin: i64, now: Timestamp) -> bool {
    (now.as_second() - DAY..=now.as_second() + STEP).contains(&begin)
}
