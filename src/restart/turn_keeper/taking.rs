//! Takes turns that nobody has or renews any more, and reads what the holders of the others remember and publish.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::info;

use super::{KeptApp, Takeover, TurnKeeper, read};
use crate::heroku::AppName;
use crate::restart::stored_pass::StoredPass;
use crate::restart::turn::{HeldTurn, tell_locked};
use crate::store::{Error, TakenTurn, Term};

/// For how many apps that is read at once. For an app with a hundred dynos, it is 100 kB.
const MOST_AT_ONCE: usize = 10;

/// How long that may take before turns are looked after again.
const LONGEST_LEARNING: Duration = Duration::from_secs(1);

impl KeptApp {
    /// The turn was free, and was not taken: another process was faster, or another session of the database locks its row.
    fn could_not_take(&mut self, app: &str, limit: Duration) {
        let (since, is_told) = self.locked.get_or_insert((Instant::now(), false));
        if since.elapsed() >= limit && !std::mem::replace(is_told, true) {
            tell_locked(app);
        }
    }
}

impl TurnKeeper {
    /// Takes the turns that nobody has, and those whose holder did not renew them for long.
    pub(super) async fn try_to_take(&mut self) -> Result<(), Error> {
        let not_held = self.apps.iter().filter(|(_, kept)| kept.held().is_none());
        let names: Vec<AppName> = not_held.map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            return Ok(());
        }
        self.watch(&names).await?;
        let (store, now) = (Arc::clone(&self.store), Instant::now());
        let mut free = Vec::new();
        for name in &names {
            let kept = &self.apps[name];
            match kept.watch.may_take(store.id(), store.is_designated(), now, &store.timing()) {
                Some(row) => free.push((name.as_str(), row.clone())),
                None if self.acceptor.is_away() => {}
                None => kept.app.queue.forget_requests(),
            }
        }
        if free.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        for taken in store.take_turns(&free).await? {
            self.take(taken, began);
        }
        for (name, _) in free {
            if let Some(kept) = self.apps.get_mut(name)
                && kept.turn.held().is_none()
            {
                kept.could_not_take(name, store.timing().trust());
            }
        }
        self.renew_at = began;
        Ok(())
    }

    /// Reads who has these turns, and notes whose holder wrote something new.
    async fn watch(&mut self, names: &[AppName]) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        let rows = store.turns(&names.iter().map(AppName::as_str).collect::<Vec<_>>()).await;
        let now = Instant::now();
        for name in names {
            let Some(kept) = self.apps.get_mut(name) else { continue };
            let Some(row) = rows.as_ref().ok().and_then(|rows| rows.get(name.as_str())) else {
                kept.watch.failed();
                kept.turn.holder_is_unknown();
                continue;
            };
            if kept.watch.read(row, now, &store.timing()) {
                kept.locked = None;
                if !self.to_learn.contains(name) {
                    self.to_learn.push_back(name.clone());
                }
            }
            kept.turn.note_holder(row.holder.as_deref(), kept.watch.sees_another(store.id()));
        }
        rows.map(drop)
    }

    /// This process has the turn.
    fn take(&mut self, taken: TakenTurn, began: Instant) {
        let Some(app) = AppName::parse(&taken.app) else { return };
        let Some(kept) = self.apps.get_mut(&app) else { return };
        let term = Term::new(taken.app, taken.term);
        let held = Arc::new(HeldTurn::new(term, began, &self.store));
        let history = taken.history.and_then(|history| read(&app, history, "what is remembered"));
        let pass: Option<StoredPass> = taken.pass.and_then(|pass| read(&app, pass, "the pass under way"));
        kept.watch.forget();
        // This process knows better from now on.
        self.to_learn.retain(|name| *name != app);
        let id = self.store.id();
        let goes_on = if pass.is_some() { ", and goes on with the one that was not finished" } else { "" };
        info!(event = "turn_taken", %app, "this restarter ({id}) makes the passes over {app}{goes_on}");
        kept.app.queue.take_over(Takeover { held, history, pass }, &kept.turn);
    }

    /// Reads what the holders remember and publish, so that the status and a dry run are right here, too. That may be large: it
    /// is read in parts, for a second at most. The others are read the next time, and come before those that failed.
    pub(super) async fn learn(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        while !self.to_learn.is_empty() && began.elapsed() < LONGEST_LEARNING {
            let some = self.to_learn.len().min(MOST_AT_ONCE);
            let names: Vec<AppName> = self.to_learn.drain(..some).collect();
            let apps: Vec<&str> = names.iter().map(AppName::as_str).collect();
            let read = self.store.histories_and_statuses(&apps).await;
            if read.is_err() {
                self.to_learn.extend(names);
            }
            for (app, history, status) in read? {
                let Some(kept) = self.apps.get(&*app) else { continue };
                // Whoever takes the turn logs that the history is not valid. The status may be of another version of this program.
                let history = history.and_then(|history| serde_json::from_value(history).ok());
                let status = status.and_then(|status| serde_json::from_value(status).ok());
                kept.app.learn(history, status, self.clock.now());
            }
            self.changed.notify_one();
        }
        Ok(())
    }
}
