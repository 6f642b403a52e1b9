//! What a process takes over from the last holder of a turn, and what it leaves to the next one.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::{LateEnd, ServedAlerts, Worker};
use crate::restart::past_passes::Unwritten;
use crate::restart::report::{End, Report};
use crate::restart::rollout::Rollout;
use crate::restart::target::Receipt;
use crate::restart::turn::{HeldTurn, Turn, json};
use crate::restart::turn_keeper::Takeover;
use crate::store::{Error, FinishedPass};

impl Worker {
    /// Goes on where the last holder of the turn ended.
    pub(super) async fn take_over(&mut self, takeover: Takeover) {
        let Takeover { held, history, pass } = takeover;
        let is_held = self.app.turn.as_ref().and_then(|turn| turn.held()).is_some_and(|now| Arc::ptr_eq(&now, &held));
        if !is_held {
            let requests = pass.map(|pass| pass.requests).unwrap_or_default();
            return self.app.queue.note_taken(|taken| taken.give_up(&requests));
        }
        self.app.forget_learned();
        // The database does not know of passes whose end could not be written.
        let late_end = self.state.late_end.take();
        self.state.was_alone |= late_end.is_some();
        if !self.state.unwritten.is_empty() {
            let was_lost = late_end.is_some_and(|end| end.was_lost);
            self.state.late_end = Some(LateEnd { held: Arc::clone(&held), was_lost, try_after: Duration::ZERO });
        }
        let ours = self.state.was_alone.then(|| self.state.history.clone());
        if let Some(history) = history {
            self.state.history = history;
            self.state.was_alone = false;
            if let Some(ours) = ours.clone() {
                self.state.history.merge(ours);
            }
        }
        let Some(pass) = pass else { return };
        let (senders, requests) = (pass.senders.clone(), pass.requests.clone());
        let (mut rollout, first) = pass.resume(self.policy.clone(), self.clock.now());
        if let Some(ours) = ours {
            rollout.merge_history(ours);
        }
        self.drive(rollout, first, ServedAlerts { senders, requests, receipt: Receipt::default() }).await;
    }

    /// Remembers what the last holder of the turn wrote down: a process that acts alone respects holds of the holder before it.
    pub(super) fn adopt_learned(&mut self) {
        let learned = self.app.learned.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(learned) = learned else { return };
        let ours = std::mem::replace(&mut self.state.history, learned);
        if self.state.was_alone {
            self.state.history.merge(ours);
        }
    }

    /// Another restarter goes on with the pass. What is remembered here is out of date from now on. Or the pass was made without
    /// the turn, and this process takes over first what the last holder left.
    pub(super) fn leave_to_another(&mut self, rollout: &Rollout, was_alone: bool, requests: &[i64]) {
        let app = &self.name;
        self.state.history = rollout.history().clone();
        self.app.view().passed(rollout.last_look(), &self.state.history);
        self.app.queue.note_taken(|taken| taken.give_up(requests));
        let holder = self.app.turn.as_ref().and_then(|turn| turn.active_holder());
        match holder {
            Some(holder) if was_alone => {
                info!(event = "left", %app, "the database is back: the pass over {app} that was made without it ends, because {holder} makes the passes now");
            }
            None if was_alone => {
                info!(event = "left", %app, "the database is back: the pass over {app} that was made without it ends, and its alerts wait");
            }
            _ => {
                info!(event = "left", %app, "the pass over {app} ends here: the restarter that takes the turn goes on with it");
                self.app.queue.forget_requests();
            }
        }
    }

    /// Writes the end of a pass. While the database is away nothing else may be done for the app, unless nobody else can do it.
    pub(super) async fn write_end(&mut self, began_with: Option<Arc<HeldTurn>>, requests: &[i64], report: &Report) {
        let Some(turn) = self.app.turn.clone() else { return };
        // What was not done is taken up by a successor.
        if !matches!(report.end, Some(End::Stopped { .. })) {
            self.state.unwritten.extend(requests);
        }
        let was_lost = matches!(report.end, Some(End::Api(_)));
        let (pass, unwritten) = self.end_to_write(was_lost);
        let (began, mut is_told) = (Instant::now(), false);
        let timing = turn.store.timing();
        let mut pause = timing.poll;
        let late_end = |held| LateEnd { held, was_lost, try_after: timing.poll };
        // One that was alone when the pass began may hold the turn by now.
        while let Some(held) = began_with.clone().or_else(|| turn.held()) {
            match turn.finish(&held, &pass).await {
                Ok(is_held) => return self.end_is_written(is_held, &unwritten),
                Err(_) if turn.store.is_alone() || self.stop.is_requested() => {
                    self.state.late_end = began_with.map(late_end);
                    return;
                }
                Err(error) => {
                    // The keeper of the turns logs that the database is away. It does not use all that is used here.
                    let lasts = error.is_answer() || began.elapsed() >= timing.lease;
                    if lasts && self.keep_history_only(&turn, &held, &error).await {
                        self.state.late_end = Some(late_end(held));
                        return;
                    }
                    if lasts && !std::mem::replace(&mut is_told, true) {
                        let (app, remedy) = (&self.name, error.remedy());
                        warn!(%app, "no dyno of {app} is restarted until the end of its last pass is written: {error}; {remedy}");
                    }
                    tokio::select! {
                        _ = self.stop.requested() => {}
                        () = tokio::time::sleep(pause) => {}
                    }
                    // Statements of other passes wait behind one that fails slowly.
                    pause = (pause * 2).min(timing.lease);
                }
            }
        }
    }

    /// The end of a pass cannot be written. What is remembered may be: then a successor knows of the restarts and holds, and the
    /// next pass may begin. Whether it is written.
    async fn keep_history_only(&self, turn: &Turn, held: &HeldTurn, error: &Error) -> bool {
        let (app, remedy) = (&self.name, error.remedy());
        let is_written = turn.keep_history(held, &self.state.history, &self.app.holder_status()).await;
        if is_written {
            warn!(%app, "the report on the last pass over {app} is kept in memory only, because it cannot be written: {error}; {remedy}");
        }
        is_written
    }

    /// The end of the last pass, with what could not be written before; and the reports in it.
    fn end_to_write(&self, was_lost: bool) -> (FinishedPass, Unwritten) {
        let unwritten = self.app.past().unwritten();
        let pass = FinishedPass {
            requests: self.state.unwritten.clone(),
            was_lost,
            history: json(&self.state.history),
            passes: unwritten.passes.clone(),
            status: json(&self.app.holder_status()),
        };
        (pass, unwritten)
    }

    fn end_is_written(&mut self, is_held: bool, passes: &Unwritten) {
        let requests = std::mem::take(&mut self.state.unwritten);
        self.state.late_end = None;
        if is_held {
            self.app.queue.note_taken(|taken| taken.done(&requests));
            self.app.past().written(passes);
        } else {
            self.app.queue.note_taken(|taken| taken.give_up(&requests));
            self.app.queue.forget_requests();
        }
    }

    /// Writes what could not be written at the end of a pass: a successor must know of its restarts and holds.
    pub(super) async fn write_late_end(&mut self) {
        let (Some(turn), Some(late_end)) = (self.app.turn.clone(), self.state.late_end.clone()) else { return };
        let LateEnd { held, was_lost, try_after } = late_end;
        let (pass, unwritten) = self.end_to_write(was_lost);
        if let Ok(is_held) = turn.finish(&held, &pass).await {
            self.end_is_written(is_held, &unwritten);
        } else {
            // Other statements wait behind one that fails slowly.
            let try_after = (try_after * 2).min(turn.store.timing().renewal());
            self.state.late_end = Some(LateEnd { held, was_lost, try_after });
        }
    }
}
