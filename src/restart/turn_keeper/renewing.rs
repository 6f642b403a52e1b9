//! Renews the turns of this process, and tells the others what it sees and does: with each renewal, and when it changes.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::{KeptApp, TurnKeeper};
use crate::heroku::AppName;
use crate::restart::turn::{HeldTurn, fingerprint, json};
use crate::store::{CHANGES_INTERVAL, Error, Renewal};
use crate::util::rounds::after_rest;

impl TurnKeeper {
    /// Renews the turns, and tells the others what this process sees and does.
    pub(super) async fn renew_when_due(&mut self) -> Result<(), Error> {
        if self.renew_at > Instant::now() {
            return Ok(());
        }
        let (began, held) = (Instant::now(), self.held().collect::<Vec<_>>());
        for (_, kept, _) in &held {
            kept.app.take_change();
        }
        let status = |kept: &KeptApp| json(&kept.app.for_others());
        let held = held.into_iter().map(|(app, kept, held)| (app, kept, held, status(kept))).collect();
        let is_any_locked = self.renew(held).await?;
        self.tell_at = tell_again(began);
        self.changed.notify_one();
        self.renew_at = if is_any_locked { began } else { began + self.store.timing().renewal() };
        Ok(())
    }

    /// Tells the others what this process sees and does, where that has changed. Those turns are renewed, and the others are
    /// renewed when they are due. What fails is told with the next renewal.
    pub(super) async fn tell_changes(&mut self) {
        let began = Instant::now();
        let changed = self.apps.iter().filter_map(|(name, kept)| Some((name, kept, kept.app.take_change()?)));
        let changed = changed.filter_map(|(name, kept, status)| Some((name, kept, kept.held()?, json(&status))));
        let changed: Vec<_> = changed.filter(|(_, _, held, status)| !held.is_told(status)).collect();
        // The next look tells that the database is away.
        self.renew(changed).await.ok();
        self.tell_at = tell_again(began);
    }

    /// Renews these turns, each with what this process sees and does. Whether another session locks the row of one of them.
    async fn renew(&self, held: Vec<(&AppName, &KeptApp, Arc<HeldTurn>, Value)>) -> Result<bool, Error> {
        if held.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        let mut renewals = Vec::new();
        for (_, _, held, status) in &held {
            let is_told = held.take_told() == Some(fingerprint(status));
            renewals.push(Renewal { term: &held.term, status: Some(status).filter(|_| !is_told) });
        }
        let renewed = self.store.renew_turns(&renewals).await?;
        for (app, kept, held, status) in held {
            match renewed.get(app.as_str()) {
                Some(true) => {
                    held.renewed(began, &self.store);
                    held.note_told(&status);
                }
                Some(false) => held.note_locked(),
                None => {
                    warn!(event = "turn_lost", %app, "another restarter makes the passes over {app} now");
                    kept.turn.lose(&held);
                    kept.app.queue.forget_requests();
                }
            }
        }
        Ok(renewed.values().any(|is_renewed| !is_renewed))
    }
}

/// When the others may be told something again, after they were told something by a statement that began at `began`.
fn tell_again(began: Instant) -> Instant {
    after_rest(began).max(began + CHANGES_INTERVAL)
}
