//! What counts as trouble.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::time::Duration;

use tracing::warn;

use crate::logplex::Code;
use crate::util::text::human;

/// How often Heroku measures the memory of a dyno, and repeats R14 and R15.
const MEASURING_INTERVAL: Duration = Duration::from_secs(20);

/// What counts as trouble.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The errors that count.
    pub errors: BTreeSet<Code>,
    /// How many reports put a dyno in trouble.
    pub threshold: Threshold,
    /// The memory use from which a measurement counts; `None` ignores all measurements.
    pub memory_limit: Option<MemoryLimit>,
}

/// A dyno with this many reports within the window is in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// How many reports.
    pub reports: NonZeroUsize,
    /// The window in which they count.
    pub window: Duration,
}

/// How much memory a dyno may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// A share of the dyno's quota.
    Percent(u64),
    /// A fixed amount, whatever the quota.
    Bytes(u64),
}

impl Settings {
    /// Logs a warning when Heroku reports too rarely to ever reach the threshold.
    pub(super) fn warn_if_unreachable(&self) {
        let Threshold { reports, window } = self.threshold;
        // The router reports each failed request, so its errors can come at any rate.
        let has_router_errors = self.errors.iter().any(|code| code.letter() == 'H');
        let shortest = MEASURING_INTERVAL * u32::try_from(reports.get() - 1).unwrap_or(u32::MAX);
        if shortest > window && !has_router_errors {
            warn!(
                "TOLERANCE requires {reports} reports within {}, but Heroku reports only every {}: a log drain will \
                 never cause a restart. Set the window to {} or longer",
                human(window),
                human(MEASURING_INTERVAL),
                human(shortest + MEASURING_INTERVAL)
            );
        }
    }
}

impl MemoryLimit {
    /// Without a known quota, a share of the quota is never reached.
    pub(super) fn is_reached(self, total: u64, quota: Option<u64>) -> bool {
        match self {
            Self::Percent(percent) => {
                quota.is_some_and(|quota| u128::from(total) * 100 >= u128::from(quota) * u128::from(percent))
            }
            Self::Bytes(limit) => total >= limit,
        }
    }
}
