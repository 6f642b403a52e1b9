//! The account, its apps, and what they are set to.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, parse, with_app};
use crate::answers::{Problem, answer};
use crate::app_state::OWNER;
use crate::drain::Drain;
use crate::logs::whole_seconds;
use crate::shipping::{Target, ship};
use crate::simulation::Simulation;

type Simulated = State<Arc<Simulation>>;

pub(super) async fn account(simulation: Simulated) -> Answer {
    let (now, trouble) = simulation.with(|state| (state.world.agenda.now, state.account.trouble));
    let mut account = json!({
        "delinquent_at": null,
        "email": "owner@example.com",
        "id": OWNER,
        "name": "The Owner",
        "suspended_at": null,
        "verified": true,
    });
    if let Some(since) = trouble {
        account[since] = whole_seconds(now).into();
    }
    Ok(answer(StatusCode::OK, &account))
}

pub(super) async fn rate_limits(simulation: Simulated) -> Answer {
    let remaining = simulation.with(|state| state.account.remaining(state.world.agenda.now));
    Ok(answer(StatusCode::OK, &json!({ "remaining": remaining })))
}

pub(super) async fn info(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| Ok(answer(StatusCode::OK, &app.json())))
}

pub(super) async fn collaborators(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| Ok(answer(StatusCode::OK, &Value::Array(app.collaborators_json()))))
}

pub(super) async fn features(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| Ok(answer(StatusCode::OK, &Value::Array(app.features_json()))))
}

pub(super) async fn feature(simulation: Simulated, Path((app, feature)): Path<(String, String)>) -> Answer {
    with_app(&simulation, &app, |app, _| {
        let named = app.features_json().into_iter().find(|json| json["name"] == feature.as_str());
        Ok(answer(StatusCode::OK, &named.ok_or(Problem::not_found("Couldn't find that feature."))?))
    })
}

pub(super) async fn drains(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| {
        let drains = app.drains.iter().chain(&app.unshipped_drains).map(Drain::json).collect();
        Ok(answer(StatusCode::OK, &Value::Array(drains)))
    })
}

/// `{"url": "http://user:secret@host/path"}`
pub(super) async fn add_drain(State(simulation): Simulated, Path(app): Path<String>, body: Bytes) -> Answer {
    let body = parse(&body)?;
    let url = body["url"].as_str().ok_or(Problem::invalid("Require params: url."))?;
    let target = Target::parse(url)
        .ok_or(Problem::invalid("Url is invalid. The simulator has no TLS: it takes http:// only."))?;
    let (name, json) = with_app(&simulation, &app, |app, agenda| {
        let drain = Drain::new(agenda, url);
        let json = drain.json();
        app.drains.push(drain);
        Ok((app.name.clone(), json))
    })?;
    tokio::spawn(ship(Arc::clone(&simulation), name, id_of(&json), target));
    Ok(answer(StatusCode::CREATED, &json))
}

fn id_of(drain: &Value) -> String {
    drain["id"].as_str().expect("every drain has an id").to_owned()
}
