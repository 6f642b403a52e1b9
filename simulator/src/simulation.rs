//! The one lock, the notification of every change, and the engine that lets time pass.
//!
//! Taking the lock brings the world up to the present: every event that is due has happened, each at
//! its own time. The engine does the same when nobody takes the lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::account::Account;
use crate::clock::Clock;
use crate::faults::Faults;
use crate::page::Issued;
use crate::record::Record;
use crate::world::World;

/// How long a test waits for something, in what may be virtual time.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Everything that changes.
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) account: Account,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) issued: Issued,
}

pub(crate) struct Simulation {
    pub(crate) clock: Clock,
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

impl Simulation {
    pub(crate) fn new(ahead: SignedDuration) -> Simulation {
        let clock = Clock::start(ahead);
        Simulation {
            clock,
            state: Mutex::new(State {
                world: World::new(clock.now()),
                account: Account::new(clock.now()),
                faults: Faults::default(),
                record: Record::default(),
                issued: Issued::new(),
            }),
            changed: watch::Sender::new(()),
        }
    }

    /// Changes the state and wakes all waiting tasks.
    pub(crate) fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let result = self.with(act);
        self.tell();
        result
    }

    /// Wakes all tasks that wait for a change.
    pub(crate) fn tell(&self) {
        self.changed.send_replace(());
    }

    /// Reads the state, or changes a part that no task waits for.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.present())
    }

    /// A receiver that is notified of each change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until the condition holds, and checks it at each change; false after an hour.
    pub(crate) async fn until(&self, what: impl Fn() -> bool) -> bool {
        let mut changes = self.changes();
        let so = async {
            // The sender lives in `self`, so `changed` cannot fail.
            while !what() {
                changes.changed().await.ok();
            }
        };
        timeout(PATIENCE, so).await.is_ok()
    }

    /// A panic in a test's closure, or for an unknown name, must not hide behind a poisoned lock.
    fn present(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.world.advance(self.clock.now()) {
            self.changed.send_replace(());
        }
        state
    }
}

/// Makes each event happen on time, and wakes the tasks that wait for it.
pub(crate) async fn run_engine(simulation: Arc<Simulation>) {
    let mut changes = simulation.changes();
    loop {
        changes.borrow_and_update();
        let next = simulation.with(|state| state.world.agenda.next());
        // The sender lives in `simulation`, so `changed` cannot fail.
        let Some(at) = next else {
            changes.changed().await.ok();
            continue;
        };
        tokio::select! {
            () = tokio::time::sleep_until(simulation.clock.instant(at)) => {}
            _ = changes.changed() => {}
        }
    }
}
