//! How long to put up with an API in trouble, and how often to ask it.

use std::time::Duration;

use tokio::time::Instant;

use crate::heroku::Error;

/// Some senders never repeat an alert, so a pass bears trouble for this long in all before it is given up.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The first pause is half to all of this; each further one is twice as long, up to [`LONGEST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// What `Retry-After` may ask for. The allowance refills by 75 calls a minute, so five minutes are plenty.
const RETRY_AFTER: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * 60);

/// How often to look while dynos boot: 20 calls a minute of the 75 by which the account's allowance refills.
const POLL: Duration = Duration::from_secs(3);
const SLOWEST_POLL: Duration = Duration::from_secs(30);
/// A quarter of the allowance of 4500. Below it, polling slows in proportion: others share it.
const LOW_ALLOWANCE: u32 = 1125;

/// An idle pass, one that restarted nothing, is one call, or two when the restart is refused. With two in hand and one
/// more each 15 s there are never more than six in a minute, and an alert waits 15 s at the most.
const IDLE_INTERVAL: Duration = Duration::from_secs(15);

/// What is left of the readiness of one pass to try again.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    spent: Duration,
    failing_since: Option<Instant>,
    failures: u32,
}

/// Spaces out passes that restart nothing.
#[derive(Debug, Default)]
pub(super) struct IdlePace {
    /// When the bucket of idle passes will be full again.
    full_at: Option<Instant>,
}

impl Patience {
    pub(super) fn new() -> Self {
        Self { limit: LIMIT, spent: Duration::ZERO, failing_since: None, failures: 0 }
    }

    /// For somebody who waits for the answer.
    pub(super) fn none() -> Self {
        Self { limit: Duration::ZERO, ..Self::new() }
    }

    /// How long to wait before trying again what ended in `error`; `None` when that is no use.
    pub(super) fn pause_after(&mut self, error: &Error) -> Option<Duration> {
        if !error.is_transient() {
            return None;
        }
        let pause = match error {
            // Whoever says "at once" again and again is not taken at their word.
            Error::RateLimited { retry_after: Some(asked), .. } => {
                asked.clamp(RETRY_AFTER.start(), RETRY_AFTER.end()).max(&self.backoff()).to_owned()
            }
            _ => self.backoff(),
        };
        self.failures += 1;
        let failing_for = self.failing_since.get_or_insert_with(Instant::now).elapsed();
        (self.spent + failing_for + pause <= self.limit).then_some(pause)
    }

    /// The API answers again. The backoff goes on from where it was until a restart is accepted.
    pub(super) fn trouble_is_over(&mut self) {
        self.spent += self.failing_since.take().map(|since| since.elapsed()).unwrap_or_default();
    }

    /// A restart was accepted.
    pub(super) fn start_anew(&mut self) {
        self.trouble_is_over();
        self.failures = 0;
    }

    /// Time that was lost in another way; whether there is any left.
    pub(super) fn spend(&mut self, time: Duration) -> bool {
        self.spent += time;
        self.spent <= self.limit
    }

    fn backoff(&self) -> Duration {
        let longest = FIRST_BACKOFF.saturating_mul(1 << self.failures.min(16)).min(LONGEST_BACKOFF);
        longest.mul_f64(0.5 + 0.5 * fastrand::f64())
    }
}

impl IdlePace {
    /// An idle pass was made.
    pub(super) fn count(&mut self) {
        let now = Instant::now();
        self.full_at = Some(self.full_at.unwrap_or(now).max(now) + IDLE_INTERVAL);
    }

    /// Waits until another idle pass would be within the limit.
    pub(super) async fn ready(&self) {
        if let Some(full_at) = self.full_at {
            tokio::time::sleep_until(full_at - IDLE_INTERVAL).await;
        }
    }
}

/// How long to wait between looks at booting dynos, given what is left of the account's allowance.
pub(super) fn poll_interval(remaining: Option<u32>) -> Duration {
    match remaining {
        Some(remaining) if remaining < LOW_ALLOWANCE => (POLL * LOW_ALLOWANCE / remaining.max(1)).min(SLOWEST_POLL),
        _ => POLL,
    }
}
