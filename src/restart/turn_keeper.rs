//! Takes and renews the turns of all apps, and brings what was written in the database to their queues. It asks the database
//! as often for fifty apps as for one.
//!
//! - `taking`: takes turns, and reads what the holders of the others remember and publish;
//! - `renewing`: renews those of this process, and publishes the status of these apps.

mod renewing;
mod taking;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
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
use super::turn::{HeldTurn, LOCKED, Turn};
use super::worker::SharedApp;
use crate::heroku::AppName;
use crate::shutdown::Stop;
use crate::store::{Error, MOST_TAKEN, Postgres, StoredRequest};
use crate::util::clock::Clock;
use crate::util::ordered::CollectOrdered;
use crate::util::rounds::RoundsOfTask;

/// How long to wait after an alert was written, so that many are taken at once.
const GATHER: Duration = Duration::from_millis(20);

/// The task that does it. It makes no passes.
pub(super) struct TurnKeeper {
    store: Arc<Postgres>,
    acceptor: Acceptor,
    clock: Clock,
    apps: BTreeMap<AppName, KeptApp>,
    /// The apps whose holder wrote something that was not read yet, in the order in which it is to be read.
    to_learn: VecDeque<AppName>,
    renew_at: Instant,
    /// Since when it is not known who has the turns.
    away_since: Option<Instant>,
    /// Whether the last look failed.
    has_failed: bool,
    /// Whether the log says that this process acts without the database.
    is_alone: bool,
    /// Notified when there may be new reports on passes.
    changed: Arc<Notify>,
    /// Notified when what a task knows may have changed.
    view_changed: Arc<Notify>,
    /// When something may be published again.
    publish_at: Instant,
    /// What requests wait for.
    rounds: RoundsOfTask,
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

    /// Whether another session of the database locks the row of the turn for long.
    fn is_locked(&self) -> bool {
        self.locked.is_some_and(|(_, is_told)| is_told) || self.turn.held().is_some_and(|held| held.is_locked())
    }
}

impl TurnKeeper {
    /// `ended` tells which workers have ended, and is closed when all have; `view_changed` tells that what one knows may have
    /// changed. Requests wait for `rounds`.
    pub(super) fn new(
        acceptor: Acceptor,
        clock: Clock,
        ended: mpsc::UnboundedReceiver<AppName>,
        view_changed: &Arc<Notify>,
        rounds: RoundsOfTask,
    ) -> Self {
        Self {
            store: Arc::clone(acceptor.store()),
            acceptor,
            clock,
            apps: BTreeMap::new(),
            to_learn: VecDeque::new(),
            renew_at: Instant::now(),
            away_since: None,
            has_failed: false,
            is_alone: false,
            changed: Arc::default(),
            view_changed: Arc::clone(view_changed),
            publish_at: Instant::now(),
            rounds,
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

    /// The task that reads and writes reports on passes over these apps. Requests wait for `rounds`.
    pub(super) fn pass_exchange(&self, rounds: RoundsOfTask) -> PassExchange {
        let apps = self.apps.iter().map(|(name, kept)| (name.clone(), Arc::clone(&kept.app))).collect_ordered();
        let (store, changed) = (Arc::clone(&self.store), Arc::clone(&self.changed));
        PassExchange { store, clock: self.clock, apps, changed, rounds }
    }

    /// Works until the service is asked to end, and then gives back the turns whose workers end.
    pub(super) async fn run(mut self, stop: Stop) {
        while !stop.is_requested() {
            let began = Instant::now();
            // Never abandoned half-way: nobody would know which turns were taken. It is bounded.
            let looked = self.look().await;
            match &looked {
                Ok(()) => self.rounds.done(began, ()),
                Err(_) => self.rounds.failed(),
            }
            self.note(looked);
            for kept in self.apps.values() {
                kept.app.queue.set_open(kept.turn.may_begin());
            }
            let look_at = Instant::now() + self.store.timing().poll;
            while self.pause(&stop, look_at).await.is_continue() {
                self.publish_changes().await;
            }
        }
        self.give_back().await;
    }

    /// Waits until it is time for another look, or to publish what has changed.
    async fn pause(&mut self, stop: &Stop, look_at: Instant) -> ControlFlow<()> {
        let written = self.acceptor.written();
        let (publish_at, view_changed) = (self.publish_at, Arc::clone(&self.view_changed));
        let has_changed = self.held().any(|(_, kept, _)| kept.app.has_changed());
        let may_publish = async {
            if !has_changed {
                view_changed.notified().await;
            }
            tokio::time::sleep_until(publish_at).await;
        };
        tokio::select! {
            biased;
            _ = stop.requested() => {}
            // Alerts seldom come alone, and each commit says so.
            () = written.notified() => tokio::time::sleep(GATHER).await,
            () = self.rounds.wanted() => {}
            () = tokio::time::sleep_until(look_at) => {}
            // While the database is away, the next renewal publishes it.
            () = may_publish, if !self.has_failed => return ControlFlow::Continue(()),
        }
        ControlFlow::Break(())
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
        // The status of an app whose turn was taken is published at once.
        self.renew_when_due().await?;
        self.take_requests().await.and(tried)?;
        self.learn().await
    }

    /// The apps whose turns this process has.
    fn held(&self) -> impl Iterator<Item = (&AppName, &KeptApp, Arc<HeldTurn>)> {
        self.apps.iter().filter_map(|(name, kept)| Some((name, kept, kept.held()?)))
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
                senders: request.senders.into_iter().map(Arc::from).collect_ordered(),
                ..PassRequest::default()
            },
        );
        // They are shown while they wait.
        kept.app.note_change();
    }

    /// Logs once that it is not known who has the turns, and once that it is known again. After a lease, the status of each app
    /// says why its turn cannot be kept.
    fn note(&mut self, looked: Result<(), Error>) {
        let away_since = self.away_since;
        // A turn that was lost may be free or not: nobody knows until it is renewed or taken.
        let is_known = |kept: &KeptApp| kept.held().is_some() || kept.turn.active_holder().is_some();
        let is_known = looked.is_ok() && self.apps.values().all(is_known);
        self.has_failed = looked.is_err();
        self.away_since = match looked {
            Ok(()) if is_known => None,
            Ok(()) => away_since,
            Err(_) => Some(away_since.unwrap_or_else(Instant::now)),
        };
        let lasts = away_since.is_some_and(|since| since.elapsed() >= self.store.timing().lease);
        for kept in self.apps.values() {
            let failure = looked.as_ref().err().filter(|_| lasts);
            let failure = failure.map(|error| format!("{error}; {}", error.remedy()));
            kept.turn.note_problem(failure.or_else(|| kept.is_locked().then(|| LOCKED.to_owned())));
        }
        let was_alone = std::mem::replace(&mut self.is_alone, self.store.is_alone());
        if self.is_alone && !was_alone {
            warn!(
                event = "alone",
                "this restarter acts without the database from now on, because it knows of no other that may do so"
            );
        }
        match looked {
            Ok(()) if is_known && away_since.is_some() => info!("which restarter makes the passes is known again"),
            Ok(()) => {}
            Err(error) if away_since.is_some() => debug!("still cannot tell which restarter makes the passes: {error}"),
            Err(error) => warn!("cannot tell which restarter makes the passes: {error}; {}", error.remedy()),
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
