//! Limits how many connections there are and how long they may be silent, so that thousands of slow or silent clients can keep
//! out neither an alert nor the calls to Heroku.
//!
//! When the limit is reached, the connections are closed that have waited longest for a request. If all have one, the body
//! that has been waited for longest is taken as it is. The same is done when too many bodies are waited for.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::listener::BACKLOG;
use crate::util::log_throttle::LogThrottle;
use crate::util::memory;

/// Heroku's router keeps an idle connection for 90 s and may send the next request on it. Closing the connection later
/// than the router does avoids a race. The same limit holds for the head of a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(95);

/// More are never needed: Heroku's router has a few connections to each dyno. One without a request takes about 1.2 KB of memory.
const MOST_CONNECTIONS: usize = 16_384;

/// How many bodies may be waited for at once. Each may take up to 100 KB of memory.
const MOST_BODIES: usize = 2_048;

/// With more connections, each ends after its response. It bounds the memory, for a connection that has had a request keeps
/// its buffers, up to 32 KB.
const MOST_KEPT_ALIVE: usize = 256;

/// A connection that is opened beside fewer others has a large buffer. More drains are never attached, and these buffers
/// together occupy 16 MB at most.
const MOST_LARGE_BUFFERS: usize = 64;

/// File descriptors that are kept free for the calls to Heroku, name resolution and the log: a few for each watched app.
const RESERVED_FILES: usize = 64;

/// For a system that does not tell how many files a process may open: the usual limit.
const USUAL_OPEN_FILES: u64 = 1024;

/// How long a client has to send its request when there is no room. Heroku's router sends a whole head at once, but a client
/// that opens thousands of connections needs time.
const PATIENCE: Duration = Duration::from_secs(2);

/// After this many connections have ended, memory is returned to the system.
const MANY: usize = 64;

/// How long to wait before that: the other connections of a flood end soon, too.
const RELEASE_DELAY: Duration = Duration::from_secs(2);

/// How long to wait for connections that were ended, before further ones are.
const PAUSE: Duration = Duration::from_millis(2);

/// How long an alert waits at most behind as many silent clients as the system queues. Where there is room for fewer, the
/// patience is so short that they all get their turn within this time.
const LONGEST_QUEUE_WAIT: Duration = Duration::from_millis(250);

/// The connections of the service.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    /// How long each may be silent when there is no room for another.
    patience: Duration,
    open: AtomicUsize,
    /// How many have ended.
    ended: AtomicUsize,
    /// How many bodies are waited for.
    bodies: AtomicUsize,
    /// One for each connection, for its next request; and one for each body that is waited for.
    waits: Mutex<BTreeMap<u64, Arc<Wait>>>,
    next_number: AtomicU64,
    started: Instant,
    one_ended: Notify,
    /// Many connections have ended since memory was returned.
    many_ended: Notify,
    full: LogThrottle,
}

/// A wait for a client, now or later. Requests begin and end it without a lock, so that they never wait for each other.
#[derive(Debug)]
struct Wait {
    /// When it began, in microseconds after the start; or one of the values below.
    since: AtomicU64,
    /// Whether it is for the rest of a request that has a valid key.
    is_for_body: bool,
    /// Ends the wait.
    enough: Arc<Notify>,
}

/// There is a request.
const NOT_WAITING: u64 = u64::MAX;

/// The wait was ended to make room.
const ENDED: u64 = u64::MAX - 1;

/// A connection, which waits for a request at first.
#[derive(Debug)]
pub(super) struct Connection {
    wait: OwnWait,
    /// Whether there is memory for a large buffer.
    pub(super) has_large_buffer: bool,
    /// What the handler of the request did not read of its body.
    unread: Mutex<Option<Incoming>>,
}

/// The wait for a body, as long as this lives.
#[derive(Debug)]
pub(super) struct BodyWait {
    _wait: OwnWait,
    enough: Pin<Box<OwnedNotified>>,
}

/// A wait, which is among those that may be ended for as long as this lives.
#[derive(Debug)]
struct OwnWait {
    connections: Arc<Connections>,
    number: u64,
    shared: Arc<Wait>,
}

impl Connections {
    /// As many as the process may open files. The limit is raised as far as it goes.
    pub(super) fn within_open_files() -> Arc<Self> {
        let open_files = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(USUAL_OPEN_FILES);
        let open_files = usize::try_from(open_files).unwrap_or(usize::MAX);
        debug!("the process may open {open_files} files");
        let most = (open_files - RESERVED_FILES.min(open_files / 2)).min(MOST_CONNECTIONS);
        let patience = match u32::from(BACKLOG).div_ceil(u32::try_from(most.max(1)).unwrap_or(u32::MAX)) {
            1 => PATIENCE,
            queue_turns => LONGEST_QUEUE_WAIT / queue_turns,
        };
        let (open, ended, bodies, waits, next_number, one_ended, many_ended, full) = Default::default();
        let started = Instant::now();
        Arc::new(Self { most, patience, open, ended, bodies, waits, next_number, started, one_ended, many_ended, full })
    }

    /// Waits until there is room for one more connection, and makes some if there is none.
    pub(super) async fn room(&self) {
        if self.open.load(Relaxed) >= self.most {
            let most = self.most;
            self.full.log("", move |times| {
                warn!(
                    count = times.count(),
                    "{most} connections are open, and the process has room for no more{times}: those that have waited longest to \
                     send their request are closed"
                );
            });
        }
        while self.open.load(Relaxed) >= self.most {
            // A connection that was ended needs a moment to go.
            let patient_until = self.make_room().max(Instant::now() + PAUSE);
            tokio::select! {
                () = self.one_ended.notified() => {}
                () = tokio::time::sleep_until(patient_until) => {}
            }
        }
    }

    /// Ends the waits that have lasted longest, up to an eighth of all. Returns when the next one may be ended.
    pub(super) fn make_room(&self) -> Instant {
        self.end_waits(self.patience, self.most.div_ceil(8))
    }

    /// Ends each wait that has lasted for [`IDLE_TIMEOUT`]. One timer for all connections costs much less than one for each
    /// request.
    pub(super) async fn end_idle(&self) -> Infallible {
        loop {
            tokio::time::sleep_until(self.end_waits(IDLE_TIMEOUT, usize::MAX)).await;
        }
    }

    /// Returns the memory of connections that have ended to the system, for ever.
    pub(super) async fn release_memory(&self) -> Infallible {
        loop {
            self.many_ended.notified().await;
            tokio::time::sleep(RELEASE_DELAY).await;
            // Nobody waits for it, and it cannot fail.
            drop(tokio::task::spawn_blocking(memory::release));
        }
    }

    /// Ends each wait for a request: the process is about to end.
    pub(super) fn end_silent(&self) {
        let waits = self.waits();
        for wait in waits.values().filter(|wait| !wait.is_for_body) {
            wait.end_now();
        }
    }

    /// Ends the waits that have lasted for `patience`, `most` of them at most. Those for the rest of a request go only when there
    /// are no others: strangers must not cut off an alert. Returns when the next one may be ended.
    fn end_waits(&self, patience: Duration, most: usize) -> Instant {
        let (waits, now) = (self.waits(), Instant::now());
        let waiting = waits.values().map(|wait| (wait.since.load(Relaxed), wait)).filter(|(since, _)| *since < ENDED);
        let (bodies, idle): (Vec<_>, Vec<_>) = waiting.partition(|(_, wait)| wait.is_for_body);
        let mut waiting = if idle.is_empty() { bodies } else { idle };
        waiting.sort_unstable_by_key(|(since, _)| *since);
        let until = |since| self.started + Duration::from_micros(since) + patience;
        let is_over = |since: u64| until(since) <= now;
        let ended = waiting.iter().take(most).take_while(|(since, _)| is_over(*since));
        let count = ended.filter(|(since, wait)| wait.end(*since)).count();
        waiting.get(count).map_or(now + patience, |(since, _)| until(*since))
    }

    fn wait(self: &Arc<Self>, is_for_body: bool) -> OwnWait {
        let (number, since) = (self.next_number.fetch_add(1, Relaxed), AtomicU64::new(self.now()));
        let wait = Arc::new(Wait { since, is_for_body, enough: Arc::default() });
        let mut waits = self.waits();
        if is_for_body && self.bodies.fetch_add(1, Relaxed) >= MOST_BODIES {
            // The numbers go up with time.
            let mut bodies = waits.values().filter(|wait| wait.is_for_body);
            bodies.any(|wait| wait.end_now());
        }
        waits.insert(number, Arc::clone(&wait));
        drop(waits);
        OwnWait { connections: Arc::clone(self), number, shared: wait }
    }

    /// In microseconds after the start.
    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(ENDED - 1)
    }

    fn waits(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Wait>>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wait {
    /// Ends it, unless there is a request or it has ended already.
    fn end_now(&self) -> bool {
        let since = self.since.load(Relaxed);
        since < ENDED && self.end(since)
    }

    /// Ends it, unless something has come meanwhile.
    fn end(&self, since: u64) -> bool {
        let has_ended = self.since.compare_exchange(since, ENDED, Relaxed, Relaxed).is_ok();
        if has_ended {
            self.enough.notify_one();
        }
        has_ended
    }
}

impl Connection {
    pub(super) fn new(connections: &Arc<Connections>) -> Self {
        let others = connections.open.fetch_add(1, Relaxed);
        Self { wait: connections.wait(false), has_large_buffer: others < MOST_LARGE_BUFFERS, unread: Mutex::default() }
    }

    /// It has a request now.
    pub(super) fn request_came(&self) {
        self.since().store(NOT_WAITING, Relaxed);
    }

    /// It waits for the next request.
    pub(super) fn was_answered(&self) {
        self.since().store(self.connections().now(), Relaxed);
    }

    fn since(&self) -> &AtomicU64 {
        &self.wait.shared.since
    }

    fn connections(&self) -> &Arc<Connections> {
        &self.wait.connections
    }

    /// Whether there are so many connections that they should end after their request.
    pub(super) fn is_room_short(&self) -> bool {
        let connections = self.connections();
        connections.open.load(Relaxed) > MOST_KEPT_ALIVE.min(connections.most / 4 * 3)
    }

    /// Waits until the connection is to be closed. A notification that comes after the next request began is ignored.
    pub(super) async fn evicted(&self) {
        loop {
            self.wait.shared.enough.notified().await;
            if self.since().load(Relaxed) == ENDED {
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
        let wait = self.connections().wait(true);
        let enough = Box::pin(Arc::clone(&wait.shared.enough).notified_owned());
        BodyWait { _wait: wait, enough }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.connections().open.fetch_sub(1, Relaxed);
        self.connections().one_ended.notify_one();
        if self.connections().ended.fetch_add(1, Relaxed) % MANY == MANY - 1 {
            self.connections().many_ended.notify_one();
        }
    }
}

impl BodyWait {
    /// Waits until the body is to be taken as it is. Not to be polled again after that.
    pub(super) fn poll_enough(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.enough.as_mut().poll(context)
    }
}

impl Drop for OwnWait {
    fn drop(&mut self) {
        if self.shared.is_for_body {
            self.connections.bodies.fetch_sub(1, Relaxed);
        }
        self.connections.waits().remove(&self.number);
    }
}
