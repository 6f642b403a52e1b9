//! How long a pass puts up with an API in trouble (rule 6).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::heroku::Error;

/// Some senders never repeat an alert, so a pass spends this long on failed calls in all before it ends.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// The first pause is half to all of this; each further one is twice as long, up to [`LONGEST_BACKOFF`].
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// What `Retry-After` may ask for. The allowance refills by 75 calls a minute, so five minutes are plenty.
const RETRY_AFTER: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * 60);

/// How much time one pass has spent on failed calls, and how often each kind of call failed in a row. Looks, restarts and questions about the formation fail
/// and succeed independently: a good answer resets the backoff of its own kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Retry {
    spent: Duration,
    failed_looks: u32,
    failed_restarts: u32,
    failed_formations: u32,
}

impl Retry {
    /// How long to wait before the next look, after one that failed and took `took`; `None` when there is no use in it.
    pub(super) fn pause_after_look(&mut self, error: &Error, took: Duration, now: Timestamp) -> Option<Duration> {
        self.failed_looks += 1;
        self.pause(error, self.failed_looks, took, now)
    }

    /// The same after a restart that failed and was not carried out.
    pub(super) fn pause_after_restart(&mut self, error: &Error, took: Duration, now: Timestamp) -> Option<Duration> {
        self.failed_restarts += 1;
        self.pause(error, self.failed_restarts, took, now)
    }

    /// The same after a question about the formation that failed.
    pub(super) fn pause_after_formation(&mut self, error: &Error, took: Duration, now: Timestamp) -> Option<Duration> {
        self.failed_formations += 1;
        self.pause(error, self.failed_formations, took, now)
    }

    pub(super) fn formation_succeeded(&mut self) {
        self.failed_formations = 0;
    }

    pub(super) fn look_succeeded(&mut self) {
        self.failed_looks = 0;
    }

    pub(super) fn restart_accepted(&mut self) {
        self.failed_restarts = 0;
    }

    /// Time was lost in another way. Whether there is any left.
    pub(super) fn spend(&mut self, time: Duration) -> bool {
        self.spent += time;
        self.spent <= LIMIT
    }

    /// How much more time may be lost.
    pub(super) fn left(&self) -> Duration {
        LIMIT.saturating_sub(self.spent)
    }

    fn pause(&mut self, error: &Error, failures: u32, took: Duration, now: Timestamp) -> Option<Duration> {
        if !error.is_transient() {
            return None;
        }
        let backoff = backoff(failures, now);
        let pause = match error {
            // An API that says "at once" again and again is asked less and less often all the same.
            Error::RateLimited { retry_after: Some(asked), .. } => {
                asked.clamp(RETRY_AFTER.start(), RETRY_AFTER.end()).max(&backoff).to_owned()
            }
            _ => backoff,
        };
        self.spend(took + pause).then_some(pause)
    }
}

/// Exponential, with jitter so that several restarters do not call in step. The jitter comes out of the nanoseconds of the
/// time: what decides has no source of randomness of its own, so that a schedule can be replayed.
fn backoff(failures: u32, now: Timestamp) -> Duration {
    let longest = FIRST_BACKOFF.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_BACKOFF);
    let fraction = f64::from(now.subsec_nanosecond().unsigned_abs()) / 1e9;
    longest.mul_f64(0.5 + 0.5 * fraction)
}
