//! How carefully to restart: the settings of the restart logic.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::heroku::ProcessType;

/// How carefully to restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The process types to restart, in this order.
    pub process_types: Vec<ProcessType>,
    /// How old a process must have been when the alert arrived.
    pub min_age: Duration,
    /// How long a restarted dyno may take to be up again.
    pub boot_timeout: Duration,
    /// Pause after a dyno is up, before the next one.
    pub settle_time: Duration,
    /// How many dynos of one process type may be down at once because of us.
    pub max_unavailable: NonZeroUsize,
    /// When restarting one dyno again and again is no use.
    pub give_up_after: GiveUp,
}

/// A dyno that was restarted this often within the window is left alone until the first of these restarts is that long ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveUp {
    /// How many restarts.
    pub restarts: NonZeroUsize,
    /// How far back restarts count.
    pub window: Duration,
}
