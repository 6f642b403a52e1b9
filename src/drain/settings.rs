//! What counts as trouble.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::warn;

use super::detector::Threshold;
use crate::logplex::Code;
use crate::util::text::human;

/// How often Heroku looks at the memory of a dyno.
const EVERY: Duration = Duration::from_secs(20);

/// What counts as trouble.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which errors.
    pub errors: BTreeSet<Code>,
    /// How many reports it takes.
    pub threshold: Threshold,
    /// From where on memory counts, if it does at all.
    pub memory_limit: Option<MemoryLimit>,
}

/// How much memory a dyno may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryLimit {
    /// This much of its quota.
    Percent(u64),
    /// This much, whatever its quota.
    Bytes(u64),
}

impl Settings {
    pub(super) fn warn_of_what_cannot_be(&self) {
        let Threshold { reports, window } = self.threshold;
        let router_is_asked = self.errors.iter().any(|code| code.letter() == 'H');
        let shortest = EVERY * u32::try_from(reports.get() - 1).unwrap_or(u32::MAX);
        if shortest > window && !router_is_asked {
            warn!(
                "TOLERANCE asks for {reports} reports within {}, but Heroku reports every {}: no dyno will ever be in trouble \
                 by a log drain. Make the window {} or longer",
                human(window),
                human(EVERY),
                human(shortest + EVERY)
            );
        }
    }
}

impl MemoryLimit {
    /// Where the quota is not known, a share of it is not either.
    pub(super) fn is_reached(self, total: u64, quota: Option<u64>) -> bool {
        match self {
            Self::Percent(percent) => {
                quota.is_some_and(|quota| u128::from(total) * 100 >= u128::from(quota) * u128::from(percent))
            }
            Self::Bytes(limit) => total >= limit,
        }
    }
}
