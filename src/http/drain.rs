//! The route for Heroku's log drains. Logplex drops a batch that is answered 4xx, and sends a batch twice more that is
//! answered 5xx.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, HOST, HeaderName, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tracing::warn;

use super::auth::{Access, CHALLENGE, Keys};
use super::body::{self, Completeness};
use super::params::{ParamError, parse_drain_app};
use crate::drain::{Drains, Label};
use crate::restart::{Restarter, Watched};
use crate::shutdown::Stop;
use crate::util::log_throttle::LogThrottle;

/// What logplex says about a batch.
const FRAME_ID: HeaderName = HeaderName::from_static("logplex-frame-id");
const DRAIN_TOKEN: HeaderName = HeaderName::from_static("logplex-drain-token");

struct DrainRoute {
    drains: Arc<Drains>,
    watched: Watched,
    keys: Keys,
    stop: Stop,
    log: LogThrottle,
}

/// Whether a request is a delivery of a log drain, wherever it was sent.
pub(super) fn is_log_drain(headers: &HeaderMap) -> bool {
    let is_of_logplex = |name: &HeaderName| name.as_str().starts_with("logplex-");
    content_type(headers).is_some_and(|value| value.to_ascii_lowercase().starts_with("application/logplex"))
        || headers.keys().any(is_of_logplex)
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(CONTENT_TYPE)?.to_str().ok()
}

/// The route `/drain`.
pub(super) fn router(drains: Arc<Drains>, restarter: &Restarter, keys: Keys) -> Router {
    let (watched, stop) = (restarter.watched().clone(), restarter.stop().clone());
    let route = DrainRoute { drains, watched, keys, stop, log: LogThrottle::default() };
    Router::new().route("/drain", post(receive_batch)).with_state(Arc::new(route))
}

/// A batch of the log of an app.
async fn receive_batch(State(route): State<Arc<DrainRoute>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let authorized = match route.keys.check(&head) {
        Ok(Access::Key(authorized)) => authorized,
        Ok(Access::Signature(_)) => return route.refuse("a log drain does not sign"),
        Err(refusal) => return route.refuse(&refusal.problem),
    };
    let app = match parse_drain_app(head.uri.query().unwrap_or_default(), &route.watched) {
        Ok(app) => app,
        Err(error) => return route.reject(authorized.key(), &error),
    };
    let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let label =
        Label { frame_id: header(FRAME_ID), token: header(DRAIN_TOKEN), host: header(HOST), key: authorized.key() };
    let mut batch = route.drains.open(&app, label);
    let completeness = body::stream(body, &route.stop, |piece| batch.read(piece)).await;
    let taken = batch.finish(completeness == Completeness::Complete).await;
    taken.map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::NO_CONTENT).into_response()
}

impl DrainRoute {
    /// Only the log tells that the lines are lost: Heroku drops them silently.
    fn refuse(&self, problem: &str) -> Response {
        self.keys.recent().add("refused", None, "", &format!("a log drain: {problem}"));
        let text = problem.to_owned();
        self.log.log(problem, move |times| {
            warn!(
                count = times.count(),
                "rejected a log drain, its lines are lost: {text}{times}. Remove it with `heroku drains:remove` and add \
                 one with a key of RESTART_WEBHOOK_KEY: heroku drains:add \"https://drain:KEY@HOST/drain\" -a APP"
            );
        });
        (StatusCode::UNAUTHORIZED, [(WWW_AUTHENTICATE, CHALLENGE)]).into_response()
    }

    fn reject(&self, key: &str, error: &ParamError) -> Response {
        self.keys.recent().add("not acted on", None, key, &format!("a log drain: {error}"));
        let (problem, key) = (error.to_string(), key.to_owned());
        self.log.log(&[&*problem, &*key].join(" "), move |times| {
            warn!(
                key,
                count = times.count(),
                "a log drain was not read: {problem}{times} (key {key}). Correct the URL of the drain"
            );
        });
        StatusCode::BAD_REQUEST.into_response()
    }
}
