//! What all passes over an app did since the start, in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::{Outcome, Report};
use crate::heroku::ProcessType;
use crate::util::ordered::CollectOrdered;

/// The upper bounds of the buckets of a [`Histogram`], in seconds.
pub const BUCKETS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// What may come of a restart: `up`, and the words of `Outcome` and `Failure`. Each is counted from 0, so that the first one is an increase.
const RESULTS: [&str; 9] =
    ["up", "unconfirmed", "deployed", "crashed", "down_again", "timed_out", "refused", "not_seen_up", "unknown"];

/// Why a dyno may be left alone: the words of `Skip`.
const REASONS: [&str; 11] = [
    "not_up",
    "young",
    "began_later",
    "late",
    "given_up",
    "held",
    "not_watched",
    "unknown",
    "gone",
    "replaced",
    "deployed",
];

/// What all passes over an app did since the start.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Restarts that we asked for, by process type and by what came of them: `up`, `unconfirmed`, `deployed`, or why it
    /// failed.
    pub restarts: BTreeMap<(ProcessType, &'static str), u64>,
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
    /// Nothing yet, for an app of which these process types are watched.
    pub(super) fn new(watched: &[ProcessType]) -> Self {
        let of_type = |process_type: &ProcessType| RESULTS.map(|result| ((process_type.clone(), result), 0));
        let skipped = REASONS.map(|reason| (reason, 0)).into();
        Self { restarts: watched.iter().flat_map(of_type).collect_ordered(), skipped, ..Self::default() }
    }

    /// Adds what a pass over dynos of these process types did.
    pub(super) fn add(&mut self, report: &Report, watched: &[ProcessType]) {
        self.passes.add(report.took);
        for (dyno, outcome) in &report.dynos {
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
            // A pass restarts only dynos of the watched process types. On Fir, `web-api-1-x` may seem to be of `web`, too.
            let fitting = watched.iter().filter(|process_type| dyno.may_be_of(process_type));
            if let Some(process_type) = fitting.max_by_key(|process_type| process_type.as_str().len()) {
                *self.restarts.entry((process_type.clone(), result)).or_default() += 1;
            }
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
