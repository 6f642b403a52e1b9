//! What the log said of each dyno in the last 24 hours, in steps of ten minutes.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::status::{MOST_MEASURED, Memory};
use crate::heroku::DynoName;

/// How long it is kept.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The length of a step, in seconds.
pub const STEP: i64 = 10 * 60;

/// What the log said of the dynos of an app in the last 24 hours.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Day(BTreeMap<DynoName, VecDeque<Step>>);

/// Ten minutes of a dyno.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Step {
    /// When they began.
    pub at: Timestamp,
    /// How many reports of trouble there were.
    pub reports: u32,
    /// The most memory that was measured, in bytes.
    pub memory: Option<u64>,
    /// The quota of the dyno's size, in bytes, if the log says it.
    pub quota: Option<u64>,
}

impl Day {
    /// The steps of each dyno, oldest first.
    pub fn dynos(&self) -> impl Iterator<Item = (&DynoName, &VecDeque<Step>)> {
        self.0.iter()
    }

    /// The steps of a dyno, oldest first.
    pub fn dyno(&self, name: &DynoName) -> impl Iterator<Item = &Step> {
        self.0.get(name).into_iter().flatten()
    }

    /// The most memory of a dyno in the step of this time and the one before.
    pub(super) fn peak(&self, dyno: &DynoName, at: Timestamp) -> Option<u64> {
        let is_near = |step: &&Step| (at.as_second() - step.at.as_second()) < 2 * STEP;
        self.dyno(dyno).filter(is_near).filter_map(|step| step.memory).max()
    }

    pub(super) fn add_report(&mut self, dyno: &DynoName, at: Timestamp) {
        if let Some(step) = self.step(dyno, at) {
            step.reports += 1;
        }
    }

    pub(super) fn add_memory(&mut self, dyno: &DynoName, Memory { at, total, quota }: Memory) {
        if let Some(step) = self.step(dyno, at) {
            (step.memory, step.quota) = (step.memory.max(Some(total)), quota.or(step.quota));
        }
    }

    /// The step of this time. A line that comes late counts in the last step.
    fn step(&mut self, dyno: &DynoName, at: Timestamp) -> Option<&mut Step> {
        let begin = Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(STEP)).ok()?;
        if !self.0.contains_key(dyno) {
            self.0.retain(|_, steps| steps.back().is_some_and(|last| at.duration_since(last.at) < DAY));
            if self.0.len() == MOST_MEASURED {
                return None;
            }
        }
        let steps = self.0.entry(dyno.clone()).or_default();
        if steps.back().is_none_or(|last| last.at < begin) {
            steps.push_back(Step { at: begin, reports: 0, memory: None, quota: None });
            while steps.front().is_some_and(|first| begin.duration_since(first.at) > DAY) {
                steps.pop_front();
            }
        }
        steps.back_mut()
    }
}
