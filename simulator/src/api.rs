//! The routes of the Platform API.
//!
//! The modules `server` and `account` authenticate the requests.

mod apps;
mod dynos;
mod formation;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use serde_json::Value;

use crate::app_state::AppState;
use crate::event_queue::EventQueue;
use crate::responses::ApiError;
use crate::simulation::Simulation;

pub(crate) fn router(simulation: Arc<Simulation>) -> Router {
    Router::new()
        .route("/account", get(apps::account))
        .route("/account/rate-limits", get(apps::rate_limits))
        .route("/apps/{app}", get(apps::info))
        .route("/apps/{app}/collaborators", get(apps::collaborators))
        .route("/apps/{app}/features", get(apps::features))
        .route("/apps/{app}/features/{feature}", get(apps::feature))
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

/// The result of a handler.
type ApiResult = Result<Response, ApiError>;

/// Calls `act` with the app that has this name or id.
fn with_app<T>(
    simulation: &Simulation,
    app: &str,
    act: impl FnOnce(&mut AppState, &mut EventQueue) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    simulation.with(|state| {
        let (app, queue) = state.platform.app(app).ok_or(ApiError::not_found("Couldn't find that app."))?;
        act(app, queue)
    })
}

/// Does the same as [`with_app`], and notifies the tasks that wait for a change.
fn change_app<T>(
    simulation: &Simulation,
    app: &str,
    act: impl FnOnce(&mut AppState, &mut EventQueue) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let result = with_app(simulation, app, act);
    simulation.notify();
    result
}

fn parse_json(body: &Bytes) -> Result<Value, ApiError> {
    serde_json::from_slice(body)
        .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "bad_request", "Unable to parse the JSON body."))
}

async fn unknown_endpoint() -> ApiError {
    ApiError::not_found(
        "The requested API endpoint was not found. Are you using the right HTTP verb (i.e. `GET` vs. `POST`), and did you specify your intended version with the `Accept` header?",
    )
}
