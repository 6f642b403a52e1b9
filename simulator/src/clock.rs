//! The simulated wall clock: the system time at the start, shifted if a test asks for it, plus what tokio's clock says has
//! passed.
//!
//! With tokio's clock paused, time is virtual and every run is the same run.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

#[derive(Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
    wall: Timestamp,
}

impl Clock {
    /// Starts at a whole second, so that times cut to whole seconds, as the API shows them,
    /// do not depend on the moment at which a test happens to run.
    pub(crate) fn start(ahead: SignedDuration) -> Clock {
        let system = Timestamp::now() + ahead;
        let wall = Timestamp::from_second(system.as_second()).expect("the second of a valid time is a valid time");
        Clock { began: Instant::now(), wall }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.wall + self.elapsed()
    }

    /// The moment on tokio's clock that shows as `at` on the simulated one.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        self.began + since(self.wall, at)
    }
}

/// How long after `start` is `end`; zero when it is not after it.
pub(crate) fn since(start: Timestamp, end: Timestamp) -> Duration {
    Duration::try_from(end.duration_since(start)).unwrap_or(Duration::ZERO)
}
