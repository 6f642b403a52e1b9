//! Our clock: the time of day at which the service started, and tokio's clock from there on. It never jumps, and a test can
//! pause it.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells our time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_at: Timestamp,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), started_at: Timestamp::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time(Instant::now())
    }

    /// The time of day at an instant.
    pub(crate) fn time(&self, instant: Instant) -> Timestamp {
        let time = match instant.checked_duration_since(self.started) {
            Some(since) => self.started_at.saturating_add(since),
            None => self.started_at.saturating_sub(self.started - instant),
        };
        time.unwrap_or(self.started_at)
    }

    /// The instant of a time of day; the start of the service for what was before.
    pub(crate) fn instant(&self, time: Timestamp) -> Instant {
        self.started + Duration::try_from(time.duration_since(self.started_at)).unwrap_or_default()
    }
}
