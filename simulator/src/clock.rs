//! The simulated clock. It starts at the system time plus an offset that a test can set, and follows tokio's clock.
//!
//! When tokio's clock is paused, time is virtual, and every run of a test is the same.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    start_time: Timestamp,
}

impl Clock {
    /// Starts the clock at a whole second. The API shows times in whole seconds, and the start must not change how they
    /// are rounded from one run to the next.
    pub(crate) fn start(offset: SignedDuration) -> Clock {
        let time = Timestamp::now() + offset;
        let start_time = Timestamp::from_second(time.as_second()).expect("the second of a valid time is a valid time");
        Clock { started: Instant::now(), start_time }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.start_time + self.elapsed()
    }

    /// Converts a time of the simulated clock to an instant of tokio's clock.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.started + since(self.start_time, at)
    }
}

/// Returns the time from `start` to `end`, or zero if `end` is not after `start`.
pub(crate) fn since(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or(Duration::ZERO)
}
