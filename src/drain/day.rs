//! What the log said of each dyno in the last 24 hours, in steps of ten minutes. Plain data, for a page and for scripts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::heroku::DynoName;
use crate::util::ordered::CollectOrdered;

/// The length of a step, in seconds.
pub const STEP: i64 = 10 * 60;

/// What the log said of the dynos of an app in the last 24 hours.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Day(BTreeMap<DynoName, Vec<Step>>);

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

impl FromIterator<(DynoName, Vec<Step>)> for Day {
    fn from_iter<T: IntoIterator<Item = (DynoName, Vec<Step>)>>(dynos: T) -> Self {
        Self(dynos.into_iter().collect_ordered())
    }
}

impl Day {
    /// The steps of each dyno, oldest first.
    pub fn dynos(&self) -> impl Iterator<Item = (&DynoName, &Vec<Step>)> {
        self.0.iter()
    }

    /// The steps of a dyno, oldest first.
    pub fn dyno(&self, name: &DynoName) -> impl Iterator<Item = &Step> {
        self.0.get(name).into_iter().flatten()
    }
}
