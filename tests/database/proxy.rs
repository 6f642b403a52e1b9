//! A wire to the database that can be cut, stall, or be slow.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

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
    /// The same on connections that are open. New ones pass.
    OpenStall,
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
    loop {
        tokio::select! {
            client = listener.accept() => {
                let (client, _) = client.expect("there is room for a connection");
                tokio::spawn(pass_on(client, server.clone(), wire.clone()));
            }
            changed = wire.changed() => {
                if changed.is_err() {
                    return;
                }
                if *wire.borrow() == Wire::Down {
                    drop(listener);
                    // Connections to a port at which nobody listens are refused, and nobody else gets it.
                    let port = TcpSocket::new_v4().expect("there is room for a socket");
                    port.set_reuseaddr(true).expect("it is not bound yet");
                    port.bind(address).expect("the port is still free");
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

async fn pass_on(client: TcpStream, server: String, wire: watch::Receiver<Wire>) {
    if *wire.borrow() == Wire::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = wire.clone();
    let is_new = *wire.borrow() == Wire::OpenStall;
    let stalls = move |wire: &Wire| *wire == Wire::Stalls || *wire == Wire::OpenStall && !is_new;
    tokio::select! {
        () = copy(from_client, to_server, wire.clone(), stalls, false) => {}
        () = copy(from_server, to_client, wire, stalls, true) => {}
        _ = cut.wait_for(|wire| matches!(wire, Wire::Cut | Wire::Down)) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut wire: watch::Receiver<Wire>,
    stalls: impl Fn(&Wire) -> bool,
    are_answers: bool,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let slowness = if let Wire::Slow(slowness) = *wire.borrow() { slowness } else { Duration::ZERO };
        if are_answers {
            tokio::time::sleep(slowness).await;
        }
        if wire.wait_for(|wire| !stalls(wire)).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

fn authority(url: &str) -> &str {
    let rest = url.rsplit_once('@').expect("the URL has a user").1;
    rest.split_once('/').expect("the URL has a database").0
}
