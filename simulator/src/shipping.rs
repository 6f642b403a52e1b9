//! Ships the lines of a drain, as logplex does.
//!
//! Each POST contains all lines of the buffer that fit into a batch. The next one is sent on the same connection, and
//! only after the response, so the lines stay in order if the receiver is slow. A repeated POST has the same
//! `Logplex-Frame-Id`. HTTPS is not supported.

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

use crate::drain::{Batch, Drain};
use crate::event_queue::EventQueue;
use crate::simulation::Simulation;

// These are the limits of logplex.
const ATTEMPTS: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const LARGEST_BACKOFF_POWER: u32 = 10;

/// The URL of a drain, parsed.
pub(crate) struct Target {
    host: String,
    address: (String, u16),
    path: String,
    authorization: Option<HeaderValue>,
}

enum DeliveryResult {
    Delivered,
    /// The receiver rejected the batch, so it is not sent again.
    Rejected,
    /// The batch may be sent again.
    Failed,
}

impl Target {
    /// Returns `None` if it is not an `http://` URL with a host.
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
            authorization: user_info.and_then(basic_credentials),
        })
    }
}

/// Returns the `Authorization` header. Logplex splits the user info at the colon and ignores an empty part, so the
/// password of `:secret@` becomes the user name.
fn basic_credentials(user_info: &str) -> Option<HeaderValue> {
    let mut parts = user_info.split(':').filter(|part| !part.is_empty());
    let user = parts.next()?;
    let password = parts.next().unwrap_or_default();
    let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
    HeaderValue::from_str(&format!("Basic {credentials}")).ok()
}

/// Ships the lines of a drain. It never returns.
pub(crate) async fn ship(simulation: Arc<Simulation>, app: String, id: String, target: Target) {
    let mut changes = simulation.subscribe();
    let mut shipper = Shipper { simulation, app, id, target, connection: None, consecutive_failures: 0 };
    loop {
        changes.borrow_and_update();
        let Some(mut batch) = shipper.with_drain(Drain::take_batch).flatten() else {
            // `simulation` owns the sender, so `changed` cannot fail.
            changes.changed().await.ok();
            continue;
        };
        let delivered = shipper.deliver(&mut batch).await;
        shipper.with_drain(|drain, queue| drain.finish_batch(queue.now, &batch, delivered));
        shipper.simulation.notify();
    }
}

struct Shipper {
    simulation: Arc<Simulation>,
    app: String,
    id: String,
    target: Target,
    connection: Option<SendRequest<Body>>,
    consecutive_failures: u32,
}

impl Shipper {
    fn with_drain<T>(&self, act: impl FnOnce(&mut Drain, &mut EventQueue) -> T) -> Option<T> {
        self.simulation.with(|state| {
            let (app, queue) = state.platform.app(&self.app)?;
            let drain = app.drains.iter_mut().find(|drain| drain.id == self.id)?;
            Some(act(drain, queue))
        })
    }

    /// Sends a batch up to three times. Returns whether it was delivered.
    async fn deliver(&mut self, batch: &mut Batch) -> bool {
        for _ in 0..ATTEMPTS {
            if self.consecutive_failures > 0 {
                let power = (self.consecutive_failures - 1).min(LARGEST_BACKOFF_POWER);
                tokio::time::sleep(FIRST_BACKOFF * 2_u32.pow(power)).await;
            }
            self.with_drain(|drain, queue| drain.report_dropped(queue.now, batch));
            match post(&self.target, &mut self.connection, batch).await {
                DeliveryResult::Delivered => {
                    self.consecutive_failures = 0;
                    return true;
                }
                DeliveryResult::Rejected => {
                    self.consecutive_failures = 0;
                    return false;
                }
                DeliveryResult::Failed => {
                    self.connection = None;
                    self.consecutive_failures += 1;
                }
            }
        }
        false
    }
}

async fn post(target: &Target, connection: &mut Option<SendRequest<Body>>, batch: &Batch) -> DeliveryResult {
    if connection.as_ref().is_none_or(SendRequest::is_closed) {
        *connection = timeout(CONNECT_TIMEOUT, connect(target)).await.ok().flatten();
    }
    let Some(sender) = connection else {
        return DeliveryResult::Failed;
    };
    let status = async {
        sender.ready().await.ok()?;
        let response = sender.send_request(request(target, batch)).await.ok()?;
        Some(response.status())
    };
    match timeout(RESPONSE_TIMEOUT, status).await {
        Ok(Some(status)) if status.is_success() => DeliveryResult::Delivered,
        Ok(Some(status)) if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            DeliveryResult::Rejected
        }
        _ => DeliveryResult::Failed,
    }
}

async fn connect(target: &Target) -> Option<SendRequest<Body>> {
    let stream = TcpStream::connect(target.address.clone()).await.ok()?;
    stream.set_nodelay(true).ok();
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    // The task ends when the sender is dropped or the connection fails. The sender gets the error.
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
        .expect("the parts of the request are valid")
}
