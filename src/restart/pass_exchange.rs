//! Writes the reports on passes that could not be written when they ended, and reads those of other processes. Nothing but the
//! page depends on it, so it is a task of its own: the turns do not wait for its statements.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::past_passes::{MOST, MOST_IDLE};
use super::worker::SharedApp;
use crate::heroku::AppName;
use crate::shutdown::Stop;
use crate::store::{Error, Postgres, StoredPassRow};
use crate::util::clock::Clock;
use crate::util::rounds::RoundsOfTask;

/// How many reports are read at once. The others are read the next time.
const MOST_AT_ONCE: usize = 100;

/// The task that does it.
pub(super) struct PassExchange {
    pub(super) store: Arc<Postgres>,
    pub(super) clock: Clock,
    pub(super) apps: BTreeMap<AppName, Arc<SharedApp>>,
    /// Told when turns were renewed, and when another process did something.
    pub(super) changed: Arc<Notify>,
    /// What requests wait for.
    pub(super) rounds: RoundsOfTask,
}

impl PassExchange {
    /// Works until the service is asked to end.
    pub(super) async fn run(mut self, stop: Stop) {
        loop {
            tokio::select! {
                biased;
                _ = stop.requested() => return,
                () = self.changed.notified() => {}
                () = self.rounds.wanted() => {}
            }
            let exchanging = async {
                let began = Instant::now();
                let Err(error) = self.exchange().await else { return self.rounds.done(began, ()) };
                self.rounds.failed();
                self.apps.values().for_each(|app| app.past().cannot_be_read(error.clone()));
                // Statements of passes wait behind one that fails slowly.
                tokio::time::sleep(self.store.timing().lease).await;
            };
            tokio::select! {
                biased;
                _ = stop.requested() => return,
                () = exchanging => {}
            }
        }
    }

    async fn exchange(&self) -> Result<(), Error> {
        let mut known = Vec::new();
        for (name, app) in &self.apps {
            let unwritten = app.past().unwritten();
            if !unwritten.passes.is_empty() {
                self.store.keep_passes(name.as_str(), &unwritten.passes).await?;
                app.past().written(&unwritten);
            }
            let last = app.past().last_row();
            match last {
                Some(last) => known.push((name.as_str(), last)),
                // The first time, each app has a statement of its own, because its passes of days may be large.
                None => self.add([name.as_str()], self.store.latest_passes(name.as_str(), MOST_IDLE, MOST).await?),
            }
        }
        if !known.is_empty() {
            let news = self.store.passes_after(&known, MOST_AT_ONCE).await?;
            self.add(known.into_iter().map(|(name, _)| name), news);
        }
        Ok(())
    }

    /// Adds what was read of these apps.
    fn add<'a>(&self, names: impl IntoIterator<Item = &'a str>, rows: Vec<StoredPassRow>) {
        let mut by_app: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for StoredPassRow { app, id, report } in rows {
            by_app.entry(app).or_default().push((id, report));
        }
        for name in names {
            let app = &self.apps[name];
            let events = app.past().add_rows(by_app.remove(name).unwrap_or_default());
            let now = self.clock.now();
            if !events.is_empty() || app.view().has_old_events(now) {
                app.view().add_events(events, now);
            }
        }
    }
}
