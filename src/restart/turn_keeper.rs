//! Takes and renews the turn of an app, and brings what was written in the database to the app's queue.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::acceptance::Acceptor;
use super::history::History;
use super::lease::Watch;
use super::past_passes::{MOST, MOST_IDLE};
use super::queue::PassRequest;
use super::stored_pass::StoredPass;
use super::target::MergedTarget;
use super::turn::{HeldTurn, Turn, json};
use super::worker::SharedApp;
use crate::heroku::AppName;
use crate::shutdown::Stop;
use crate::store::{Error, MOST_TAKEN, StoredRequest, Term};
use crate::util::clock::Clock;

/// How long to wait after an alert was written, so that many are taken at once.
const GATHER: Duration = Duration::from_millis(20);

/// The task that does it. It makes no passes.
pub(super) struct TurnKeeper {
    name: AppName,
    app: Arc<SharedApp>,
    turn: Arc<Turn>,
    acceptor: Acceptor,
    clock: Clock,
    watch: Watch,
    renew_at: Instant,
    /// Marks the requests that are in the queue already. A new number brings all of them again.
    number: i64,
    /// The requests that the pass of a predecessor serves.
    in_hand: BTreeSet<i64>,
    is_away: bool,
    /// What the others were told last, if they were.
    written_status: Option<Value>,
}

/// A turn that was taken, and what the last holder left.
#[derive(Debug)]
pub(super) struct Takeover {
    pub(super) held: Arc<HeldTurn>,
    pub(super) history: Option<History>,
    pub(super) pass: Option<StoredPass>,
}

impl TurnKeeper {
    pub(super) fn new(
        name: &AppName,
        app: &Arc<SharedApp>,
        turn: &Arc<Turn>,
        acceptor: Acceptor,
        clock: Clock,
    ) -> Self {
        Self {
            name: name.clone(),
            app: Arc::clone(app),
            turn: Arc::clone(turn),
            acceptor,
            clock,
            watch: Watch::default(),
            renew_at: Instant::now(),
            number: fastrand::i64(..),
            in_hand: BTreeSet::new(),
            is_away: false,
            written_status: None,
        }
    }

    /// Works until the service is asked to end.
    pub(super) async fn run(mut self, stop: Stop) {
        let poll = self.turn.store.timing().poll;
        loop {
            let turn = Arc::clone(&self.turn);
            let looking = async {
                let looked = match turn.held().filter(|held| turn.may_write(held)) {
                    Some(held) => self.hold(&held).await,
                    None => self.try_to_take().await,
                };
                self.note(looked);
                self.app.queue.set_open(turn.may_begin());
            };
            // Never abandoned half-way: nobody would know whether the turn was taken. It is bounded.
            looking.await;
            tokio::select! {
                biased;
                _ = stop.requested() => return,
                // Alerts seldom come alone, and each commit says so.
                () = turn.written.notified() => tokio::time::sleep(GATHER).await,
                () = tokio::time::sleep(poll) => {}
            }
        }
    }

    /// Renews the turn when it is time, and takes what was written.
    async fn hold(&mut self, held: &Arc<HeldTurn>) -> Result<(), Error> {
        let store = Arc::clone(&self.turn.store);
        let began = Instant::now();
        if began >= self.renew_at {
            let status = json(&self.app.for_others());
            let has_changed = self.written_status.as_ref() != Some(&status);
            self.written_status = None;
            if !store.renew_turn(&held.term, Some(&status).filter(|_| has_changed)).await? {
                let app = &self.name;
                warn!(event = "turn_lost", %app, "another restarter makes the passes over {app} now");
                self.turn.lose(held);
                self.app.queue.forget_requests();
                return Ok(());
            }
            held.renewed(began, &store);
            (self.written_status, self.renew_at) = (Some(status), began + store.timing().renewal());
            self.exchange_passes().await;
        }
        loop {
            let taken = store.take_requests(&held.term, self.number).await;
            if taken.is_err() {
                // They may have been marked all the same. A new number brings them again.
                self.number = fastrand::i64(..);
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

    /// Writes the reports on passes that could not be written when they ended, and reads those of other processes. Nothing else
    /// depends on it.
    async fn exchange_passes(&self) {
        let (app, store) = (self.name.as_str(), &self.turn.store);
        let unwritten = self.app.past().unwritten();
        if unwritten.passes.is_empty() || store.keep_passes(app, &unwritten.passes).await.is_ok() {
            self.app.past().written(&unwritten);
        }
        let last = self.app.past().last_row();
        let rows = store.passes_after(app, last, MOST_IDLE, MOST).await;
        let events = self.app.past().add_rows(rows);
        self.app.view().add_events(events, self.clock.now());
    }

    fn put(&self, request: StoredRequest) {
        if self.in_hand.contains(&request.id) {
            return;
        }
        let Some(mut asked) = self.read::<MergedTarget>(request.asked, "an alert") else { return };
        // The clock of the replica that accepted it may be ahead.
        asked.arrived_until(self.clock.now());
        self.app.queue.put_stored(PassRequest {
            asked,
            alerts: u64::try_from(request.alerts).unwrap_or_default(),
            senders: request.senders.into_iter().map(Arc::from).collect(),
            requests: vec![request.id],
            ..PassRequest::default()
        });
    }

    /// Takes the turn if nobody has it, or if its holder did not renew it for long.
    async fn try_to_take(&mut self) -> Result<(), Error> {
        let store = Arc::clone(&self.turn.store);
        let row = store.turn(self.name.as_str()).await.inspect_err(|_| self.watch.failed())?;
        let now = Instant::now();
        if self.watch.read(&row, now, &store.timing()) {
            self.learn().await.inspect_err(|_| self.watch.forget())?;
        }
        self.turn.note_holder(row.holder.as_deref(), self.watch.sees_another(store.id()));
        let Some(row) = self.watch.may_take(store.id(), store.is_designated(), now, &store.timing()) else {
            if !self.acceptor.is_away() {
                self.app.queue.forget_requests();
            }
            return Ok(());
        };
        let began = Instant::now();
        let Some(taken) = store.take_turn(self.name.as_str(), row).await? else { return Ok(()) };
        let term = Term { app: self.name.as_str().to_owned(), number: taken.term };
        let held = Arc::new(HeldTurn::new(term, began, &store));
        let history = taken.history.and_then(|history| self.read(history, "what is remembered"));
        let pass: Option<StoredPass> = taken.pass.and_then(|pass| self.read(pass, "the pass under way"));
        self.in_hand = pass.iter().flat_map(|pass| &pass.requests).copied().collect();
        // The first renewal, at once, tells the others what this process sees and does.
        (self.number, self.renew_at) = (fastrand::i64(..), began);
        self.watch.forget();
        let (app, id) = (&self.name, store.id());
        let goes_on = if pass.is_some() { ", and goes on with the one that was not finished" } else { "" };
        info!(event = "turn_taken", %app, "this restarter ({id}) makes the passes over {app}{goes_on}");
        self.app.queue.take_over(Takeover { held: Arc::clone(&held), history, pass }, &self.turn);
        self.hold(&held).await
    }

    /// Learns what the holder remembers, sees and does, so that the status and a dry run are right here, too.
    async fn learn(&self) -> Result<(), Error> {
        let (history, status) = self.turn.store.history_and_status(self.name.as_str()).await?;
        // Who takes the turn tells that the history is not valid. The status may be of another version of this program.
        let history = history.and_then(|history| serde_json::from_value(history).ok());
        let status = status.and_then(|status| serde_json::from_value(status).ok());
        self.app.learn(history, status, self.clock.now());
        self.exchange_passes().await;
        Ok(())
    }

    /// Reads what another version of this program may have written.
    fn read<T: DeserializeOwned>(&self, value: Value, what: &str) -> Option<T> {
        let app = &self.name;
        serde_json::from_value(value)
            .inspect_err(|error| {
                warn!(%app, "{what} of {app} in the database is not valid, and is ignored: {error}");
            })
            .ok()
    }

    /// Tells once that the database is away, and once that it is back.
    fn note(&mut self, looked: Result<(), Error>) {
        let app = &self.name;
        match looked {
            Ok(()) if std::mem::take(&mut self.is_away) => info!(%app, "the database can be asked about {app} again"),
            Ok(()) => {}
            Err(error) if std::mem::replace(&mut self.is_away, true) => debug!(%app, "still: {error}"),
            Err(error) => {
                let remedy = error.remedy();
                warn!(%app, "who makes the passes over {app} is not known: {error}; {remedy}");
            }
        }
    }
}
