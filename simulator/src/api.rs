//! The Platform API: its routes, and the form of its answers and errors.
//!
//! Who may come in at all is checked before, by the server and the account.

mod apps;
mod dynos;
mod formation;
mod page;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde_json::{Value, json};

use crate::agenda::Agenda;
use crate::app_state::AppState;
use crate::simulation::Simulation;

pub(crate) const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

pub(crate) use page::Issued;

pub(crate) fn router(simulation: Arc<Simulation>) -> Router {
    Router::new()
        .route("/account", get(apps::account))
        .route("/account/rate-limits", get(apps::rate_limits))
        .route("/apps/{app}", get(apps::info))
        .route("/apps/{app}/log-drains", get(apps::drains).post(apps::add_drain))
        .route("/apps/{app}/dynos", get(dynos::list).delete(dynos::restart_all))
        .route("/apps/{app}/dynos/{dyno}", get(dynos::info).delete(dynos::restart))
        .route("/apps/{app}/dynos/{dyno}/actions/stop", post(dynos::stop))
        .route("/apps/{app}/formation", get(formation::list).patch(formation::scale_several))
        .route("/apps/{app}/formation/{type}", get(formation::info).patch(formation::scale))
        .route("/apps/{app}/formations/{type}", delete(formation::restart))
        .route("/apps/{app}/formations/{type}/actions/stop", post(formation::stop))
        .fallback(unknown_endpoint)
        .method_not_allowed_fallback(unknown_endpoint)
        .with_state(simulation)
}

/// What a handler comes to.
type Answer = Result<Response, Problem>;

/// An error of the API: `{"id": ..., "message": ..., "url": ...}`.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    id: &'static str,
    message: &'static str,
    url: Option<&'static str>,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, id: &'static str, message: &'static str) -> Problem {
        Problem { status, id, message, url: None }
    }

    pub(crate) fn unauthorized(message: &'static str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn rate_limit() -> Problem {
        Problem {
            url: Some("https://devcenter.heroku.com/articles/platform-api-reference#rate-limits"),
            ..Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limit",
                "Your account reached the API rate limit\nPlease wait a few minutes before making new requests",
            )
        }
    }

    const fn not_found(message: &'static str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    fn invalid(message: &'static str) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "id": self.id, "message": self.message });
        if let Some(url) = self.url {
            body["url"] = url.into();
        }
        answer(self.status, &body)
    }
}

/// A restart or a stop has been accepted; whether it is carried out is another question.
pub(crate) fn accepted() -> Response {
    answer(StatusCode::ACCEPTED, &json!({}))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    let body = body.to_string();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (ETAG, format!("\"{:016x}\"", hasher.finish())),
    ];
    (status, headers, body).into_response()
}

/// Does something with an app, if there is one of this name or id.
fn with_app<T>(
    simulation: &Simulation,
    app: &str,
    act: impl FnOnce(&mut AppState, &mut Agenda) -> Result<T, Problem>,
) -> Result<T, Problem> {
    simulation.with(|state| {
        let (app, agenda) = state.world.app(app).ok_or(Problem::not_found("Couldn't find that app."))?;
        act(app, agenda)
    })
}

/// As [`with_app`], and tells those who wait for changes.
fn change_app<T>(
    simulation: &Simulation,
    app: &str,
    act: impl FnOnce(&mut AppState, &mut Agenda) -> Result<T, Problem>,
) -> Result<T, Problem> {
    let result = with_app(simulation, app, act);
    simulation.tell();
    result
}

fn parse(body: &Bytes) -> Result<Value, Problem> {
    serde_json::from_slice(body)
        .map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "bad_request", "Unable to parse the JSON body."))
}

async fn unknown_endpoint() -> Problem {
    Problem::not_found(
        "The requested API endpoint was not found. Are you using the right HTTP verb (i.e. `GET` vs. `POST`), and did you specify your intended version with the `Accept` header?",
    )
}
