//! Where triggers wait for the next pass. However many come, they become one: rule 1.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::history::History;
use super::outlook::{Accepted, Hold, Outlook};
use super::pacing::IdlePace;
use super::report::DryRun;
use super::status::WaitingAlerts;
use super::taken_requests::TakenRequests;
use super::target::{MergedTarget, Receipt, Trigger};
use super::turn::Turn;
use super::turn_keeper::Takeover;
use super::{DryRunError, Stopping};
use crate::util::clock::Clock;

/// How many senders of a pass's alerts its report names.
const MOST_SENDERS: usize = 5;

/// One app's queue.
#[derive(Debug)]
pub(super) struct Queue {
    clock: Clock,
    min_age: Duration,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug)]
struct Waiting {
    pass: PassRequest,
    dry_runs: Vec<DryRunRequest>,
    /// A turn that was taken, with what its last holder left.
    takeover: Option<Takeover>,
    taken: TakenRequests,
    /// Whether passes may be made: of several replicas, only one makes them.
    is_open: bool,
    state: QueueState,
    /// When the allowance of idle calls lets a pass begin.
    ready_at: Option<Instant>,
    /// Why automatic restarts are paused, if they are.
    hold: Option<Hold>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum QueueState {
    #[default]
    Idle,
    /// A pass is under way.
    Busy,
    Closed,
}

/// What all waiting alerts ask for.
#[derive(Clone, Debug, Default)]
pub(super) struct PassRequest {
    pub(super) asked: MergedTarget,
    /// How many alerts there are.
    pub(super) alerts: u64,
    /// Who sent them; the first few.
    pub(super) senders: BTreeSet<Arc<str>>,
    /// Shared by all of them.
    pub(super) receipt: Receipt,
    /// Where they are in the database.
    pub(super) requests: Vec<i64>,
}

/// A dry run that a caller waits for.
#[derive(Debug)]
pub(super) struct DryRunRequest {
    pub(super) asked: MergedTarget,
    pub(super) answer: oneshot::Sender<DryRun>,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Work {
    Pass(Box<PassRequest>),
    TakeOver(Box<Takeover>),
    DryRuns(Vec<DryRunRequest>),
}

impl PassRequest {
    /// What one alert asks for, that arrived at this time.
    pub(super) fn of(trigger: Trigger, arrived: Timestamp, min_age: Duration) -> Self {
        let mut request = Self { alerts: 1, ..Self::default() };
        request.senders.insert(trigger.sender);
        request.asked.merge(trigger.target, trigger.force, arrived, min_age);
        request
    }

    /// Adds what other alerts ask for.
    pub(super) fn absorb(&mut self, other: Self) {
        self.asked.absorb(other.asked);
        self.alerts += other.alerts;
        let room = MOST_SENDERS.saturating_sub(self.senders.len());
        self.senders.extend(other.senders.into_iter().take(room));
        self.requests.extend(other.requests);
    }
}

impl Waiting {
    /// What comes of an alert that arrives now.
    fn outlook(&self, is_forced: bool) -> Outlook {
        match &self.hold {
            _ if !self.is_open => return Outlook::Kept,
            Some(hold) if !is_forced => return Outlook::Held(hold.clone()),
            _ if !self.pass.asked.is_empty() => return Outlook::Joins,
            _ if self.state == QueueState::Busy => return Outlook::Follows,
            _ => {}
        }
        let pause = self.ready_at.map(|at| at.saturating_duration_since(Instant::now())).unwrap_or_default();
        if is_forced || pause.is_zero() { Outlook::Begins } else { Outlook::BeginsIn(pause) }
    }
}

impl Queue {
    pub(super) fn new(clock: Clock, min_age: Duration) -> Self {
        let waiting = Waiting {
            pass: PassRequest::default(),
            dry_runs: Vec::new(),
            takeover: None,
            taken: TakenRequests::default(),
            is_open: true,
            state: QueueState::default(),
            ready_at: None,
            hold: None,
        };
        Self { clock, min_age, waiting: Mutex::new(waiting), changed: Notify::new() }
    }

    /// Whether passes may be made. They may at first.
    pub(super) fn set_open(&self, is_open: bool) {
        let mut waiting = self.lock();
        if std::mem::replace(&mut waiting.is_open, is_open) != is_open {
            self.changed.notify_one();
        }
    }

    /// Adds alerts that have this id in the database, unless they were added before.
    pub(super) fn put_stored(&self, id: i64, mut request: PassRequest) {
        let mut waiting = self.lock();
        if waiting.state != QueueState::Closed && waiting.taken.add(id) {
            request.requests.push(id);
            waiting.pass.absorb(request);
            self.changed.notify_one();
        }
    }

    /// The number that marks, in the database, what was added here.
    pub(super) fn mark(&self) -> i64 {
        self.lock().taken.mark()
    }

    /// What became of requests that are not in the queue any more.
    pub(super) fn note_taken(&self, note: impl FnOnce(&mut TakenRequests)) {
        note(&mut self.lock().taken);
    }

    /// Another restarter has the turn: what waits here is in the database, or will be, and that one takes it from there.
    pub(super) fn forget_requests(&self) {
        let mut waiting = self.lock();
        waiting.is_open = false;
        let forgotten = std::mem::take(&mut waiting.pass);
        waiting.taken.give_up(&forgotten.requests);
    }

    /// The turn was taken. What its last holder left comes before everything else: nobody sees that the turn is held before
    /// that is here.
    pub(super) fn take_over(&self, takeover: Takeover, turn: &Turn) {
        let mut waiting = self.lock();
        turn.take(Arc::clone(&takeover.held));
        let requests = takeover.pass.iter().flat_map(|pass| pass.requests.clone()).collect::<Vec<_>>();
        // Another one may wait here that was lost before anybody went on with it.
        let lost = waiting.takeover.replace(takeover).and_then(|lost| lost.pass);
        waiting.taken.give_up(&lost.map(|pass| pass.requests).unwrap_or_default());
        for id in requests {
            waiting.taken.add(id);
        }
        self.changed.notify_one();
    }

    /// What the last holder of the turn remembered, if that was not taken over yet.
    pub(super) fn left_history(&self) -> Option<History> {
        self.lock().takeover.as_ref()?.history.clone()
    }

    /// What comes of an alert that is in the database.
    pub(super) fn outlook(&self, is_forced: bool) -> Outlook {
        self.lock().outlook(is_forced)
    }

    /// Adds a trigger. Does not wait.
    pub(super) fn put(&self, trigger: Trigger) -> Result<Accepted, Stopping> {
        let mut waiting = self.lock();
        if waiting.state == QueueState::Closed {
            return Err(Stopping);
        }
        let outlook = waiting.outlook(trigger.force);
        if waiting.pass.senders.len() < MOST_SENDERS && !waiting.pass.senders.contains(&trigger.sender) {
            waiting.pass.senders.insert(Arc::clone(&trigger.sender));
        }
        // In a storm of alerts, all but the first join a pass that waits already.
        let was = (waiting.pass.asked.is_empty(), waiting.pass.asked.is_forced());
        self.merge(&mut waiting.pass.asked, trigger);
        waiting.pass.alerts += 1;
        if was != (waiting.pass.asked.is_empty(), waiting.pass.asked.is_forced()) {
            self.changed.notify_one();
        }
        Ok(Accepted { receipt: waiting.pass.receipt.clone(), outlook })
    }

    /// Asks for a dry run, unless a pass is under way. The answer never comes when a pass begins instead.
    pub(super) fn put_dry_run(&self, trigger: Trigger) -> Result<oneshot::Receiver<DryRun>, DryRunError> {
        let mut waiting = self.lock();
        match waiting.state {
            QueueState::Closed => return Err(DryRunError::Stopping),
            QueueState::Busy => return Err(DryRunError::Busy),
            QueueState::Idle => {}
        }
        let (answer, receiver) = oneshot::channel();
        let mut asked = MergedTarget::default();
        self.merge(&mut asked, trigger);
        waiting.dry_runs.push(DryRunRequest { asked, answer });
        self.changed.notify_one();
        Ok(receiver)
    }

    /// Waits for work. Dry runs and forced alerts do not wait for the allowance of idle calls.
    pub(super) async fn next(&self, pace: &IdlePace, hold: Option<Hold>) -> Work {
        {
            let mut waiting = self.lock();
            (waiting.state, waiting.ready_at, waiting.hold) = (QueueState::Idle, pace.ready_at(), hold);
        }
        loop {
            let ready_at = match self.take(pace) {
                Ok(work) => return work,
                Err(ready_at) => ready_at,
            };
            let ready = async {
                match ready_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = ready => {}
            }
        }
    }

    /// Takes what can be done now; otherwise, when there will be something to do unless more comes.
    fn take(&self, pace: &IdlePace) -> Result<Work, Option<Instant>> {
        let mut waiting = self.lock();
        if let Some(takeover) = waiting.takeover.take() {
            waiting.state = QueueState::Busy;
            waiting.dry_runs.clear();
            return Ok(Work::TakeOver(Box::new(takeover)));
        }
        let is_open = waiting.is_open;
        let asked = &waiting.pass.asked;
        if is_open && asked.is_forced() || is_open && !asked.is_empty() && pace.is_ready() {
            waiting.state = QueueState::Busy;
            waiting.dry_runs.clear();
            return Ok(Work::Pass(Box::new(std::mem::take(&mut waiting.pass))));
        }
        if !waiting.dry_runs.is_empty() {
            return Ok(Work::DryRuns(std::mem::take(&mut waiting.dry_runs)));
        }
        Err(if waiting.pass.asked.is_empty() || !is_open { None } else { pace.ready_at() })
    }

    /// The alerts that wait for the next pass.
    pub(super) fn waiting_alerts(&self) -> Option<WaitingAlerts> {
        let pass = &self.lock().pass;
        (pass.alerts > 0).then(|| WaitingAlerts { alerts: pass.alerts, asked: pass.asked.describe() })
    }

    /// Lets nothing in any more; returns what waits.
    pub(super) fn close(&self) -> PassRequest {
        let mut waiting = self.lock();
        waiting.state = QueueState::Closed;
        waiting.dry_runs.clear();
        std::mem::take(&mut waiting.pass)
    }

    fn merge(&self, asked: &mut MergedTarget, trigger: Trigger) {
        asked.merge(trigger.target, trigger.force, self.clock.time(trigger.arrived), self.min_age);
    }

    /// No code panics while it holds the lock, and if it did the queue would still be whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
