//! Takes and renews the turns of all apps, and brings what was written in the database to their queues. It asks the database
//! as often for fifty apps as for one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::acceptance::Acceptor;
use super::history::History;
use super::lease::Watch;
use super::pass_exchange::PassExchange;
use super::queue::PassRequest;
use super::stored_pass::StoredPass;
use super::taken_requests::TakenRequests;
use super::target::MergedTarget;
use super::turn::{HeldTurn, Turn, json, tell_locked};
use super::worker::SharedApp;
use crate::heroku::AppName;
use crate::shutdown::Stop;
use crate::store::{Error, MOST_TAKEN, Postgres, Renewal, StoredRequest, TakenTurn, Term};
use crate::util::clock::Clock;

/// How long to wait after an alert was written, so that many are taken at once.
const GATHER: Duration = Duration::from_millis(20);

/// The task that does it. It makes no passes.
pub(super) struct TurnKeeper {
    store: Arc<Postgres>,
    acceptor: Acceptor,
    clock: Clock,
    apps: BTreeMap<AppName, KeptApp>,
    renew_at: Instant,
    is_away: bool,
    /// Told when there may be new reports on passes.
    changed: Arc<Notify>,
    /// Tells which workers have ended.
    ended: mpsc::UnboundedReceiver<AppName>,
}

/// An app whose turn is kept.
struct KeptApp {
    app: Arc<SharedApp>,
    turn: Arc<Turn>,
    /// The turn, while another process has it or nobody.
    watch: Watch,
    /// Since when the turn is free and cannot be taken, and whether the log says so.
    locked: Option<(Instant, bool)>,
}

/// A turn that was taken, and what the last holder left.
#[derive(Debug)]
pub(super) struct Takeover {
    pub(super) held: Arc<HeldTurn>,
    pub(super) history: Option<History>,
    pub(super) pass: Option<StoredPass>,
}

impl KeptApp {
    /// The turn, if this process has it.
    fn held(&self) -> Option<Arc<HeldTurn>> {
        self.turn.held().filter(|held| self.turn.may_write(held))
    }

    /// The turn was free, and was not taken: another process was faster, or another session of the database locks its row.
    fn could_not_take(&mut self, app: &str, limit: Duration) {
        let (since, is_told) = self.locked.get_or_insert((Instant::now(), false));
        if since.elapsed() >= limit && !std::mem::replace(is_told, true) {
            tell_locked(app);
        }
    }
}

impl TurnKeeper {
    /// `ended` tells which workers have ended, and is closed when all have.
    pub(super) fn new(acceptor: Acceptor, clock: Clock, ended: mpsc::UnboundedReceiver<AppName>) -> Self {
        Self {
            store: Arc::clone(acceptor.store()),
            acceptor,
            clock,
            apps: BTreeMap::new(),
            renew_at: Instant::now(),
            is_away: false,
            changed: Arc::default(),
            ended,
        }
    }

    /// Keeps the turn of this app, too.
    pub(super) fn add(&mut self, name: &AppName, app: &Arc<SharedApp>) {
        if let Some(turn) = &app.turn {
            let (app, turn) = (Arc::clone(app), Arc::clone(turn));
            app.queue.set_open(false);
            self.apps.insert(name.clone(), KeptApp { app, turn, watch: Watch::default(), locked: None });
        }
    }

    /// The task that reads and writes reports on passes over these apps.
    pub(super) fn pass_exchange(&self) -> PassExchange {
        let apps = self.apps.iter().map(|(name, kept)| (name.clone(), Arc::clone(&kept.app))).collect();
        PassExchange { store: Arc::clone(&self.store), clock: self.clock, apps, changed: Arc::clone(&self.changed) }
    }

    /// Works until the service is asked to end, and then gives back the turns whose workers end.
    pub(super) async fn run(mut self, stop: Stop) {
        let poll = self.store.timing().poll;
        let written = self.acceptor.written();
        loop {
            // Never abandoned half-way: nobody would know which turns were taken. It is bounded.
            let looked = self.look().await;
            self.note(looked);
            for kept in self.apps.values() {
                kept.app.queue.set_open(kept.turn.may_begin());
            }
            tokio::select! {
                biased;
                _ = stop.requested() => break,
                // Alerts seldom come alone, and each commit says so.
                () = written.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(poll) => {}
            }
        }
        self.give_back().await;
    }

    /// Gives back the turns of workers that have ended, so that a successor need not wait for the end of the lease. Workers that
    /// end at the same time cost one statement.
    async fn give_back(&mut self) {
        let mut names = Vec::new();
        while self.ended.recv_many(&mut names, self.apps.len()).await > 0 {
            let held: Vec<_> = names.drain(..).filter_map(|name| self.apps.get(&name)?.held()).collect();
            let terms: Vec<_> = held.iter().map(|held| &held.term).collect();
            if !terms.is_empty() {
                // Without the database, the successor waits.
                self.store.give_back_turns(&terms).await.ok();
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.renew_when_due().await?;
        // When turns cannot be taken, the apps whose turns this process has are served all the same.
        let tried = self.try_to_take().await;
        // At once, the others are told what this process sees and does.
        self.renew_when_due().await?;
        self.take_requests().await.and(tried)
    }

    /// The apps whose turns this process has.
    fn held(&self) -> impl Iterator<Item = (&AppName, &KeptApp, Arc<HeldTurn>)> {
        self.apps.iter().filter_map(|(name, kept)| Some((name, kept, kept.held()?)))
    }

    /// Renews the turns, and tells the others what this process sees and does.
    async fn renew_when_due(&mut self) -> Result<(), Error> {
        if self.renew_at > Instant::now() {
            return Ok(());
        }
        let (began, held) = (Instant::now(), self.held().collect::<Vec<_>>());
        let statuses: Vec<_> = held.iter().map(|(_, kept, _)| json(&kept.app.for_others())).collect();
        let mut renewals = Vec::new();
        for ((_, _, held), status) in held.iter().zip(&statuses) {
            renewals.push(Renewal {
                term: &held.term,
                status: Some(status).filter(|status| held.take_told().as_ref() != Some(*status)),
            });
        }
        let renewed = if held.is_empty() { BTreeMap::new() } else { self.store.renew_turns(&renewals).await? };
        for ((app, kept, held), status) in held.iter().zip(statuses) {
            match renewed.get(app.as_str()) {
                Some(true) => {
                    held.renewed(began, &self.store);
                    held.note_told(status);
                }
                Some(false) => held.note_locked(),
                None => {
                    warn!(event = "turn_lost", %app, "another restarter makes the passes over {app} now");
                    kept.turn.lose(held);
                    kept.app.queue.forget_requests();
                }
            }
        }
        self.changed.notify_one();
        let is_any_locked = renewed.values().any(|is_renewed| !is_renewed);
        self.renew_at = if is_any_locked { began } else { began + self.store.timing().renewal() };
        Ok(())
    }

    /// Takes the requests that wait in the database.
    async fn take_requests(&self) -> Result<(), Error> {
        loop {
            let held: Vec<_> = self.held().collect();
            let terms: Vec<_> = held.iter().map(|(_, kept, held)| (&held.term, kept.app.queue.mark())).collect();
            if terms.is_empty() {
                return Ok(());
            }
            let taken = self.store.take_requests(&terms).await;
            if taken.is_err() {
                // They may have been marked all the same.
                for (_, kept, _) in &held {
                    kept.app.queue.note_taken(TakenRequests::take_again);
                }
            }
            let taken = taken?;
            let are_more = taken.len() == MOST_TAKEN;
            for request in taken {
                self.put(request);
            }
            if !are_more {
                return Ok(());
            }
        }
    }

    fn put(&self, request: StoredRequest) {
        let Some((name, kept)) = self.apps.get_key_value(&*request.app) else { return };
        let Some(mut asked) = read::<MergedTarget>(name, request.asked, "an alert") else { return };
        // The clock of the replica that accepted it may be ahead.
        asked.arrived_until(self.clock.now());
        kept.app.queue.put_stored(
            request.id,
            PassRequest {
                asked,
                alerts: u64::try_from(request.alerts).unwrap_or_default(),
                senders: request.senders.into_iter().map(Arc::from).collect(),
                ..PassRequest::default()
            },
        );
    }

    /// Takes the turns that nobody has, and those whose holder did not renew them for long.
    async fn try_to_take(&mut self) -> Result<(), Error> {
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

    /// Reads who has these turns, and learns from the others what has changed.
    async fn watch(&mut self, names: &[AppName]) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        let rows = store.turns(&names.iter().map(AppName::as_str).collect::<Vec<_>>()).await;
        let now = Instant::now();
        let mut changed = Vec::new();
        for name in names {
            let Some(kept) = self.apps.get_mut(name) else { continue };
            let Some(row) = rows.as_ref().ok().and_then(|rows| rows.get(name.as_str())) else {
                kept.watch.failed();
                kept.turn.holder_is_unknown();
                continue;
            };
            if kept.watch.read(row, now, &store.timing()) {
                changed.push(name);
                kept.locked = None;
            }
            kept.turn.note_holder(row.holder.as_deref(), kept.watch.sees_another(store.id()));
        }
        rows?;
        if changed.is_empty() {
            return Ok(());
        }
        let learned = self.learn(&changed).await;
        if learned.is_err() {
            for name in changed {
                self.apps.get_mut(name).into_iter().for_each(|kept| kept.watch.forget());
            }
        }
        learned
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
        let id = self.store.id();
        let goes_on = if pass.is_some() { ", and goes on with the one that was not finished" } else { "" };
        info!(event = "turn_taken", %app, "this restarter ({id}) makes the passes over {app}{goes_on}");
        kept.app.queue.take_over(Takeover { held, history, pass }, &kept.turn);
    }

    /// Learns what the holders remember, see and do, so that the status and a dry run are right here, too.
    async fn learn(&self, names: &[&AppName]) -> Result<(), Error> {
        let apps: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        for (app, history, status) in self.store.histories_and_statuses(&apps).await? {
            let Some(kept) = self.apps.get(&*app) else { continue };
            // Who takes the turn tells that the history is not valid. The status may be of another version of this program.
            let history = history.and_then(|history| serde_json::from_value(history).ok());
            let status = status.and_then(|status| serde_json::from_value(status).ok());
            kept.app.learn(history, status, self.clock.now());
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Tells once that the database is away, and once that it is back.
    fn note(&mut self, looked: Result<(), Error>) {
        match looked {
            Ok(()) if std::mem::take(&mut self.is_away) => info!("who makes the passes is known again"),
            Ok(()) => {}
            Err(error) if std::mem::replace(&mut self.is_away, true) => debug!("still: {error}"),
            Err(error) => warn!("who makes the passes is not known: {error}; {}", error.remedy()),
        }
    }
}

/// Reads what another version of this program may have written.
fn read<T: DeserializeOwned>(app: &AppName, value: Value, what: &str) -> Option<T> {
    let invalid = |error: &serde_json::Error| {
        warn!(%app, "{what} of {app} in the database is not valid, and is ignored: {error}");
    };
    serde_json::from_value(value).inspect_err(invalid).ok()
}
