//! The reports that led to nothing. The log says every ten minutes how many there were, and why.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::settings::Threshold;
use crate::heroku::{AppName, DynoName};
use crate::util::text::{human, list};

/// How often the log says it.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// How many dynos are counted one by one.
const MOST_DYNOS: usize = 50;

/// The reports that led to nothing since the last summary.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// When the first of them came.
    began: Option<Instant>,
    /// Those of each dyno that has not reached the threshold.
    too_few: BTreeMap<DynoName, u64>,
    too_old: u64,
    not_watched: u64,
}

impl Summary {
    /// A report counted, and the threshold is not reached.
    pub(super) fn too_few(&mut self, dyno: DynoName) {
        if self.too_few.len() < MOST_DYNOS || self.too_few.contains_key(&dyno) {
            *self.too_few.entry(dyno).or_default() += 1;
        }
    }

    /// The dyno reached the threshold, so its reports led to something.
    pub(super) fn enough(&mut self, dyno: &DynoName) {
        self.too_few.remove(dyno);
    }

    /// So many reports were too old.
    pub(super) fn too_old(&mut self, count: u64) {
        self.too_old += count;
    }

    /// A report was of a dyno that is not watched.
    pub(super) fn not_watched(&mut self) {
        self.not_watched += 1;
    }

    /// To be called after each batch.
    pub(super) fn write_if_due(&mut self, app: &AppName, threshold: Threshold) {
        if self.too_few.is_empty() && self.too_old == 0 && self.not_watched == 0 {
            self.began = None;
        } else if self.began.get_or_insert_with(Instant::now).elapsed() >= INTERVAL {
            let (interval, reports) = (human(INTERVAL), self.text(threshold));
            info!(%app, "reports in the log of {app} in the last {interval} that caused no restart: {reports}");
            *self = Self::default();
        }
    }

    fn text(&self, Threshold { reports, window }: Threshold) -> String {
        let mut parts = Vec::new();
        if !self.too_few.is_empty() {
            let dynos = list(self.too_few.iter().map(|(dyno, count)| format!("{count} of {dyno}")));
            parts.push(format!("{dynos}, where TOLERANCE asks for {reports} within {}", human(window)));
        }
        if self.too_old > 0 {
            parts.push(format!("{} that were too old", self.too_old));
        }
        if self.not_watched > 0 {
            parts.push(format!("{} of process types that are not in PROCESS_TYPES", self.not_watched));
        }
        parts.join("; ")
    }
}
