//! The account, and its apps with their settings and log drains.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{ApiResult, parse_json, with_app};
use crate::app_state::OWNER;
use crate::drain::Drain;
use crate::logs::seconds_text;
use crate::responses::{ApiError, json_response};
use crate::shipping::{Target, ship};
use crate::simulation::Simulation;

type SharedSimulation = State<Arc<Simulation>>;

pub(super) async fn account(simulation: SharedSimulation) -> ApiResult {
    let (now, restricted_by) = simulation.with(|state| (state.platform.queue.now, state.account.restricted_by));
    let mut account = json!({
        "delinquent_at": null,
        "email": "owner@example.com",
        "id": OWNER,
        "name": "The Owner",
        "suspended_at": null,
        "verified": true,
    });
    if let Some(field) = restricted_by {
        account[field] = seconds_text(now).into();
    }
    Ok(json_response(StatusCode::OK, &account))
}

pub(super) async fn rate_limits(simulation: SharedSimulation) -> ApiResult {
    let remaining = simulation.with(|state| state.account.remaining(state.platform.queue.now));
    Ok(json_response(StatusCode::OK, &json!({ "remaining": remaining })))
}

pub(super) async fn info(simulation: SharedSimulation, Path(app): Path<String>) -> ApiResult {
    with_app(&simulation, &app, |app, _| Ok(json_response(StatusCode::OK, &app.json())))
}

pub(super) async fn collaborators(simulation: SharedSimulation, Path(app): Path<String>) -> ApiResult {
    with_app(&simulation, &app, |app, _| Ok(json_response(StatusCode::OK, &Value::Array(app.collaborators_json()))))
}

pub(super) async fn features(simulation: SharedSimulation, Path(app): Path<String>) -> ApiResult {
    with_app(&simulation, &app, |app, _| Ok(json_response(StatusCode::OK, &Value::Array(app.features_json()))))
}

pub(super) async fn feature(simulation: SharedSimulation, Path((app, feature)): Path<(String, String)>) -> ApiResult {
    with_app(&simulation, &app, |app, _| {
        let found = app.features_json().into_iter().find(|json| json["name"] == feature.as_str());
        Ok(json_response(StatusCode::OK, &found.ok_or(ApiError::not_found("Couldn't find that feature."))?))
    })
}

pub(super) async fn drains(simulation: SharedSimulation, Path(app): Path<String>) -> ApiResult {
    with_app(&simulation, &app, |app, _| {
        let drains = app.drains.iter().chain(&app.listed_only_drains).map(Drain::json).collect();
        Ok(json_response(StatusCode::OK, &Value::Array(drains)))
    })
}

/// Adds a log drain. The body is `{"url": "http://user:secret@host/path"}`.
pub(super) async fn add_drain(State(simulation): SharedSimulation, Path(app): Path<String>, body: Bytes) -> ApiResult {
    let body = parse_json(&body)?;
    let url = body["url"].as_str().ok_or(ApiError::invalid("Require params: url."))?;
    let target = Target::parse(url)
        .ok_or(ApiError::invalid("Url is invalid. The simulator has no TLS, so it accepts only http:// URLs."))?;
    let (name, json) = with_app(&simulation, &app, |app, queue| {
        let drain = Drain::new(queue, url);
        let json = drain.json();
        app.drains.push(drain);
        Ok((app.name.clone(), json))
    })?;
    tokio::spawn(ship(Arc::clone(&simulation), name, id_of(&json), target));
    Ok(json_response(StatusCode::CREATED, &json))
}

fn id_of(drain: &Value) -> String {
    drain["id"].as_str().expect("every drain has an id").to_owned()
}
