//! A wire to the database that can be cut, stall, or be slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Passes,
    /// Connections are closed, and new ones, too.
    Cut,
    /// The same, and connections are refused: nothing listens.
    Down,
    /// Bytes wait, in both directions.
    Stalls,
    /// The first connection waits that sends this text. Others pass.
    HoldsFirst(&'static str),
    /// Each answer takes this long.
    Slow(Duration),
}

/// Passes connections on to a server, until this is dropped.
#[derive(Clone)]
pub(crate) struct Proxy {
    port: u16,
    wire: Arc<watch::Sender<Wire>>,
}

impl Proxy {
    /// To the server of this URL.
    pub(crate) async fn to(url: &str) -> Self {
        let server = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let wire = Arc::new(watch::Sender::new(Wire::Passes));
        tokio::spawn(listen(listener, server, wire.subscribe()));
        Self { port, wire }
    }

    /// The same URL, by way of this wire.
    pub(crate) fn url(&self, url: &str) -> String {
        url.replace(authority(url), &format!("127.0.0.1:{}", self.port))
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }
}

async fn listen(mut listener: TcpListener, server: String, mut wire: watch::Receiver<Wire>) {
    let address = listener.local_addr().expect("it is bound");
    let held = Arc::new(AtomicBool::new(false));
    loop {
        tokio::select! {
            client = listener.accept() => {
                let (client, _) = client.expect("there is room for a connection");
                let (server, wire, held) = (server.clone(), wire.clone(), Arc::clone(&held));
                tokio::spawn(async move { pass_on(client, server, wire, &held).await });
            }
            changed = wire.changed() => {
                if changed.is_err() {
                    return;
                }
                if *wire.borrow() == Wire::Down {
                    drop(listener);
                    // Connections to a port at which nobody listens are refused, and nobody else gets it.
                    let port = bind_again(address).await;
                    // It ends with the test.
                    if wire.wait_for(|wire| *wire != Wire::Down).await.is_err() {
                        return;
                    }
                    listener = port.listen(1024).expect("it is bound");
                }
            }
        }
    }
}

/// Binds a port that was in use a moment ago. A process that is just being started has a copy of its listener until its program
/// runs.
async fn bind_again(address: SocketAddr) -> TcpSocket {
    let port = TcpSocket::new_v4().expect("there is room for a socket");
    port.set_reuseaddr(true).expect("it is not bound yet");
    let binding = async {
        while port.bind(address).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    crate::in_time("the port is free", binding).await;
    port
}

async fn pass_on(client: TcpStream, server: String, wire: watch::Receiver<Wire>, held: &AtomicBool) {
    if *wire.borrow() == Wire::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = wire.clone();
    tokio::select! {
        () = copy(from_client, to_server, wire.clone(), held, false) => {}
        () = copy(from_server, to_client, wire, held, true) => {}
        _ = cut.wait_for(|wire| matches!(wire, Wire::Cut | Wire::Down)) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut wire: watch::Receiver<Wire>,
    held: &AtomicBool,
    are_answers: bool,
) {
    let (arrived, mut waiting) = mpsc::unbounded_channel();
    let reading = async move {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes).await {
            if arrived.send((Instant::now(), bytes[..count].to_vec())).is_err() {
                return;
            }
        }
    };
    let sending = async move {
        while let Some((at, bytes)) = waiting.recv().await {
            let slowness = if let Wire::Slow(slowness) = *wire.borrow() { slowness } else { Duration::ZERO };
            if are_answers {
                tokio::time::sleep_until(at + slowness).await;
            }
            let text = if let Wire::HoldsFirst(text) = *wire.borrow() { Some(text.as_bytes()) } else { None };
            let is_sent = text.is_some_and(|text| bytes.windows(text.len()).any(|part| part == text));
            let is_held = is_sent && !held.swap(true, Ordering::Relaxed);
            let stalls = |wire: &Wire| *wire == Wire::Stalls || is_held && matches!(wire, Wire::HoldsFirst(_));
            if wire.wait_for(|wire| !stalls(wire)).await.is_err() || to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, sending);
}

fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').expect("the URL has a user").1;
    rest.split_once('/').expect("the URL has a database").0
}
