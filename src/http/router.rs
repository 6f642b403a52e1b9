//! The routes: check, hand over, answer. No handler waits for Heroku, except to answer a dry run.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::header::{ALLOW, HOST, HeaderName};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tracing::warn;

use crate::alert;
use crate::drain::{Drains, Label};
use crate::http::auth::{Authorized, Keys, refusal};
use crate::http::body::{Extent, Received, Receiver};
use crate::http::params::{self, Request};
use crate::http::respond::Format;
use crate::http::webhook::{Conclusion, Hearings, NotHeard};
use crate::restart::{AppName, DryRun, DryRunError, Outcome, Restarter, Trigger};
use crate::util::log_throttle::{Sparing, since_last_told};
use crate::util::text::human;

/// What logplex tells of a batch.
const FRAME_ID: HeaderName = HeaderName::from_static("logplex-frame-id");
const DRAIN_TOKEN: HeaderName = HeaderName::from_static("logplex-drain-token");

type AppState = Arc<Shared>;

struct Shared {
    restarter: Restarter,
    drains: Drains,
    keys: Keys,
    hearings: Hearings,
    receiver: Receiver,
    misdirected: Sparing,
    misdirected_drains: Sparing,
    strange_drains: Sparing,
}

/// The service's routes.
pub fn router(restarter: Restarter, drains: Drains, keys: Keys) -> Router {
    // axum's `get` answers HEAD, too, which must not restart anything.
    let alerts = post(restart_web_dynos).get(restart_web_dynos).head(only_get_and_post).fallback(only_get_and_post);
    Router::new()
        .route("/restart_web_dynos", alerts)
        .route("/drain", post(drain))
        .route("/health", get(async || "ok"))
        .fallback(no_such_path)
        .with_state(Arc::new(Shared {
            hearings: Hearings::new(restarter.clone()),
            restarter,
            drains,
            keys,
            receiver: Receiver::default(),
            misdirected: Sparing::default(),
            misdirected_drains: Sparing::default(),
            strange_drains: Sparing::default(),
        }))
}

/// An alert.
async fn restart_web_dynos(
    Authorized { signed }: Authorized,
    State(state): State<AppState>,
    format: Format,
    request: axum::extract::Request,
) -> Response {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let request = match Request::parse(query, &state.restarter) {
        Ok(request) => request,
        Err(fault) => return wrong(&state, &fault, format),
    };
    let mut incoming = state.receiver.begin(body);
    let hearing = state.hearings.open(&head, request, signed);
    let Received { bytes: body, extent } = incoming.receive().await;
    let incomplete = match extent {
        Extent::Whole if !hearing.is_of_the_signer(&body) => {
            hearing.dismiss();
            state.keys.note_refusal("the body of a signed request is not the one that was signed");
            return refusal(format);
        }
        Extent::Whole => None,
        Extent::TooLarge => Some(alert::Fault::TooLarge),
        Extent::CutOff => Some(alert::Fault::CutOff),
    };
    let conclusion = hearing.conclude(&body, incomplete);
    drop(body);
    incoming.make_room();
    let answer = match conclusion {
        Ok(Conclusion::Restarting(apps)) => {
            let text = "Restart triggered";
            format.answer(StatusCode::ACCEPTED, text, &json!({ "app": apps, "message": text }))
        }
        Ok(Conclusion::Repeated) => {
            let text = "Already triggered: this alert came before";
            format.answer(StatusCode::ACCEPTED, text, &json!({ "message": text }))
        }
        Ok(Conclusion::Ignoring(text)) => {
            format.answer(StatusCode::OK, &text, &json!({ "ignored": true, "message": text }))
        }
        Ok(Conclusion::DryRun(app, trigger)) => dry_run(&state.restarter, &app, trigger, format).await,
        Err(NotHeard::Fault(fault)) => wrong(&state, &fault, format),
        Err(NotHeard::Stopping) => shutting_down(format),
    };
    incoming.discard().await;
    answer
}

/// A part of the log of an app. Logplex drops what is answered 4xx, and repeats it twice when that is 5xx.
async fn drain(State(state): State<AppState>, request: axum::extract::Request) -> StatusCode {
    let (head, body) = request.into_parts();
    match state.keys.check(&head) {
        Ok(Authorized { signed: None }) => {}
        Ok(Authorized { signed: Some(_) }) => return stranger(&state, "a log drain does not sign"),
        Err(fault) => return stranger(&state, &fault),
    }
    let app = match params::drained_app(head.uri.query().unwrap_or_default(), &state.restarter) {
        Ok(app) => app,
        Err(fault) => {
            tell(&state.misdirected_drains, format_args!("a log drain was left unread: {fault}"));
            return StatusCode::BAD_REQUEST;
        }
    };
    let header = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
    let label = Label { frame_id: header(FRAME_ID), token: header(DRAIN_TOKEN), host: header(HOST) };
    let mut batch = state.drains.open(&app, label);
    let extent = state.receiver.begin(body).stream(|piece| batch.read(piece)).await;
    batch.finish(extent).map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::NO_CONTENT)
}

/// Heroku drops what it brings, and nobody else says a word.
fn stranger(state: &AppState, fault: &str) -> StatusCode {
    if let Some(batches) = state.strange_drains.count() {
        warn!(
            batches,
            "a log drain with a wrong key is knocking, and its lines are lost: {fault}{}. Remove it with `heroku \
             drains:remove` and add one with a key of RESTART_WEBHOOK_KEY: heroku drains:add \
             \"https://drain:KEY@HOST/drain\" -a APP",
            since_last_told(batches)
        );
    }
    StatusCode::UNAUTHORIZED
}

fn wrong(state: &AppState, fault: &params::Fault, format: Format) -> Response {
    tell(&state.misdirected, format_args!("an alert was not acted on: {fault}"));
    format.error(StatusCode::BAD_REQUEST, &fault.to_string())
}

async fn only_get_and_post(
    authorized: Option<Authorized>,
    State(state): State<AppState>,
    method: Method,
    format: Format,
) -> Response {
    let text = "An alert is a POST or a GET";
    if authorized.is_some() {
        tell(
            &state.misdirected,
            format_args!("{method} with a valid key was not acted on: an alert is a POST or a GET"),
        );
    }
    ([(ALLOW, HeaderValue::from_static("GET, POST"))], format.error(StatusCode::METHOD_NOT_ALLOWED, text))
        .into_response()
}

async fn no_such_path(authorized: Option<Authorized>, State(state): State<AppState>, format: Format) -> Response {
    if authorized.is_some() {
        tell(
            &state.misdirected,
            format_args!(
                "a request with a valid key was not acted on: its path is neither /restart_web_dynos nor /drain"
            ),
        );
    }
    format.error(StatusCode::NOT_FOUND, "Nothing here. Alerts go to POST /restart_web_dynos, log drains to POST /drain")
}

/// Whoever sent it may not read the answer; whoever set it up reads the log.
fn tell(misdirected: &Sparing, what: std::fmt::Arguments<'_>) {
    if let Some(count) = misdirected.count() {
        warn!("{what}{}. Correct the URL where it was set up", since_last_told(count));
    }
}

async fn dry_run(restarter: &Restarter, app: &AppName, trigger: Trigger, format: Format) -> Response {
    let not_now = |text: String| format.answer(StatusCode::OK, &text, &json!({ "dry_run": true, "message": text }));
    match restarter.dry_run(app, trigger).await {
        Ok(DryRun { report, age }) => {
            let as_of =
                if age < Duration::from_secs(1) { String::new() } else { format!(" (as of {} ago)", human(age)) };
            let mut lines = vec![match &report.end {
                None => format!("Dry run over {app}{as_of}: nothing was restarted"),
                Some(end) => {
                    format!("Dry run over {app}: its dynos cannot be listed, so nothing would be restarted: {end}")
                }
            }];
            lines.extend(report.dynos.iter().map(|(dyno, outcome)| match outcome {
                Outcome::Due => format!("{dyno}: would be restarted"),
                outcome => format!("{dyno}: {outcome}"),
            }));
            let text = lines.join("\n") + "\n";
            format.answer(
                StatusCode::OK,
                &text,
                &json!({ "dry_run": true, "report": report, "age_seconds": age.as_secs() }),
            )
        }
        Err(DryRunError::Stopping) => shutting_down(format),
        Err(DryRunError::Busy) => not_now(format!("A pass over {app} is under way; ask again when it has ended")),
        Err(DryRunError::TimedOut) => not_now(format!("Heroku has not yet said which dynos {app} has; ask again")),
    }
}

fn shutting_down(format: Format) -> Response {
    let text = "The service is being shut down and triggered nothing; send the alert again";
    format.error(StatusCode::SERVICE_UNAVAILABLE, text)
}

impl FromRef<AppState> for Keys {
    fn from_ref(state: &AppState) -> Self {
        state.keys.clone()
    }
}
