//! Whether this process may make passes over an app: of several replicas, the one that holds the app's turn may.
//!
//! A turn is a row in the database with a term, which grows whenever the turn changes hands, and a beat, which grows with
//! each write of its holder. Nobody compares clocks:
//!
//! - who has seen the same term and beat for `Timing::lease` by its own clock may take the turn (`lease::Watch`);
//! - the holder relies on it for `Timing::trust` from the *start* of its last renewal (`lease::Lease`). That is shorter by the
//!   longest call to Heroku, so no restart of an old holder happens after a new one has begun.
//!
//! Each write of the holder names its term, and fails when that is over. Before each restart the holder writes down the pass
//! with that restart, so that a successor knows about it, and looks whether it happened before it does anything else.
//!
//! While the database is away, nobody can renew or take a turn, and alerts wait, unless it is certain that only one process
//! acts: see [`Postgres::is_alone`].

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::warn;

use super::history::History;
use super::lease::Lease;
use super::status::TurnStatus;
use super::view::HolderStatus;
use crate::store::{Error, FinishedPass, Postgres, Term, TurnState};

/// The turn of an app, as this process sees it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) store: Arc<Postgres>,
    held: watch::Sender<Option<Arc<HeldTurn>>>,
    /// Who had it when it was looked at last, if that was another process.
    other: Mutex<Option<OtherHolder>>,
    /// Why the turn can be neither taken nor renewed, if so.
    problem: Mutex<Option<String>>,
    /// Why the end of the last pass could not be written, if so.
    unwritten: Mutex<Option<Error>>,
}

/// Who has the turn of an app, as far as this process knows.
#[derive(Debug, Default)]
pub(super) struct TurnNow {
    /// `None` without a database.
    pub(super) status: Option<TurnStatus>,
    pub(super) holder: Option<String>,
    /// Why it is not known, although the database answers.
    pub(super) problem: Option<String>,
}

/// Another process that has the turn, or had it when it ended.
#[derive(Debug)]
struct OtherHolder {
    id: String,
    /// Whether it took or renewed the turn while this process watched.
    is_active: bool,
}

/// A turn that this process took, and did not lose as far as it knows.
#[derive(Debug)]
pub(super) struct HeldTurn {
    pub(super) term: Term,
    lease: Mutex<Lease>,
    /// The fingerprint of the status that was published last, if one was. The status of a hundred dynos is large.
    published: Mutex<Option<u64>>,
    /// Whether the log says that another session of the database locks its row.
    told_locked: AtomicBool,
}

impl Turn {
    pub(super) fn new(store: &Arc<Postgres>) -> Self {
        Self {
            store: Arc::clone(store),
            held: watch::Sender::new(None),
            other: Mutex::default(),
            problem: Mutex::default(),
            unwritten: Mutex::default(),
        }
    }

    /// The turn that this process holds.
    pub(super) fn held(&self) -> Option<Arc<HeldTurn>> {
        self.held.borrow().clone()
    }

    pub(super) fn take(&self, held: Arc<HeldTurn>) {
        self.held.send_replace(Some(held));
    }

    /// This turn is over. One that was taken since is not touched. Whether that is new.
    pub(super) fn lose(&self, held: &HeldTurn) -> bool {
        self.held.send_if_modified(|now| {
            let is_this = now.as_ref().is_some_and(|now| now.term.number == held.term.number);
            is_this && now.take().is_some()
        })
    }

    /// Whether a pass may begin now.
    pub(super) fn may_begin(&self) -> bool {
        self.held().is_some_and(|held| held.is_trusted()) || self.store.is_alone()
    }

    /// Another process has the turn, or nobody has it. `is_active` says that it took or renewed the turn not long ago.
    pub(super) fn note_holder(&self, other: Option<&str>, is_active: bool) {
        *self.other() = other.map(|id| OtherHolder { id: id.to_owned(), is_active });
    }

    /// Who has the turn could not be read.
    pub(super) fn holder_is_unknown(&self) {
        if let Some(other) = &mut *self.other() {
            other.is_active = false;
        }
    }

    /// The other process that has the turn, if it took or renewed it not long ago.
    pub(super) fn active_holder(&self) -> Option<String> {
        self.other().as_ref().filter(|other| other.is_active).map(|other| other.id.clone())
    }

    fn other(&self) -> MutexGuard<'_, Option<OtherHolder>> {
        self.other.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who makes the passes, as far as this process knows.
    pub(super) fn status(&self) -> TurnNow {
        let (held, other) = (self.held(), self.other().as_ref().map(|other| other.id.clone()));
        let is_ours = held.as_ref().is_some_and(|held| held.is_trusted());
        let problem = self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (answers, is_alone) = (self.store.answers(), self.store.is_alone());
        let problem = problem.filter(|_| !is_ours && answers && !is_alone);
        let status = match &problem {
            _ if is_ours => TurnStatus::Ours,
            _ if is_alone => TurnStatus::Alone,
            _ if !answers => TurnStatus::DatabaseAway,
            Some(_) => TurnStatus::Unknown,
            None => TurnStatus::Others,
        };
        let holder = held.map(|_| self.store.id().to_owned()).or(other);
        TurnNow { status: Some(status), holder, problem }
    }

    /// Why the turn can be neither taken nor renewed, if so.
    pub(super) fn note_problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    /// Why the end of the last pass could not be written, if so.
    pub(super) fn unwritten(&self) -> Option<Error> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note_unwritten(&self, error: Option<&Error>) {
        *self.unwritten.lock().unwrap_or_else(PoisonError::into_inner) = error.cloned();
    }

    /// Whether this process may write as the holder. If the lease has ended it must not: a process that acts alone relies on
    /// the row being unchanged.
    pub(super) fn may_write(&self, held: &HeldTurn) -> bool {
        let may_write = held.may_renew(&self.store);
        if !may_write && self.lose(held) {
            let app = &held.term.app;
            warn!(event = "turn_lost", %app, "the turn of {app} was not renewed in time: another restarter may make the passes now");
        }
        may_write
    }

    /// Whether this turn was lost.
    pub(super) fn is_lost(&self, held: &HeldTurn) -> bool {
        self.held.borrow().as_ref().is_none_or(|now| now.term.number != held.term.number)
    }

    /// Waits until this turn is lost.
    pub(super) async fn lost(&self, held: &HeldTurn) {
        let is_lost = |now: &Option<Arc<HeldTurn>>| now.as_ref().is_none_or(|now| now.term.number != held.term.number);
        // The sender is a part of this turn.
        self.held.subscribe().wait_for(is_lost).await.ok();
    }

    /// Writes what is remembered after a look apart from a pass. Whether it is written.
    pub(super) async fn keep_history(&self, held: &HeldTurn, history: &History, status: &HolderStatus) -> bool {
        if !self.may_write(held) {
            return false;
        }
        let began = Instant::now();
        let state = || Some(TurnState { history: json(history), pass: None, status: json(status) });
        let is_held = self.store.write_state(&held.term, state).await;
        match is_held {
            Ok(Some(true)) => held.renewed(began, &self.store),
            Ok(_) => _ = self.lose(held),
            Err(_) => {}
        }
        is_held.is_ok()
    }

    /// Writes the end of a pass. Whether it is written, or nobody needs it any more.
    pub(super) async fn finish(&self, held: &HeldTurn, pass: &FinishedPass) -> Result<bool, Error> {
        if !self.may_write(held) {
            self.note_unwritten(None);
            return Ok(false);
        }
        let began = Instant::now();
        let is_held = self.store.finish_pass(&held.term, pass).await;
        self.note_unwritten(is_held.as_ref().err().filter(|error| error.is_answer()));
        let is_held = is_held?;
        if is_held {
            held.renewed(began, &self.store);
        } else {
            self.lose(held);
        }
        Ok(is_held)
    }
}

impl HeldTurn {
    /// A turn that was taken by a statement that began at `began`.
    pub(super) fn new(term: Term, began: Instant, store: &Postgres) -> Self {
        Self {
            term,
            lease: Mutex::new(Lease::new(began, &store.timing())),
            published: Mutex::default(),
            told_locked: AtomicBool::new(false),
        }
    }

    pub(super) fn is_trusted(&self) -> bool {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).is_trusted(Instant::now())
    }

    fn may_renew(&self, store: &Postgres) -> bool {
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.may_renew(store.is_designated(), Instant::now())
    }

    /// The fingerprint of the status that was published last.
    pub(super) fn published(&self) -> Option<u64> {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A status with this fingerprint was published; or nobody knows which one was.
    pub(super) fn note_published(&self, fingerprint: Option<u64>) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = fingerprint;
    }

    /// Whether the log says that another session of the database locks its row.
    pub(super) fn is_locked(&self) -> bool {
        self.told_locked.load(Ordering::Relaxed)
    }

    /// Another session of the database locks its row, so that it could not be renewed. A short lock does no harm.
    pub(super) fn note_locked(&self) {
        if !self.is_trusted() && !self.told_locked.swap(true, Ordering::Relaxed) {
            tell_locked(&self.term.app);
        }
    }

    /// The turn was renewed by a statement that began at `began`.
    pub(super) fn renewed(&self, began: Instant, store: &Postgres) {
        self.told_locked.store(false, Ordering::Relaxed);
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.renew(began, store.is_designated(), &store.timing());
    }
}

/// Why a turn cannot be taken or renewed whose row is locked.
pub(super) const LOCKED: &str =
    "another session of the database locks the row of its turn; see `heroku pg:locks` for the app of the restarter";

/// Another session of the database locks the row of this app's turn.
pub(super) fn tell_locked(app: impl fmt::Display) {
    warn!(event = "turn_locked", %app, "dynos of {app} cannot be restarted now: {LOCKED}");
}

/// Names, numbers and times, which are always valid JSON.
pub(super) fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
