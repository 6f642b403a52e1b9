//! A pass as it is written down before each restart, and how a successor goes on with it. Pure: no clock, no database, no log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::history::History;
use super::policy::Policy;
use super::rollout::{Rollout, predecessor_ended};

/// A restart that a predecessor asked for is treated as at most this old, however late a successor takes over: less than the 15
/// minutes that a pass spends on failed calls, so that one that did not happen is asked for again.
const LONGEST_UNSEEN: Duration = Duration::from_secs(10 * 60);

/// A pass as it is written down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredPass {
    rollout: Rollout,
    /// Whether the restart of the next dyno was about to be asked for.
    is_restarting: bool,
    /// The requests that it serves.
    pub requests: Vec<i64>,
    /// Who sent them.
    pub senders: BTreeSet<Arc<str>>,
}

impl StoredPass {
    /// A pass at this step. `is_restarting` says that the restart of the next dyno is about to be asked for.
    #[must_use]
    pub fn new(rollout: Rollout, is_restarting: bool, requests: Vec<i64>, senders: BTreeSet<Arc<str>>) -> Self {
        Self { rollout, is_restarting, requests, senders }
    }

    /// What is remembered of the app if this process ends now.
    #[must_use]
    pub fn history(&self, now: Timestamp) -> History {
        if self.is_restarting { self.rollout.history_with_next_restart(now) } else { self.rollout.history().clone() }
    }

    /// The pass for the successor, under its policy, with what it is told first and when that happened. Nobody knows whether
    /// a restart that was about to be asked for took effect: the successor looks before it does anything else.
    #[must_use]
    pub fn resume(self, policy: Policy, now: Timestamp) -> (Rollout, (Event, Timestamp)) {
        let mut rollout = self.rollout;
        let stopped_at = rollout.resume(policy, now);
        let first = if self.is_restarting {
            // The restart was asked for then, and its time to take effect is over.
            let oldest = now.saturating_sub(LONGEST_UNSEEN).unwrap_or(now);
            (Event::Restarted(Err(predecessor_ended())), stopped_at.clamp(oldest, now))
        } else {
            (Event::Time, now)
        };
        (rollout, first)
    }
}
