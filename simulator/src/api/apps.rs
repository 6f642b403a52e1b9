//! The account, its apps and their log drains.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, parse, with_app};
use crate::answers::{Problem, answer};
use crate::app_state::OWNER;
use crate::drain::Drain;
use crate::shipping::{Target, ship};
use crate::simulation::Simulation;

type Simulated = State<Arc<Simulation>>;

pub(super) async fn account() -> Answer {
    let account = json!({
        "email": "owner@example.com",
        "id": OWNER,
        "name": "The Owner",
        "verified": true,
    });
    Ok(answer(StatusCode::OK, &account))
}

pub(super) async fn rate_limits(simulation: Simulated) -> Answer {
    let remaining = simulation.with(|state| state.account.remaining(state.world.agenda.now));
    Ok(answer(StatusCode::OK, &json!({ "remaining": remaining })))
}

pub(super) async fn info(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| Ok(answer(StatusCode::OK, &app.json())))
}

pub(super) async fn drains(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| {
        let drains = app.drains.iter().map(Drain::json).collect();
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
