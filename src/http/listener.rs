//! The port and the connections on it, so bounded that thousands of clients who say nothing do not keep an alert out.

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

use crate::util::log_throttle::Sparing;

/// Heroku's router keeps an idle connection for 90 s and sends the next request on it; closing later than it does avoids
/// the race. The same limit holds for the head of a request, for hyper has but one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(95);

/// How many connections may wait for a request at once. When one more comes, the one that has waited longest is closed:
/// an alert that arrives sends its request at once. Well below the 1024 files a process may have open by default.
const MOST_WAITING: usize = 512;

/// The router's limit for a line of the head is 8 KB; this is room for a few such lines.
const LARGEST_HEAD: usize = 64 * 1024;

/// How long connections may take to finish when the service ends. All work is done by then.
const GOODBYE: Duration = Duration::from_secs(2);

/// How many connections the system may queue until they are accepted.
const BACKLOG: i32 = 1024;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On all interfaces, IPv6 and IPv4. Port 0 lets the system choose one.
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

/// Binds. Where the machine has no IPv6, IPv4 alone will do.
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
        socket.set_only_v6(false)?;
    }
    // So that a restart need not wait for the connections of the process before.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Serves until `end`, then lets the requests at hand finish.
pub async fn serve(listener: TcpListener, router: Router, end: impl Future<Output = ()>) {
    let service = TowerToHyperService::new(router);
    let waiting = Arc::new(WaitingRoom::default());
    let graceful = GracefulShutdown::new();
    let troubles = Sparing::default();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT).max_buf_size(LARGEST_HEAD).half_close(true);
    let mut end = std::pin::pin!(end);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut end => break,
            stream = accept(&listener, &waiting, &troubles) => stream,
        };
        let seat = Arc::new(Seat::take(&waiting));
        let (service, occupant) = (service.clone(), Arc::clone(&seat));
        let answer = service_fn(move |request: hyper::Request<Incoming>| {
            let (answer, seat) = (service.call(request), Arc::clone(&occupant));
            async move {
                seat.leave();
                let answer = answer.await;
                seat.take_again();
                answer
            }
        });
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), answer));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                ended = connection => if let Err(error) = ended { debug!("a connection ended: {error}") },
                () = seat.lost() => debug!("closed a connection that sent nothing to make room"),
            }
            seat.leave();
        });
    }
    drop(listener);
    if tokio::time::timeout(GOODBYE, graceful.shutdown()).await.is_err() {
        debug!("connections were still open after {GOODBYE:?}");
    }
}

/// The next connection. When the process has no more file descriptors, connections that wait give theirs back.
async fn accept(listener: &TcpListener, waiting: &WaitingRoom, troubles: &Sparing) -> TcpStream {
    const TRY_AGAIN: Duration = Duration::from_millis(10);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // An answer is one small packet. Where the option is refused, it is only later.
                stream.set_nodelay(true).ok();
                return stream;
            }
            Err(error) if is_the_clients_fault(&error) => {}
            Err(error) => {
                if troubles.count().is_some() {
                    warn!("cannot accept a connection: {error}; closing some that sent nothing");
                }
                waiting.make_room();
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}

fn is_the_clients_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// The connections that wait for a request, in the order in which they began to wait.
#[derive(Default)]
struct WaitingRoom(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    taken: BTreeMap<u64, Arc<Notify>>,
    next: u64,
}

/// A connection's place in the waiting room.
struct Seat {
    room: Arc<WaitingRoom>,
    /// None while the connection is served.
    number: Mutex<Option<u64>>,
    lost: Arc<Notify>,
}

impl WaitingRoom {
    /// Closes a part of the connections that wait, those that have waited longest.
    fn make_room(&self) {
        let mut seats = self.seats();
        for _ in 0..seats.taken.len().div_ceil(8) {
            seats.give_up_oldest();
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives out the next number; whoever has waited longest makes room.
    fn seat(&self, lost: &Arc<Notify>) -> u64 {
        let mut seats = self.seats();
        if seats.taken.len() >= MOST_WAITING {
            seats.give_up_oldest();
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Arc::clone(lost));
        number
    }
}

impl Seats {
    fn give_up_oldest(&mut self) {
        if let Some((_, longest)) = self.taken.pop_first() {
            longest.notify_one();
        }
    }
}

impl Seat {
    fn take(room: &Arc<WaitingRoom>) -> Self {
        let lost = Arc::new(Notify::new());
        Self { room: Arc::clone(room), number: Mutex::new(Some(room.seat(&lost))), lost }
    }

    fn leave(&self) {
        let number = self.number().take();
        if let Some(number) = number {
            self.room.seats().taken.remove(&number);
        }
    }

    fn take_again(&self) {
        let number = self.room.seat(&self.lost);
        *self.number() = Some(number);
    }

    /// Waits until the seat is lost while it is taken; a connection that is served has none to lose.
    async fn lost(&self) {
        loop {
            self.lost.notified().await;
            let number = *self.number();
            if number.is_some_and(|number| !self.room.seats().taken.contains_key(&number)) {
                return;
            }
        }
    }

    fn number(&self) -> MutexGuard<'_, Option<u64>> {
        self.number.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
