//! Whether this process may go on with a pass. With a database, the pass is written down before each restart, so that a
//! successor can go on with it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::event::Event;
use super::rollout::Rollout;
use super::stored_pass::StoredPass;
use super::turn::{HeldTurn, Turn, json};
use super::worker::{ServedAlerts, SharedApp};
use crate::heroku::AppName;
use crate::store::TurnState;
use crate::util::clock::Clock;

/// How long to wait before it is asked again whether a dyno may be restarted. Each time costs a look: twelve calls a minute.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A person is told when this many restarts in a row came too late after a look. That takes 30 s.
const MOST_LATE: u32 = 10;

/// A pass in the hands of this process.
pub(super) struct PassInHand<'a> {
    app: &'a AppName,
    shared: &'a SharedApp,
    clock: Clock,
    /// The turn with which it began; `None` without a database, or if this process was alone.
    held: Option<Arc<HeldTurn>>,
    served: &'a ServedAlerts,
    /// How many restarts in a row came too late after a look.
    late: u32,
    /// Whether the log says that the pass waits for the database.
    has_warned: bool,
}

/// Whether a dyno may be restarted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayRestart {
    Yes,
    /// Not before this time has passed and the dynos were looked at again.
    After(Duration),
    /// Another process makes the pass.
    Never,
}

impl MayRestart {
    /// What the last look showed is too old.
    const AFTER_LOOK: Self = Self::After(Duration::ZERO);

    /// It is not known whether another process makes the pass.
    const LATER: Self = Self::After(ASK_AGAIN);
}

impl<'a> PassInHand<'a> {
    pub(super) fn new(
        app: &'a AppName,
        shared: &'a SharedApp,
        clock: Clock,
        held: Option<Arc<HeldTurn>>,
        served: &'a ServedAlerts,
    ) -> Self {
        Self { app, shared, clock, held, served, late: 0, has_warned: false }
    }

    /// Whether another restarter goes on with the pass: because it has the turn, or because this one is asked to end.
    pub(super) async fn is_left_to_another(&self, event: &Event, rollout: &Rollout) -> bool {
        let (Some(turn), Some(held)) = (&self.shared.turn, &self.held) else { return false };
        turn.is_lost(held) || matches!(event, Event::StopRequested(_)) && self.hand_over(turn, held, rollout).await
    }

    /// Waits until another process has the turn.
    pub(super) async fn lost(&self) {
        match (&self.shared.turn, &self.held) {
            (Some(turn), Some(held)) => turn.lost(held).await,
            _ => std::future::pending().await,
        }
    }

    /// Whether the next dyno may be restarted now. With a database, it is written there that this is about to happen.
    pub(super) async fn may_restart(&mut self, rollout: &Rollout) -> MayRestart {
        let mut may_restart = match &self.shared.turn {
            Some(turn) => self.write_ahead(turn, rollout).await,
            None => MayRestart::Yes,
        };
        if may_restart == MayRestart::Yes && !rollout.is_look_recent(self.clock.now()) {
            may_restart = MayRestart::AFTER_LOOK;
        }
        match may_restart {
            MayRestart::Yes => self.late = 0,
            MayRestart::AFTER_LOOK => {
                self.late += 1;
                if self.late == MOST_LATE {
                    self.warn_that_it_is_slow();
                }
            }
            _ => {}
        }
        may_restart
    }

    async fn write_ahead(&mut self, turn: &Turn, rollout: &Rollout) -> MayRestart {
        if self.held.as_ref().is_some_and(|held| turn.is_lost(held)) || self.must_take_over_first(rollout) {
            return MayRestart::Never;
        }
        // A database that does not answer takes longer to fail than a look is recent.
        if turn.store.is_alone() {
            return MayRestart::Yes;
        }
        // One that was alone when the pass began may hold the turn by now.
        let Some(held) = self.held.clone().or_else(|| turn.held()) else {
            return if turn.active_holder().is_some() { MayRestart::Never } else { MayRestart::LATER };
        };
        if !turn.may_write(&held) {
            return MayRestart::Never;
        }
        let began = Instant::now();
        let state = || {
            rollout.is_look_recent(self.clock.now()).then(|| {
                let (history, pass) = self.as_json(rollout, true);
                TurnState { history, pass: Some(pass), status: json(&self.shared.holder_status()) }
            })
        };
        match turn.store.write_state(&held.term, state).await {
            Ok(None) => MayRestart::AFTER_LOOK,
            Ok(Some(true)) => {
                held.renewed(began, &turn.store);
                if held.is_trusted() { MayRestart::Yes } else { MayRestart::LATER }
            }
            Ok(Some(false)) => {
                turn.lose(&held);
                MayRestart::Never
            }
            Err(error) => {
                let app = self.app;
                if !std::mem::replace(&mut self.has_warned, true) {
                    warn!(%app, "no dyno of {app} is restarted now, because another restarter might do the same: {error}");
                }
                MayRestart::LATER
            }
        }
    }

    /// Whether this process was alone when the pass began and has the turn now, and the last holder restarted a dyno of which the
    /// pass does not know: that dyno may be down.
    fn must_take_over_first(&self, rollout: &Rollout) -> bool {
        let left = self.held.is_none().then(|| self.shared.queue.left_history()).flatten();
        left.is_some_and(|left| !rollout.history().knows_all_of(&left))
    }

    fn warn_that_it_is_slow(&self) {
        let app = self.app;
        warn!(
            event = "slow", %app,
            "no dyno of {app} was restarted in the last {MOST_LATE} attempts: what the last look showed was too old when the \
             restart was written to the database. The database is slow (see `heroku pg:info`), or this process has too little \
             time to run; it keeps trying"
        );
    }

    /// Gives the turn back, for a successor that goes on with the pass. Whether nothing is left to do here.
    async fn hand_over(&self, turn: &Turn, held: &HeldTurn, rollout: &Rollout) -> bool {
        if !turn.may_write(held) {
            return true;
        }
        // Where it was lost, somebody else goes on already.
        let given_back = turn.store.hand_over(&held.term, || self.as_json(rollout, false)).await.is_ok();
        if given_back {
            turn.lose(held);
        }
        given_back
    }

    /// What is remembered of the app, and the pass.
    fn as_json(&self, rollout: &Rollout, is_restarting: bool) -> (Value, Value) {
        let ServedAlerts { requests, senders, .. } = self.served;
        let pass = StoredPass::new(rollout.clone(), is_restarting, requests.clone(), senders.clone());
        (json(&pass.history(self.clock.now())), json(&pass))
    }
}
