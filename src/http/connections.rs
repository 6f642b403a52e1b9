//! Limits how many connections there are, so that thousands of slow or silent clients can keep out neither an alert nor the
//! calls to Heroku.
//!
//! A client that sends an alert sends it at once. So when the room runs out, the connection goes that has waited longest for
//! the rest of its request: one that is still without a request is closed, and a body is taken as it is.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;
use tracing::debug;

use super::listener::BACKLOG;

/// More are never needed: Heroku's router has a few connections to each dyno.
const MOST_CONNECTIONS: usize = 4096;

/// With more connections, each ends after its response. It bounds the memory, for a connection that has had a request keeps
/// its buffers, up to 128 KB.
const MOST_KEPT_ALIVE: usize = 256;

/// File descriptors that are kept free for the calls to Heroku, name resolution and the log: a few for each watched app.
const RESERVED_FILES: usize = 64;

/// For a system that does not tell how many files a process may open: the usual limit.
const USUAL_OPEN_FILES: u64 = 1024;

/// How long a client has to send its request when there is no room. Heroku's router sends a whole head at once, and those who
/// have waited for seconds go first.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long an alert waits at most behind as many silent clients as the system queues. With little room, the patience is
/// shorter, so that they all get their turn within this time.
const LONGEST_QUEUE_WAIT: Duration = Duration::from_millis(250);

/// The connections of the service.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    /// How long each may be silent when there is no room for another.
    patience: Duration,
    state: Mutex<State>,
    one_ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// Those that wait for their client, in the order in which they began to.
    waiting: BTreeMap<u64, Waiting>,
    next_number: u64,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    /// Ends the wait.
    enough: Arc<Notify>,
}

/// A connection, which waits for a request at first.
#[derive(Debug)]
pub(super) struct Connection {
    connections: Arc<Connections>,
    /// Its number among those that wait for a request; `None` while there is one.
    number: Mutex<Option<u64>>,
    evicted: Arc<Notify>,
    /// What the handler of the request did not read of its body.
    unread: Mutex<Option<Incoming>>,
}

/// The wait for a body, as long as this lives.
#[derive(Debug)]
pub(super) struct BodyWait {
    connections: Arc<Connections>,
    number: u64,
    enough: Pin<Box<OwnedNotified>>,
}

impl Connections {
    /// As many as the process may open files. The limit is raised as far as it goes.
    pub(super) fn within_open_files() -> Arc<Self> {
        let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(USUAL_OPEN_FILES);
        let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
        debug!("the process may open {open_files} files");
        let most = (open_files - RESERVED_FILES.min(open_files / 2)).min(MOST_CONNECTIONS);
        let queue_turns = u32::from(BACKLOG).div_ceil(u32::try_from(most.max(1)).unwrap_or(u32::MAX));
        let patience = PATIENCE.min(LONGEST_QUEUE_WAIT / queue_turns);
        Arc::new(Self { most, patience, state: Mutex::default(), one_ended: Notify::new() })
    }

    /// Waits until there is room for one more connection, and makes some if there is none.
    pub(super) async fn room(&self) {
        while self.state().open >= self.most {
            let patient_until = self.make_room();
            tokio::select! {
                () = self.one_ended.notified() => {}
                () = tokio::time::sleep_until(patient_until) => {}
            }
        }
    }

    /// Ends the waits that have lasted longest, up to an eighth of all. Returns when the next one may be ended.
    pub(super) fn make_room(&self) -> Instant {
        let mut state = self.state();
        let now = Instant::now();
        for _ in 0..self.most.div_ceil(8) {
            let Some(oldest) = state.waiting.first_entry().filter(|oldest| now - oldest.get().since >= self.patience)
            else {
                break;
            };
            oldest.remove().enough.notify_one();
        }
        state.waiting.first_key_value().map_or(now, |(_, oldest)| oldest.since) + self.patience
    }

    fn wait(&self, enough: &Arc<Notify>) -> u64 {
        let mut state = self.state();
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.insert(number, Waiting { since: Instant::now(), enough: Arc::clone(enough) });
        number
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    pub(super) fn new(connections: &Arc<Connections>) -> Self {
        connections.state().open += 1;
        let evicted = Arc::new(Notify::new());
        let number = connections.wait(&evicted);
        Self {
            connections: Arc::clone(connections),
            number: Mutex::new(Some(number)),
            evicted,
            unread: Mutex::default(),
        }
    }

    /// It has a request now.
    pub(super) fn request_came(&self) {
        if let Some(number) = self.number().take() {
            self.connections.state().waiting.remove(&number);
        }
    }

    /// It waits for the next request.
    pub(super) fn was_answered(&self) {
        let number = self.connections.wait(&self.evicted);
        *self.number() = Some(number);
    }

    /// Whether there are so many connections that they should end after their request.
    pub(super) fn is_room_short(&self) -> bool {
        self.connections.state().open > MOST_KEPT_ALIVE.min(self.connections.most / 4 * 3)
    }

    /// Waits until the connection is to be closed. A notification that comes after the next request began is ignored.
    pub(super) async fn evicted(&self) {
        loop {
            self.evicted.notified().await;
            let number = *self.number();
            if number.is_some_and(|number| !self.connections.state().waiting.contains_key(&number)) {
                return;
            }
        }
    }

    /// A handler does not need this body, or the rest of it.
    pub(super) fn leave_unread(&self, body: Incoming) {
        *self.unread() = Some(body);
    }

    /// What the handler of the request did not read of its body, if anything.
    pub(super) fn take_unread(&self) -> Option<Incoming> {
        self.unread().take()
    }

    fn unread(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The body of the request is waited for from now on.
    pub(super) fn wait_for_body(&self) -> BodyWait {
        let enough = Arc::new(Notify::new());
        let number = self.connections.wait(&enough);
        BodyWait { connections: Arc::clone(&self.connections), number, enough: Box::pin(enough.notified_owned()) }
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.request_came();
        self.connections.state().open -= 1;
        self.connections.one_ended.notify_one();
    }
}

impl BodyWait {
    /// Waits until the body is to be taken as it is. Not to be polled again after that.
    pub(super) fn poll_enough(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.enough.as_mut().poll(context)
    }
}

impl Drop for BodyWait {
    fn drop(&mut self) {
        self.connections.state().waiting.remove(&self.number);
    }
}
