//! The port, and the loop that accepts and serves connections. `connections` limits their number.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::{CONNECTION, EXPECT};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tracing::{debug, warn};

use super::connections::{Connection, Connections};
use super::first_head;
use super::request_body::{self, RequestBody};
use super::respond::without_secrets;
use crate::shutdown::PanicAlarm;
use crate::util::log_throttle::LogThrottle;
use crate::util::request_id::RequestId;
use crate::util::secrets::Secrets;
use crate::util::text::with_causes;

/// Heroku's router limits a line of the head to 8 KB: this is enough for such a URL and all other lines.
pub(super) const MAX_HEAD: usize = 16 * 1024;

/// hyper reads bodies in pieces of up to this size. If all connections had larger buffers, thousands of bodies that do not end
/// would occupy hundreds of megabytes.
const BUFFER: usize = 16 * 1024;

/// A batch of a log drain has about 100 KB, so one or two reads are enough for it. `connections` says which connections have
/// such a buffer.
const LARGE_BUFFER: usize = 128 * 1024;

/// How long connections may take to finish on shutdown. All restarts are done by then.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait after a connection could not be accepted.
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// How many connections the system may queue until they are accepted.
pub(super) const BACKLOG: u16 = 4096;

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
    socket.listen(BACKLOG.into())?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket.into())
}

/// Serves until `end`, then lets the requests in progress finish. A panic in the code of a request raises the alarm.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    secrets: Secrets,
    panics: PanicAlarm,
    end: impl Future<Output = ()>,
) {
    let connections = Connections::within_open_files();
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.max_header_size(MAX_HEAD).half_close(true);
    let (service, accept_errors) = (TowerToHyperService::new(router), LogThrottle::default());
    let server = Arc::new(Server { http, service, secrets, panics, rejected: LogThrottle::default() });
    let (mut idle, mut memory) = (std::pin::pin!(connections.end_idle()), std::pin::pin!(connections.release_memory()));
    let mut end = std::pin::pin!(end);
    loop {
        let stream = tokio::select! {
            biased;
            () = &mut end => break,
            never = &mut idle => match never {},
            never = &mut memory => match never {},
            stream = accept(&listener, &connections, &accept_errors) => stream,
        };
        let connection = Arc::new(Connection::new(&connections));
        tokio::spawn(serve_connection(Arc::clone(&server), stream, connection, graceful.watcher()));
    }
    drop(listener);
    // A connection without a request needs no orderly end.
    connections.end_silent();
    if tokio::time::timeout(CLOSE_TIMEOUT, graceful.shutdown()).await.is_err() {
        debug!("connections were still open after {CLOSE_TIMEOUT:?}");
    }
}

/// What all connections share.
struct Server {
    http: http1::Builder,
    service: TowerToHyperService<Router>,
    secrets: Secrets,
    panics: PanicAlarm,
    /// Why heads of requests were rejected.
    rejected: LogThrottle,
}

/// Waits for the first request on a connection, and serves the connection until it ends. Thousands of clients may be silent:
/// until the first head is there, this takes a few hundred bytes.
async fn serve_connection(server: Arc<Server>, stream: TcpStream, connection: Arc<Connection>, watcher: Watcher) {
    let _guard = server.panics.guard();
    let evicted = tokio::select! {
        biased;
        arrived = first_head::arrived(&stream) => {
            if let Err(error) = arrived {
                return debug!("a connection ended: {error}");
            }
            false
        }
        () = connection.evicted() => true,
    };
    if !evicted {
        let serving = Box::pin(server.serve_requests(stream, &connection, watcher));
        tokio::select! {
            biased;
            ended = serving => return log_end(ended.err(), &server.rejected),
            () = connection.evicted() => {}
        }
    }
    debug!("closed a connection that sent no request");
}

impl Server {
    async fn serve_requests(
        &self,
        stream: TcpStream,
        connection: &Arc<Connection>,
        watcher: Watcher,
    ) -> Result<(), hyper::Error> {
        let (service, secrets) = (self.service.clone(), self.secrets.clone());
        let serving = Arc::new(Serving { service, connection: Arc::clone(connection), secrets });
        let respond = service_fn(move |request| answer(Arc::clone(&serving), request));
        let mut http = self.http.clone();
        http.max_buf_size(if connection.has_large_buffer { LARGE_BUFFER } else { BUFFER });
        watcher.watch(http.serve_connection(TokioIo::new(stream), respond)).await
    }
}

/// What the requests of one connection need. They share it with no other connection: threads that change the same reference count at
/// each request wait for each other.
struct Serving {
    service: TowerToHyperService<Router>,
    connection: Arc<Connection>,
    secrets: Secrets,
}

/// Answers a request.
fn answer(
    serving: Arc<Serving>,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<axum::response::Response, std::convert::Infallible>> + use<> {
    let connection = &serving.connection;
    connection.request_came();
    let id = RequestId::of(request.headers(), &serving.secrets);
    // A client that waits for `100 Continue` sends no body after another answer, so there is nothing to linger for, unless the
    // handler begins to read.
    let lingers = !request.headers().contains_key(EXPECT);
    let request = request.map(|body| Body::new(RequestBody::new(body, connection, lingers)));
    let response = id.clone().scope(serving.service.call(request));
    async move {
        let Serving { connection, secrets, .. } = &*serving;
        let mut response = response.await?;
        if let Some(body) = connection.take_unread() {
            request_body::linger(body).await;
        }
        id.add_to(response.headers_mut());
        if connection.is_room_short() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let response = without_secrets(response, secrets).await;
        connection.was_answered();
        Ok(response)
    }
}

/// Logs why a connection ended. hyper answers a head that is no HTTP with 400 or 431 and no text, so that only the log can tell
/// why an alert was lost.
fn log_end(error: Option<hyper::Error>, rejected: &LogThrottle) {
    let Some(why) = error else { return };
    debug!("a connection ended: {why}");
    if !why.is_parse() {
        return;
    }
    let status = if why.is_parse_too_large() { 431 } else { 400 };
    let why = with_causes(&why);
    rejected.log(&why.clone(), move |times| {
        warn!(
            count = times.count(),
            "a request was rejected with status {status}, because its head is not valid HTTP or too large: {why}{times}. If it was an \
             alert, encode what stands in the URL: spaces as %20, quotation marks as %22"
        );
    });
}

/// Accepts the next connection when there is room for it.
async fn accept(listener: &TcpListener, connections: &Connections, errors: &LogThrottle) -> TcpStream {
    loop {
        connections.room().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                // A response is one small packet. If the option is refused, the response is only later.
                stream.set_nodelay(true).ok();
                return stream;
            }
            Err(error) if is_caused_by_client(&error) => {}
            Err(error) => {
                errors.log(&error.kind().to_string(), move |times| {
                    warn!("cannot accept a connection: {error}; closing connections that sent no request{times}");
                });
                connections.make_room();
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_caused_by_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
