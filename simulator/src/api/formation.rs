//! The formation: how many dynos of each process type there should be; restart and stop by type.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::Value;

use super::{Answer, change_app, parse, with_app};
use crate::agenda::Agenda;
use crate::answers::{Problem, accepted, answer};
use crate::app_state::AppState;
use crate::simulation::Simulation;

type Simulated = State<Arc<Simulation>>;

pub(super) async fn list(simulation: Simulated, Path(app): Path<String>) -> Answer {
    with_app(&simulation, &app, |app, _| {
        let rows = app.formation.keys().filter_map(|process_type| app.formation_json(process_type));
        Ok(answer(StatusCode::OK, &Value::Array(rows.collect())))
    })
}

pub(super) async fn info(simulation: Simulated, Path((app, process_type)): Path<(String, String)>) -> Answer {
    with_app(&simulation, &app, |app, _| {
        let row = app.formation_json(&process_type).ok_or(NO_TYPE)?;
        Ok(answer(StatusCode::OK, &row))
    })
}

/// `{"quantity": 3}`
pub(super) async fn scale(
    simulation: Simulated,
    Path((app, process_type)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let update = parse(&body)?;
    change_app(&simulation, &app, |app, agenda| {
        let row = scale_one(app, agenda, &process_type, &update)?;
        Ok(answer(StatusCode::OK, &row))
    })
}

/// `{"updates": [{"type": "web", "quantity": 3}]}`
pub(super) async fn scale_several(simulation: Simulated, Path(app): Path<String>, body: Bytes) -> Answer {
    let body = parse(&body)?;
    let updates = body["updates"].as_array().ok_or(Problem::invalid("Require params: updates."))?;
    change_app(&simulation, &app, |app, agenda| {
        let scaled: Result<Vec<Value>, Problem> = updates
            .iter()
            .map(|update| {
                let process_type = update["type"].as_str().ok_or(Problem::invalid("Require params: type."))?;
                scale_one(app, agenda, process_type, update)
            })
            .collect();
        Ok(answer(StatusCode::OK, &Value::Array(scaled?)))
    })
}

pub(super) async fn restart(simulation: Simulated, Path((app, process_type)): Path<(String, String)>) -> Answer {
    change_app(&simulation, &app, |app, agenda| {
        for slot in slots(app, &process_type)? {
            app.restart(agenda, slot);
        }
        Ok(accepted())
    })
}

pub(super) async fn stop(simulation: Simulated, Path((app, process_type)): Path<(String, String)>) -> Answer {
    change_app(&simulation, &app, |app, agenda| {
        for slot in slots(app, &process_type)? {
            app.stop(agenda, slot);
        }
        Ok(accepted())
    })
}

const NO_TYPE: Problem = Problem::not_found("Couldn't find that process type.");

/// Sets the quantity, where one is given, and says how it is now.
fn scale_one(app: &mut AppState, agenda: &mut Agenda, process_type: &str, update: &Value) -> Result<Value, Problem> {
    let present = app.formation.get(process_type).ok_or(NO_TYPE)?.quantity;
    if let Some(asked) = update.get("quantity") {
        let wanted = quantity(asked, present);
        app.scale(agenda, process_type, wanted.ok_or(Problem::invalid("Quantity must be a number."))?);
    }
    app.formation_json(process_type).ok_or(NO_TYPE)
}

/// `3`, or as the CLI sends it `"3"`, `"+1"` and `"-1"`.
fn quantity(asked: &Value, present: usize) -> Option<usize> {
    if let Some(number) = asked.as_u64() {
        return usize::try_from(number).ok();
    }
    let text = asked.as_str()?;
    match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(more), _) => present.checked_add(more.parse().ok()?),
        (_, Some(less)) => present.checked_sub(less.parse().ok()?),
        _ => text.parse().ok(),
    }
}

fn slots(app: &AppState, process_type: &str) -> Result<Vec<u64>, Problem> {
    if !app.formation.contains_key(process_type) {
        return Err(NO_TYPE);
    }
    let of_type = app.dynos.iter().filter(|dyno| dyno.process_type == process_type);
    Ok(of_type.map(|dyno| dyno.slot).collect())
}
