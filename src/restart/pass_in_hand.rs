//! A pass in the hands of this process, with a database: before each restart it is written down, so that a successor can go on
//! with it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::rollout::Rollout;
use super::stored_pass::StoredPass;
use super::turn::{HeldTurn, Turn, json};
use super::view::HolderStatus;
use crate::heroku::AppName;
use crate::store::TurnState;
use crate::util::clock::Clock;

/// A pass in the hands of this process.
pub(super) struct PassInHand<'a> {
    pub(super) app: &'a AppName,
    pub(super) turn: &'a Turn,
    /// The turn with which it began; `None` if this process was alone.
    pub(super) held: Option<Arc<HeldTurn>>,
    pub(super) requests: &'a [i64],
    pub(super) senders: &'a BTreeSet<Arc<str>>,
    /// Whether the log says that the pass waits for the database.
    pub(super) told: AtomicBool,
}

/// Whether a dyno may be restarted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayRestart {
    Yes,
    /// The database was busy for so long that the dynos must be looked at again.
    LookAgain,
    /// Nobody knows who has the turn.
    NotNow,
    /// Another process has it.
    Lost,
}

impl PassInHand<'_> {
    /// Whether another process has the turn, so that this one must do nothing more.
    pub(super) fn is_lost(&self) -> bool {
        self.held.as_ref().is_some_and(|held| self.turn.is_lost(held))
    }

    /// Waits until another process has the turn.
    pub(super) async fn lost(&self) {
        match &self.held {
            Some(held) => self.turn.lost(held).await,
            None => std::future::pending().await,
        }
    }

    /// Writes down that the next dyno is about to be restarted, and says whether it may be.
    pub(super) async fn write_ahead(
        &self,
        rollout: &Rollout,
        status: impl FnOnce() -> HolderStatus,
        clock: Clock,
    ) -> MayRestart {
        if self.is_lost() {
            return MayRestart::Lost;
        }
        // A database that does not answer takes longer to fail than a look is recent.
        if self.turn.store.is_alone() {
            return MayRestart::Yes;
        }
        // One that was alone when the pass began may hold the turn by now.
        let Some(held) = self.held.clone().or_else(|| self.turn.held()) else {
            return if self.turn.active_holder().is_some() { MayRestart::Lost } else { MayRestart::NotNow };
        };
        if !self.turn.may_write(&held) {
            return MayRestart::Lost;
        }
        let began = Instant::now();
        let state = || {
            rollout.is_look_recent(clock.now()).then(|| {
                let (history, pass) = self.as_json(rollout, true, clock);
                TurnState { history, pass: Some(pass), status: json(&status()) }
            })
        };
        match self.turn.store.write_state(&held.term, state).await {
            Ok(None) => MayRestart::LookAgain,
            Ok(Some(true)) => {
                held.renewed(began, &self.turn.store);
                if held.is_trusted() { MayRestart::Yes } else { MayRestart::NotNow }
            }
            Ok(Some(false)) => {
                self.turn.lose(&held);
                MayRestart::Lost
            }
            Err(error) => {
                let app = self.app;
                if !self.told.swap(true, Ordering::Relaxed) {
                    warn!(%app, "no dyno of {app} is restarted now, because another restarter might do the same: {error}");
                }
                MayRestart::NotNow
            }
        }
    }

    /// Gives the turn back, for a successor that goes on with the pass. Whether nothing is left to do here.
    pub(super) async fn hand_over(&self, rollout: &Rollout, clock: Clock) -> bool {
        let Some(held) = &self.held else { return false };
        if !self.turn.may_write(held) {
            return true;
        }
        // Where it was lost, somebody else goes on already.
        let history_and_pass = || self.as_json(rollout, false, clock);
        let given_back = self.turn.store.hand_over(&held.term, history_and_pass).await.is_ok();
        if given_back {
            self.turn.lose(held);
        }
        given_back
    }

    /// What is remembered of the app, and the pass.
    fn as_json(&self, rollout: &Rollout, is_restarting: bool, clock: Clock) -> (Value, Value) {
        let pass = StoredPass::new(rollout.clone(), is_restarting, self.requests.to_vec(), self.senders.clone());
        (json(&pass.history(clock.now())), json(&pass))
    }
}
