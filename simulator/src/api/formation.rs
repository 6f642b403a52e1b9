//! The formation: reads it, scales it, and restarts or stops all dynos of a process type.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::{ApiResult, change_app, parse_json, with_app};
use crate::app_state::AppState;
use crate::event_queue::EventQueue;
use crate::responses::{ApiError, accepted, json_response};
use crate::simulation::Simulation;

type SharedSimulation = State<Arc<Simulation>>;

pub(super) async fn list(simulation: SharedSimulation, Path(app): Path<String>) -> ApiResult {
    with_app(&simulation, &app, |app, _| {
        let rows = app.formation.keys().filter_map(|process_type| app.formation_json(process_type));
        Ok(json_response(StatusCode::OK, &Value::Array(rows.collect())))
    })
}

pub(super) async fn info(simulation: SharedSimulation, Path((app, process_type)): Path<(String, String)>) -> ApiResult {
    with_app(&simulation, &app, |app, _| {
        let row = app.formation_json(&process_type).ok_or(TYPE_NOT_FOUND)?;
        Ok(json_response(StatusCode::OK, &row))
    })
}

/// Scales a process type. The body is `{"quantity": 3}`.
pub(super) async fn scale(
    simulation: SharedSimulation,
    Path((app, process_type)): Path<(String, String)>,
    body: Bytes,
) -> ApiResult {
    let update = parse_json(&body)?;
    change_app(&simulation, &app, |app, queue| {
        let row = scale_one(app, queue, &process_type, &update)?;
        Ok(json_response(StatusCode::OK, &row))
    })
}

/// Scales several process types. The body is `{"updates": [{"type": "web", "quantity": 3}]}`.
pub(super) async fn scale_several(simulation: SharedSimulation, Path(app): Path<String>, body: Bytes) -> ApiResult {
    let body = parse_json(&body)?;
    let updates = body["updates"].as_array().ok_or(ApiError::invalid("Require params: updates."))?;
    change_app(&simulation, &app, |app, queue| {
        let scaled: Result<Vec<Value>, ApiError> = updates
            .iter()
            .map(|update| {
                let process_type = update["type"].as_str().ok_or(ApiError::invalid("Require params: type."))?;
                scale_one(app, queue, process_type, update)
            })
            .collect();
        Ok(json_response(StatusCode::OK, &Value::Array(scaled?)))
    })
}

pub(super) async fn restart(
    simulation: SharedSimulation,
    Path((app, process_type)): Path<(String, String)>,
) -> ApiResult {
    change_app(&simulation, &app, |app, queue| {
        for slot in slots(app, &process_type)? {
            app.restart(queue, slot);
        }
        Ok(accepted())
    })
}

pub(super) async fn stop(simulation: SharedSimulation, Path((app, process_type)): Path<(String, String)>) -> ApiResult {
    change_app(&simulation, &app, |app, queue| {
        for slot in slots(app, &process_type)? {
            app.stop(queue, slot);
        }
        Ok(accepted())
    })
}

const TYPE_NOT_FOUND: ApiError = ApiError::not_found("Couldn't find that process type.");

/// Sets the quantity if the update has one. Returns the updated row of the formation.
fn scale_one(
    app: &mut AppState,
    queue: &mut EventQueue,
    process_type: &str,
    update: &Value,
) -> Result<Value, ApiError> {
    let current = app.formation.get(process_type).ok_or(TYPE_NOT_FOUND)?.quantity;
    if let Some(requested) = update.get("quantity") {
        let quantity = parse_quantity(requested, current).ok_or(ApiError::invalid("Quantity must be a number."))?;
        app.scale(queue, process_type, quantity);
    }
    app.formation_json(process_type).ok_or(TYPE_NOT_FOUND)
}

/// Parses a quantity such as `3`, or a text such as `"3"`, `"+1"` or `"-1"` as the Heroku CLI sends it.
fn parse_quantity(requested: &Value, current: usize) -> Option<usize> {
    if let Some(number) = requested.as_u64() {
        return usize::try_from(number).ok();
    }
    let text = requested.as_str()?;
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(more), _) => current.checked_add(more.parse().ok()?),
        (_, Some(fewer)) => current.checked_sub(fewer.parse().ok()?),
        _ => text.parse().ok(),
    }
}

fn slots(app: &AppState, process_type: &str) -> Result<Vec<u64>, ApiError> {
    if !app.formation.contains_key(process_type) {
        return Err(TYPE_NOT_FOUND);
    }
    let of_type = app.dynos.iter().filter(|dyno| dyno.process_type == process_type);
    Ok(of_type.map(|dyno| dyno.slot).collect())
}
