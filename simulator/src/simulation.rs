//! The state of the simulation behind a lock, the notification of changes, and the loop that applies events.
//!
//! Whoever takes the lock applies all events that are due, each at its own time. The event loop does so as well, so
//! that events are applied on time when nothing else takes the lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::account::Account;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::pagination::IssuedRanges;
use crate::platform::Platform;
use crate::record::Record;

/// How long a test waits for a condition, in real or virtual time.
const WAIT_TIMEOUT: Duration = Duration::from_secs(3600);

/// The state that the lock protects.
pub(crate) struct State {
    pub(crate) platform: Platform,
    pub(crate) account: Account,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) issued_ranges: IssuedRanges,
}

pub(crate) struct Simulation {
    pub(crate) clock: Clock,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Simulation {
    pub(crate) fn new(clock_offset: SignedDuration) -> Simulation {
        let clock = Clock::start(clock_offset);
        Simulation {
            clock,
            state: Mutex::new(State {
                platform: Platform::new(clock.now()),
                account: Account::new(clock.now()),
                faults: Faults::default(),
                record: Record::default(),
                issued_ranges: IssuedRanges::new(),
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Changes the state, and notifies the tasks that wait for a change.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let result = self.with(act);
        self.notify();
        result
    }

    /// Notifies the tasks that wait for a change.
    pub(crate) fn notify(&self) {
        self.changed.send_replace(());
    }

    /// Reads the state, or changes a part of it that no task waits for.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.lock_and_advance())
    }

    /// Returns a receiver that is notified of all later changes.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until the condition is true, and checks it after each change. Returns false if it takes more than an hour.
    pub(crate) async fn wait_until(&self, condition: impl Fn() -> bool) -> bool {
        let mut changes = self.subscribe();
        let wait = async {
            // `self` owns the sender, so `changed` cannot fail.
            while !condition() {
                changes.changed().await.ok();
            }
        };
        timeout(WAIT_TIMEOUT, wait).await.is_ok()
    }

    /// Takes the lock and applies the events that are due. It ignores that the lock is poisoned: if a closure panics,
    /// the test should fail with the message of this panic.
    fn lock_and_advance(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.platform.advance(self.clock.now()) {
            self.changed.send_replace(());
        }
        state
    }
}

/// Applies each event on time, and notifies the tasks that wait for a change.
pub(crate) async fn run_event_loop(simulation: Arc<Simulation>) {
    let mut changes = simulation.subscribe();
    loop {
        changes.borrow_and_update();
        let next_time = simulation.with(|state| state.platform.queue.next_time());
        // `simulation` owns the sender, so `changed` cannot fail.
        let Some(at) = next_time else {
            changes.changed().await.ok();
            continue;
        };
        tokio::select! {
            () = tokio::time::sleep_until(simulation.clock.instant(at)) => {}
            _ = changes.changed() => {}
        }
    }
}
