//! The port and its connections. The number of connections that wait for a request is limited, so that thousands of silent
//! clients cannot keep an alert out.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tracing::{debug, warn};

use crate::util::log_throttle::LogThrottle;

/// Heroku's router keeps an idle connection for 90 s and may send the next request on it. Closing the connection later
/// than the router does avoids a race. hyper has only one timeout, so the same limit holds for the head of a request.
const IDLE_TIMEOUT: Duration = Duration::from_secs(95);

/// How many connections may be idle at once. One more closes the one that has been idle longest: a client that sends an
/// alert sends its request at once. Well below 1024, the default limit of open files of a process.
const MAX_IDLE: usize = 512;

/// Heroku's router limits a line of the head to 8 KB; this is enough for several such lines.
const MAX_HEAD: usize = 64 * 1024;

/// How long connections may take to finish on shutdown. All restarts are done by then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait after a connection could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// How many connections the system may queue until they are accepted.
const BACKLOG: i32 = 1024;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On this port of all interfaces, IPv6 and IPv4. With port 0, the system chooses one.
    Everywhere(u16),
    /// At one address.
    At(SocketAddr),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everywhere(port) => write!(f, "port {port}"),
            Self::At(address) => write!(f, "{address}"),
        }
    }
}

/// Binds the port. On a machine without IPv6, it listens on IPv4 only.
///
/// # Errors
/// When the port is taken or not allowed.
pub fn bind(listen: Listen) -> io::Result<TcpListener> {
    match listen {
        Listen::At(address) => bind_to(address),
        Listen::Everywhere(port) => bind_to((Ipv6Addr::UNSPECIFIED, port).into()).or_else(|error| match error.kind() {
            io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
            _ => bind_to((Ipv4Addr::UNSPECIFIED, port).into()),
        }),
    }
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // One socket for IPv6 and IPv4. Neither std nor tokio can set this option; the default depends on the system.
        socket.set_only_v6(false)?;
    }
    // A new process can bind at once, although connections of the previous one are still in TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Serves until `end`, then lets the requests in progress finish.
pub(crate) async fn serve(listener: TcpListener, router: Router, end: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router);
    let idle = Arc::new(IdleConnections::default());
    let graceful = GracefulShutdown::new();
    let accept_errors = LogThrottle::default();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT).max_buf_size(MAX_HEAD).half_close(true);
    let mut end = std::pin::pin!(end);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut end => break,
            stream = accept(&listener, &idle, &accept_errors) => stream,
        };
        let connection = Arc::new(Connection::new(&idle));
        let (service, handle) = (service.clone(), Arc::clone(&connection));
        let respond = service_fn(move |request: hyper::Request<Incoming>| {
            let (response, connection) = (service.call(request), Arc::clone(&handle));
            async move {
                connection.set_busy();
                let response = response.await;
                connection.set_idle();
                response
            }
        });
        let serving = graceful.watch(http.serve_connection(TokioIo::new(stream), respond));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                ended = serving => if let Err(error) = ended { debug!("a connection ended: {error}") },
                () = connection.evicted() => debug!("closed an idle connection to make room"),
            }
            connection.set_busy();
        });
    }
    drop(listener);
    if tokio::time::timeout(CLOSE_TIMEOUT, graceful.shutdown()).await.is_err() {
        debug!("connections were still open after {CLOSE_TIMEOUT:?}");
    }
}

/// Accepts the next connection. When the process has no file descriptors left, idle connections are closed.
async fn accept(listener: &TcpListener, idle: &IdleConnections, errors: &LogThrottle) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // A response is one small packet. If the option is refused, the response is only later.
                stream.set_nodelay(true).ok();
                return stream;
            }
            Err(error) if is_caused_by_client(&error) => {}
            Err(error) => {
                if errors.should_log().is_some() {
                    warn!("cannot accept a connection: {error}; closing idle connections");
                }
                idle.evict_some();
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_caused_by_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The connections that wait for a request, in the order in which they became idle.
#[derive(Default)]
struct IdleConnections(Mutex<IdleQueue>);

#[derive(Default)]
struct IdleQueue {
    by_number: BTreeMap<u64, Arc<Notify>>,
    next_number: u64,
}

/// A connection, which is idle at first.
struct Connection {
    idle: Arc<IdleConnections>,
    /// Its number among the idle connections; `None` while a request is served.
    number: Mutex<Option<u64>>,
    evicted: Arc<Notify>,
}

impl IdleConnections {
    /// Closes an eighth of the idle connections, those that have been idle longest.
    fn evict_some(&self) {
        let mut queue = self.queue();
        for _ in 0..queue.by_number.len().div_ceil(8) {
            queue.evict_oldest();
        }
    }

    /// Adds a connection and returns its number. If there are too many, the oldest is closed.
    fn add(&self, evicted: &Arc<Notify>) -> u64 {
        let mut queue = self.queue();
        if queue.by_number.len() >= MAX_IDLE {
            queue.evict_oldest();
        }
        let number = queue.next_number;
        queue.next_number += 1;
        queue.by_number.insert(number, Arc::clone(evicted));
        number
    }

    fn queue(&self) -> MutexGuard<'_, IdleQueue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl IdleQueue {
    fn evict_oldest(&mut self) {
        if let Some((_, oldest)) = self.by_number.pop_first() {
            oldest.notify_one();
        }
    }
}

impl Connection {
    fn new(idle: &Arc<IdleConnections>) -> Self {
        let evicted = Arc::new(Notify::new());
        Self { idle: Arc::clone(idle), number: Mutex::new(Some(idle.add(&evicted))), evicted }
    }

    fn set_busy(&self) {
        let number = self.number().take();
        if let Some(number) = number {
            self.idle.queue().by_number.remove(&number);
        }
    }

    fn set_idle(&self) {
        let number = self.idle.add(&self.evicted);
        *self.number() = Some(number);
    }

    /// Waits until the connection is to be closed. A notification that arrives after the next request began is ignored.
    async fn evicted(&self) {
        loop {
            self.evicted.notified().await;
            let number = *self.number();
            if number.is_some_and(|number| !self.idle.queue().by_number.contains_key(&number)) {
                return;
            }
        }
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
