//! How often the Platform API is called. Its allowance of 4500 calls an hour is shared by everything that uses the account.

use std::time::Duration;

use tokio::time::Instant;

/// How often to look while dynos boot: 20 calls a minute of the 75 by which the account's allowance refills.
const POLL: Duration = Duration::from_secs(3);
const SLOWEST_POLL: Duration = Duration::from_secs(30);
/// A quarter of the allowance of 4500. Below it, polling slows in proportion: others share it.
const LOW_ALLOWANCE: u32 = 1125;

/// How often to look while nothing of ours is down and other dynos are missing: four calls a minute, and two for the
/// formation.
pub(super) const WAITING_POLL: Duration = Duration::from_secs(15);

/// Passes that restart nothing cost at most six calls a minute: two at once, and one more each 15 s.
const CALL_INTERVAL: Duration = Duration::from_secs(15);
const CALLS_AT_ONCE: u32 = 2;

/// Spaces out passes that restart nothing, by the calls that they make.
#[derive(Debug, Default)]
pub(super) struct IdlePace {
    /// When the allowance of idle calls will be full again.
    full_at: Option<Instant>,
}

impl IdlePace {
    /// These calls were made since `began`, and nothing was restarted.
    pub(super) fn count(&mut self, calls: u32, began: Instant) {
        self.full_at = Some(self.full_at.unwrap_or(began).max(began) + CALL_INTERVAL * calls);
    }

    /// When another idle call is within the allowance.
    pub(super) fn ready_at(&self) -> Option<Instant> {
        self.full_at.map(|full_at| full_at - CALL_INTERVAL * (CALLS_AT_ONCE - 1))
    }

    /// Whether another idle call is within the allowance now.
    pub(super) fn is_ready(&self) -> bool {
        self.ready_at().is_none_or(|at| at <= Instant::now())
    }
}

/// How long to wait between looks at booting dynos, given what is left of the account's allowance.
pub(super) fn poll_interval(allowance: Option<u32>) -> Duration {
    match allowance {
        Some(left) if left < LOW_ALLOWANCE => (POLL * LOW_ALLOWANCE / left.max(1)).min(SLOWEST_POLL),
        _ => POLL,
    }
}
