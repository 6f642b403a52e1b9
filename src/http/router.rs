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
use tokio::time::Instant;

use super::alert_log::AcceptedAlert;
use super::auth::{Access, Keys, Refusal};
use super::drain;
use super::page;
use super::params::{ParamError, RestartParams};
use super::path::with_lenient_paths;
use super::respond::ResponseFormat;
use super::status::StatusSource;
use super::webhook::{AlertIntake, AlertOutcome, IncomingAlert, IntakeError};
use crate::drain::Drains;
use crate::notify::NotificationCounts;
use crate::restart::{AppName, DryRun, DryRunError, Outcome, PassRecord, Restarter, Trigger};
use crate::shutdown::PanicAlarm;
use crate::util::task;
use crate::util::text::{human, list};

type AppState = Arc<Shared>;

struct Shared {
    restarter: Restarter,
    keys: Keys,
    intake: Arc<AlertIntake>,
    panics: PanicAlarm,
}

/// How a sender of `CloudEvents` asks for permission, and how it is given
/// (<https://github.com/cloudevents/spec/blob/main/cloudevents/http-webhook.md>).
const REQUEST_ORIGIN: HeaderName = HeaderName::from_static("webhook-request-origin");
const ALLOWED_ORIGIN: HeaderName = HeaderName::from_static("webhook-allowed-origin");

/// What browsers ask for by themselves when somebody opens the page.
const ICONS: [&str; 2] = ["/favicon.ico", "/apple-touch-icon"];

/// The service's routes.
pub(crate) fn router(
    restarter: Restarter,
    drains: Arc<Drains>,
    keys: Keys,
    notifications: Option<NotificationCounts>,
    panics: &PanicAlarm,
) -> Router {
    // axum's `get` also answers HEAD, which must not restart anything.
    let alerts = post(restart_web_dynos).get(restart_web_dynos).head(other_method).fallback(other_method);
    let drain = drain::router(Arc::clone(&drains), restarter.watched().clone(), keys.clone());
    let started_at = restarter.clock().now();
    let recent = keys.recent().clone();
    let source = StatusSource { restarter: restarter.clone(), drains, recent, notifications, started_at };
    let page = page::router(source, keys.clone());
    let intake = Arc::new(AlertIntake::new(restarter.clone(), keys.clone()));
    let state = Arc::new(Shared { restarter, keys, intake, panics: panics.clone() });
    let routes = Router::new()
        .route("/restart_web_dynos", alerts)
        .route("/health", get(async || "ok"))
        .with_state(Arc::clone(&state))
        .merge(drain)
        .merge(page);
    let elsewhere = Router::new().fallback(no_such_path).with_state(state);
    with_lenient_paths(routes, elsewhere)
}

/// An alert.
async fn restart_web_dynos(
    access: Access,
    State(state): State<AppState>,
    format: ResponseFormat,
    request: Request,
) -> Response {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    if drain::is_log_drain(&head.headers) {
        state.intake.log_log_drain(&access.key(&state.keys));
        let text = "This is the URL for alerts; a log drain delivers to /drain";
        return format.error(StatusCode::BAD_REQUEST, text);
    }
    let params = match RestartParams::parse(head.uri.query().unwrap_or_default(), state.restarter.watched()) {
        Ok(params) => params,
        Err(error) => {
            let key = access.key(&state.keys);
            state.intake.log_misdirected(&key, format_args!("an alert was not acted on: {error}"));
            return bad_request(&error, format);
        }
    };
    // When the connection breaks, this handler is dropped, but the alert still counts.
    let shared = Arc::clone(&state);
    let alert = IncomingAlert { access, params, head, arrived };
    let receiving = async move {
        let _guard = shared.panics.guard();
        shared.intake.receive(alert, body).await
    };
    match task::spawn_if_pending(receiving).await {
        Some(Ok(outcome)) => respond(outcome, &state.restarter, format).await,
        Some(Err(IntakeError::Params(error))) => bad_request(&error, format),
        Some(Err(IntakeError::Signature(error))) => Refusal::new(error.to_string()).response(format),
        Some(Err(IntakeError::Stopping)) | None => shutting_down(format),
    }
}

async fn respond(outcome: AlertOutcome, restarter: &Restarter, format: ResponseFormat) -> Response {
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
        AlertOutcome::DryRun(app, trigger) => dry_run(restarter, &app, trigger, format).await,
    }
}

async fn dry_run(restarter: &Restarter, app: &AppName, trigger: Trigger, format: ResponseFormat) -> Response {
    let not_now =
        |text: String| format.response(StatusCode::OK, text.as_str(), || json!({ "dry_run": true, "message": text }));
    match restarter.dry_run(app, trigger).await {
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
        Err(DryRunError::Stopping) => shutting_down(format),
        Err(DryRunError::Busy) => not_now(format!("A pass over {app} is under way; ask again when it has ended")),
        Err(DryRunError::TimedOut) => not_now(format!("Heroku has not yet said which dynos {app} has; ask again")),
    }
}

async fn other_method(
    access: Option<Access>,
    State(state): State<AppState>,
    method: Method,
    headers: HeaderMap,
    format: ResponseFormat,
) -> Response {
    // Event Grid asks whether it may send CloudEvents, and expects its own name in the answer.
    let origin = headers.get(REQUEST_ORIGIN).filter(|_| access.is_some() && method == Method::OPTIONS);
    if let Some(origin) = origin {
        return ([(ALLOWED_ORIGIN, origin.clone())], "Alerts may be sent to this URL").into_response();
    }
    let text = "An alert is a POST or a GET";
    if let Some(access) = access {
        state.intake.log_misdirected(
            &access.key(&state.keys),
            format_args!("{method} with a valid key was not acted on: an alert is a POST or a GET"),
        );
    }
    ([(ALLOW, HeaderValue::from_static("GET, POST"))], format.error(StatusCode::METHOD_NOT_ALLOWED, text))
        .into_response()
}

async fn no_such_path(
    access: Option<Access>,
    State(state): State<AppState>,
    uri: Uri,
    format: ResponseFormat,
) -> Response {
    let is_icon = ICONS.iter().any(|icon| uri.path().starts_with(icon));
    if let Some(access) = access.filter(|_| !is_icon) {
        let problem = "a request with a valid key was not acted on: its path is neither /restart_web_dynos nor /drain";
        state.intake.log_misdirected(&access.key(&state.keys), format_args!("{problem}"));
    }
    format.error(StatusCode::NOT_FOUND, "Nothing here. Alerts go to POST /restart_web_dynos, log drains to POST /drain")
}

fn bad_request(error: &ParamError, format: ResponseFormat) -> Response {
    format.error(StatusCode::BAD_REQUEST, &error.to_string())
}

fn shutting_down(format: ResponseFormat) -> Response {
    let text = "The service is being shut down and triggered nothing; send the alert again";
    format.error(StatusCode::SERVICE_UNAVAILABLE, text)
}

impl FromRef<AppState> for Keys {
    fn from_ref(state: &AppState) -> Self {
        state.keys.clone()
    }
}
