//! What all passes over an app did since the start, in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::{Outcome, Report};

/// The upper bounds of the buckets of a [`Histogram`], in seconds.
pub const BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// What all passes over an app did since the start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Restarts that we asked for, by what came of them: `up`, `unconfirmed`, `deployed`, or why it failed.
    pub restarts: BTreeMap<&'static str, u64>,
    /// Dynos that were left alone, by the reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// How long restarted dynos took until they were seen up.
    pub boots: Histogram,
    /// How long passes took.
    pub passes: Histogram,
}

/// How many durations there were of each length.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// How many were not longer than each of [`BUCKETS`], and longer than the one before; then those that were longer.
    pub counts: [u64; BUCKETS.len() + 1],
    /// Their sum.
    pub sum: Duration,
}

impl Totals {
    pub(super) fn add(&mut self, report: &Report) {
        self.passes.add(report.took);
        for outcome in report.dynos.values() {
            let result = match outcome {
                Outcome::Skipped(skip) => {
                    *self.skipped.entry(skip.word()).or_default() += 1;
                    continue;
                }
                Outcome::Due => continue,
                Outcome::Restarted { took, .. } => {
                    self.boots.add(*took);
                    "up"
                }
                Outcome::Failed(failure) => failure.word(),
                Outcome::Unconfirmed | Outcome::Deployed { .. } => outcome.word(),
            };
            *self.restarts.entry(result).or_default() += 1;
        }
    }
}

impl Histogram {
    fn add(&mut self, time: Duration) {
        let bucket = BUCKETS.iter().position(|most| time.as_secs_f64() <= *most).unwrap_or(BUCKETS.len());
        self.counts[bucket] += 1;
        self.sum += time;
    }
}
