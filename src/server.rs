//! The routes: check, hand over, answer. No handler waits for Heroku, except to answer a dry run.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRef, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde_json::json;
use tracing::{debug, warn};

use crate::answer::Format;
use crate::auth::{Authorized, Keys};
use crate::request::Request;
use crate::restart::{AppName, NoRehearsal, Outcome, Restarter, Stopping, Trigger};
use crate::sparing::Sparing;

/// Papertrail sends batches of up to 25,000 log lines. What is beyond this is left unread.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// How long a sender may take over its body. It is answered then all the same: what it asks for is under way.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone)]
struct AppState {
    restarter: Restarter,
    keys: Keys,
    misdirected: Sparing,
}

/// The service's routes.
pub fn router(restarter: Restarter, keys: Keys) -> Router {
    // axum's `get` answers HEAD, too, which must not restart anything.
    let alerts = post(restart_web_dynos).get(restart_web_dynos).head(only_get_and_post).fallback(only_get_and_post);
    Router::new()
        .route("/restart_web_dynos", alerts)
        .route("/health", get(async || "ok"))
        .fallback(no_such_path)
        .with_state(AppState { restarter, keys, misdirected: Sparing::default() })
}

/// An alert.
async fn restart_web_dynos(
    _: Authorized,
    State(AppState { restarter, misdirected, .. }): State<AppState>,
    format: Format,
    request: axum::extract::Request,
) -> Response {
    let (head, body) = request.into_parts();
    let Request { app, trigger, dry_run: only_say } =
        match Request::parse(head.uri.query().unwrap_or_default(), &restarter) {
            Ok(request) => request,
            Err(fault) => {
                tell(&misdirected, format_args!("an alert was not acted on: {fault}"));
                return format.error(StatusCode::BAD_REQUEST, &fault.to_string());
            }
        };
    if only_say {
        read(body).await;
        return dry_run(&restarter, &app, trigger, format).await;
    }
    // Handed over before anything is waited for: a sender that goes away does not take the restart with it.
    if let Err(Stopping) = restarter.trigger(&app, trigger) {
        return shutting_down(format);
    }
    debug!(%app, "alert for {app}");
    read(body).await;
    let text = "Restart triggered";
    format.answer(StatusCode::ACCEPTED, text, &json!({ "app": app, "message": text }))
}

async fn only_get_and_post(
    authorized: Option<Authorized>,
    State(misdirected): State<Sparing>,
    method: Method,
    format: Format,
) -> Response {
    let text = "An alert is a POST or a GET";
    if authorized.is_some() {
        tell(&misdirected, format_args!("{method} with a valid key was not acted on: an alert is a POST or a GET"));
    }
    ([(ALLOW, HeaderValue::from_static("GET, POST"))], format.error(StatusCode::METHOD_NOT_ALLOWED, text))
        .into_response()
}

async fn no_such_path(authorized: Option<Authorized>, State(misdirected): State<Sparing>, format: Format) -> Response {
    if authorized.is_some() {
        tell(
            &misdirected,
            format_args!("a request with a valid key was not acted on: its path is not /restart_web_dynos"),
        );
    }
    format.error(StatusCode::NOT_FOUND, "Nothing here. Alerts go to POST /restart_web_dynos")
}

/// Whoever sent it may not read the answer; whoever set it up reads the log.
fn tell(misdirected: &Sparing, what: std::fmt::Arguments<'_>) {
    match misdirected.count() {
        Some(1) => warn!("{what}. Correct the URL in your monitoring service"),
        Some(count) => warn!("{what} ({count} such since last told). Correct the URL in your monitoring service"),
        None => {}
    }
}

/// Reads a body to its end, so that the sender can finish and the connection be used again. What it says is not looked at.
async fn read(mut body: Body) {
    let to_the_end = async {
        let mut length = 0;
        while let Some(Ok(frame)) = body.frame().await {
            length += frame.data_ref().map_or(0, Bytes::len);
            if length > LARGEST_BODY {
                break;
            }
        }
    };
    if tokio::time::timeout(BODY_TIMEOUT, to_the_end).await.is_err() {
        debug!("the body of an alert did not end in {BODY_TIMEOUT:?}");
    }
}

async fn dry_run(restarter: &Restarter, app: &AppName, trigger: Trigger, format: Format) -> Response {
    let not_now = |text: String| format.answer(StatusCode::OK, &text, &json!({ "dry_run": true, "message": text }));
    match restarter.rehearse(app, trigger).await {
        Ok(report) => {
            let mut lines = vec![match &report.end {
                None => format!("Dry run over {app}: nothing was restarted"),
                Some(end) => {
                    format!("Dry run over {app}: its dynos cannot be listed, so nothing would be restarted: {end}")
                }
            }];
            lines.extend(report.dynos.iter().map(|(dyno, outcome)| match outcome {
                Outcome::Due => format!("{dyno}: would be restarted"),
                outcome => format!("{dyno}: {outcome}"),
            }));
            let text = lines.join("\n") + "\n";
            format.answer(StatusCode::OK, &text, &json!({ "dry_run": true, "report": report }))
        }
        Err(NoRehearsal::Stopping) => shutting_down(format),
        Err(NoRehearsal::Busy) => not_now(format!("A pass over {app} is under way; ask again when it has ended")),
        Err(NoRehearsal::NoAnswer) => not_now(format!("Heroku has not yet said which dynos {app} has; ask again")),
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

impl FromRef<AppState> for Sparing {
    fn from_ref(state: &AppState) -> Self {
        state.misdirected.clone()
    }
}
