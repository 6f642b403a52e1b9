//! The Platform API: its routes.
//!
//! Who may come in at all is checked before, by the server and the account.

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

use crate::agenda::Agenda;
use crate::answers::Problem;
use crate::app_state::AppState;
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

/// What a handler comes to.
type Answer = Result<Response, Problem>;

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

/// As [`with_app`], and wakes the tasks that wait for changes.
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
