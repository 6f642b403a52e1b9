//! Ships what waits in a drain, as logplex does.
//!
//! One POST at a time over one connection, each with as many lines as there are, and with the same
//! `Logplex-Frame-Id` when it has to be repeated. So the order of the lines stays, however slow the
//! receiver is. Plain http only.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Request, StatusCode, Uri};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::agenda::Agenda;
use crate::drain::{Batch, Drain};
use crate::simulation::Simulation;

/// The numbers of logplex: attempts, patience.
const ATTEMPTS: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const LARGEST_BACKOFF_POWER: u32 = 10;

/// Where a drain ships to.
pub(crate) struct Target {
    host: String,
    address: (String, u16),
    path: String,
    authorization: Option<HeaderValue>,
}

enum Delivery {
    Done,
    /// Refused for good: it is not repeated.
    Refused,
    Failed,
}

impl Target {
    /// None when it is no http URL with a host.
    pub(crate) fn parse(url: &str) -> Option<Target> {
        let uri: Uri = url.parse().ok()?;
        if uri.scheme_str() != Some("http") {
            return None;
        }
        let authority = uri.authority()?;
        let user_info = authority.as_str().rsplit_once('@').map(|(user_info, _)| user_info);
        let port = authority.port_u16().unwrap_or(80);
        Some(Target {
            host: format!("{}:{port}", authority.host()),
            address: (authority.host().trim_matches(['[', ']']).to_owned(), port),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            authorization: user_info.and_then(basic),
        })
    }
}

/// Logplex splits at the colon and forgets an empty half: the password of `:secret@` arrives
/// as the user name.
fn basic(user_info: &str) -> Option<HeaderValue> {
    let mut halves = user_info.split(':').filter(|half| !half.is_empty());
    let user = halves.next()?;
    let password = halves.next().unwrap_or_default();
    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    HeaderValue::from_str(&format!("Basic {credentials}")).ok()
}

/// Ships the lines of one drain for as long as the drain is there.
pub(crate) async fn ship(simulation: Arc<Simulation>, app: String, id: String, target: Target) {
    let mut changes = simulation.changes();
    let mut shipper = Shipper { simulation, app, id, target, connection: None, failures: 0 };
    loop {
        changes.borrow_and_update();
        let Some(mut batch) = shipper.drain(Drain::take).flatten() else {
            // The sender lives in `simulation`, so this cannot fail.
            changes.changed().await.ok();
            continue;
        };
        let arrived = shipper.deliver(&mut batch).await;
        shipper.drain(|drain, agenda| drain.settle(agenda.now, &batch, arrived));
        shipper.simulation.tell();
    }
}

struct Shipper {
    simulation: Arc<Simulation>,
    app: String,
    id: String,
    target: Target,
    connection: Option<SendRequest<Body>>,
    /// In a row.
    failures: u32,
}

impl Shipper {
    fn drain<T>(&self, act: impl FnOnce(&mut Drain, &mut Agenda) -> T) -> Option<T> {
        self.simulation.with(|state| {
            let (app, agenda) = state.world.app(&self.app)?;
            let drain = app.drains.iter_mut().find(|drain| drain.id == self.id)?;
            Some(act(drain, agenda))
        })
    }

    /// Tries a batch up to three times; says whether it has arrived.
    async fn deliver(&mut self, batch: &mut Batch) -> bool {
        for _ in 0..ATTEMPTS {
            if self.failures > 0 {
                let power = (self.failures - 1).min(LARGEST_BACKOFF_POWER);
                tokio::time::sleep(FIRST_BACKOFF * 2_u32.pow(power)).await;
            }
            self.drain(|drain, agenda| drain.tell_losses(agenda.now, batch));
            match post(&self.target, &mut self.connection, batch).await {
                Delivery::Done => {
                    self.failures = 0;
                    return true;
                }
                Delivery::Refused => {
                    self.failures = 0;
                    return false;
                }
                Delivery::Failed => {
                    self.connection = None;
                    self.failures += 1;
                }
            }
        }
        false
    }
}

async fn post(target: &Target, connection: &mut Option<SendRequest<Body>>, batch: &Batch) -> Delivery {
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        *connection = timeout(CONNECT_TIMEOUT, connect(target)).await.ok().flatten();
    }
    let Some(sender) = connection else {
        return Delivery::Failed;
    };
    let exchange = async {
        sender.ready().await.ok()?;
        let response = sender.send_request(request(target, batch)).await.ok()?;
        Some(response.status())
    };
    match timeout(RESPONSE_TIMEOUT, exchange).await {
        Ok(Some(status)) if status.is_success() => Delivery::Done,
        Ok(Some(status)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => Delivery::Refused,
        _ => Delivery::Failed,
    }
}

async fn connect(target: &Target) -> Option<SendRequest<Body>> {
    let stream = TcpStream::connect(target.address.clone()).await.ok()?;
    stream.set_nodelay(true).ok();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // It ends when the sender is dropped, or tells the sender why it ended.
    tokio::spawn(async move { connection.await.ok() });
    Some(sender)
}

fn request(target: &Target, batch: &Batch) -> Request<Body> {
    let mut request = Request::post(&target.path).header(HOST, &target.host);
    if let Some(authorization) = &target.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request
        .header(CONTENT_TYPE, "application/logplex-1")
        .header("Logplex-Msg-Count", batch.messages)
        .header("Logplex-Frame-Id", &batch.frame_id)
        .header("Logplex-Drain-Token", &batch.token)
        .header(USER_AGENT, "Logplex/v72")
        .body(Body::from(batch.body.clone()))
        .expect("every part of it has been parsed before")
}
