//! The routes: check, hand over, respond. No handler waits for Heroku, except for a dry run.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRef, Request, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;

use super::alert_log::AcceptedAlert;
use super::auth::{Access, Keys, Refusal};
use super::drain;
use super::page;
use super::path::with_lenient_paths;
use super::respond::ResponseFormat;
use super::status::StatusSource;
use super::webhook::{AlertIntake, AlertOutcome, IntakeError};
use crate::drain::Drains;
use crate::notify::NotificationCounts;
use crate::restart::{AppName, DryRun, DryRunError, Outcome, PassRecord};
use crate::util::task;
use crate::util::text::{human, list};

type AppState = Arc<AlertIntake>;

/// How a sender of `CloudEvents` asks for permission, and how it is given
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md>).
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");

/// What browsers ask for by themselves when somebody opens the page.
const ICONS: [&str; 2] = ["/favicon.ico", "/apple-touch-icon"];

/// The service's routes.
pub(crate) fn router(
    intake: Arc<AlertIntake>,
    drains: Arc<Drains>,
    notifications: Option<NotificationCounts>,
) -> Router {
    // axum's `get` also answers HEAD, which must not restart anything.
    let alerts = post(restart_web_dynos).get(restart_web_dynos).head(other_method).fallback(other_method);
    let (restarter, keys) = (intake.restarter().clone(), intake.keys().clone());
    let drain = drain::router(Arc::clone(&drains), &restarter, keys.clone());
    let (recent, started_at) = (keys.recent().clone(), restarter.clock().now());
    let page = page::router(StatusSource { restarter, drains, recent, notifications, started_at }, keys);
    let routes = Router::new()
        .route("/restart_web_dynos", alerts)
        .route("/health", get(async || "ok"))
        .with_state(Arc::clone(&intake))
        .merge(drain)
        .merge(page);
    let elsewhere = Router::new().fallback(no_such_path).with_state(intake);
    with_lenient_paths(routes, elsewhere)
}

/// An alert.
async fn restart_web_dynos(
    access: Access,
    State(intake): State<AppState>,
    format: ResponseFormat,
    request: Request,
) -> Response {
    let alert = match intake.open(access, request) {
        Ok(alert) => alert,
        Err(error) => return respond_to_error(&error, format),
    };
    let receiving = Box::pin(intake.receive(alert));
    // When the connection breaks, this handler is dropped, but the alert still counts.
    match task::spawn_if_pending(receiving).await.unwrap_or(Err(IntakeError::Stopping)) {
        Ok(outcome) => respond(outcome, format),
        Err(error) => respond_to_error(&error, format),
    }
}

fn respond(outcome: AlertOutcome, format: ResponseFormat) -> Response {
    match outcome {
        AlertOutcome::Triggered(alerts) => {
            let message = "Restart triggered";
            let line = |alert: &AcceptedAlert| [alert.app.as_str(), ": ", &alert.outlook.to_string(), "\n"].concat();
            let lines: String = alerts.iter().map(line).collect();
            let apps = || list(alerts.iter().map(|alert| &alert.app));
            let json = || json!({ "app": apps(), "message": message, "detail": lines.trim_end() });
            format.response(StatusCode::ACCEPTED, [message, "\n", &lines].concat(), json)
        }
        AlertOutcome::Repeated => {
            let text = "Already triggered: this alert came before";
            format.response(StatusCode::ACCEPTED, text, || json!({ "message": text }))
        }
        AlertOutcome::Ignored(text) => {
            format.response(StatusCode::OK, text.as_str(), || json!({ "ignored": true, "message": text }))
        }
        AlertOutcome::Answered("", value) => ResponseFormat::Text.response(StatusCode::OK, value, || json!(null)),
        AlertOutcome::Answered(field, value) => {
            ResponseFormat::Json.response(StatusCode::OK, "", || json!({ field: value }))
        }
        AlertOutcome::DryRun(app, result) => respond_to_dry_run(&app, result, format),
    }
}

fn respond_to_dry_run(app: &AppName, result: Result<DryRun, DryRunError>, format: ResponseFormat) -> Response {
    let not_now =
        |text: String| format.response(StatusCode::OK, text.as_str(), || json!({ "dry_run": true, "message": text }));
    match result {
        Ok(DryRun { report, age }) => {
            let as_of =
                if age < Duration::from_secs(1) { String::new() } else { format!(" (as of {} ago)", human(age)) };
            let mut lines = vec![match &report.end {
                None => format!("Dry run over {app}{as_of}: nothing was restarted"),
                Some(end) => format!("Dry run over {app}: its dynos cannot be listed now: {end}"),
            }];
            lines.extend(report.dynos.iter().map(|(dyno, outcome)| match outcome {
                Outcome::Due => format!("{dyno}: would be restarted"),
                outcome => format!("{dyno}: {outcome}"),
            }));
            let text = lines.join("\n") + "\n";
            format.response(
                StatusCode::OK,
                text,
                || json!({ "dry_run": true, "age_seconds": age.as_secs(), "report": PassRecord::from(&report) }),
            )
        }
        Err(DryRunError::Stopping) => respond_to_error(&IntakeError::Stopping, format),
        Err(DryRunError::Busy) => not_now(format!("A pass over {app} is under way; ask again when it has ended")),
        Err(DryRunError::TimedOut) => not_now(format!("Heroku has not yet said which dynos {app} has; ask again")),
    }
}

async fn other_method(
    access: Option<Access>,
    State(intake): State<AppState>,
    method: Method,
    headers: HeaderMap,
    format: ResponseFormat,
) -> Response {
    // Event Grid asks whether it may send CloudEvents, and expects its own name in the answer.
    let origin = headers.get(REQUEST_ORIGIN).filter(|_| access.is_some() && method == Method::OPTIONS);
    let allow = [(ALLOW, HeaderValue::from_static("GET, POST"))];
    if let Some(origin) = origin {
        return (allow, [(ALLOWED_ORIGIN, origin.clone())], "Alerts may be sent to this URL").into_response();
    }
    let text = "An alert is a POST or a GET";
    if let Some(access) = access {
        let problem = format!("{method} with a valid key was not acted on: an alert is a POST or a GET");
        intake.log_misdirected(&access, &problem);
    }
    (allow, format.error(StatusCode::METHOD_NOT_ALLOWED, text)).into_response()
}

async fn no_such_path(
    access: Option<Access>,
    State(intake): State<AppState>,
    uri: Uri,
    format: ResponseFormat,
) -> Response {
    let is_icon = ICONS.iter().any(|icon| uri.path().starts_with(icon));
    if let Some(access) = access.filter(|_| !is_icon) {
        let problem = "a request with a valid key was not acted on: its path is neither /restart_web_dynos nor /drain";
        intake.log_misdirected(&access, problem);
    }
    format.error(StatusCode::NOT_FOUND, "Nothing here. Alerts go to POST /restart_web_dynos, log drains to POST /drain")
}

fn respond_to_error(error: &IntakeError, format: ResponseFormat) -> Response {
    let (status, text) = match error {
        IntakeError::Signature(error) => return Refusal::new(error.to_string()).response(format),
        IntakeError::LogDrain | IntakeError::Params(_) => (StatusCode::BAD_REQUEST, error.to_string()),
        IntakeError::Stopping => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
    };
    format.error(status, &text)
}

impl FromRef<AppState> for Keys {
    fn from_ref(intake: &AppState) -> Self {
        intake.keys().clone()
    }
}
