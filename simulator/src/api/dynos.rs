//! Dynos: lists them, shows a single one, restarts and stops them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};

use super::{ApiResult, change_app, with_app};
use crate::app_state::AppState;
use crate::dyno::Dyno;
use crate::pagination::{Entry, Page};
use crate::responses::{ApiError, accepted, json_response};
use crate::simulation::Simulation;

type SharedSimulation = State<Arc<Simulation>>;

pub(super) async fn list(simulation: SharedSimulation, Path(app): Path<String>, headers: HeaderMap) -> ApiResult {
    simulation.with(|state| {
        let (app, queue) = state.platform.app(&app).ok_or(ApiError::not_found("Couldn't find that app."))?;
        let page = Page::requested(&headers, &state.issued_ranges)?;
        let entry = |dyno: &Dyno| Entry { id: dyno.id.clone(), name: dyno.name.clone(), json: app.dyno_json(dyno) };
        let list = app.dynos.iter().map(entry).collect();
        Ok(page.response(list, queue, &mut state.issued_ranges))
    })
}

pub(super) async fn info(simulation: SharedSimulation, Path((app, dyno)): Path<(String, String)>) -> ApiResult {
    with_app(&simulation, &app, |app, _| {
        let dyno = app.dyno_named(&dyno).or_else(|| with_id(app, &dyno));
        let dyno = dyno.ok_or(DYNO_NOT_FOUND)?;
        Ok(json_response(StatusCode::OK, &app.dyno_json(dyno)))
    })
}

pub(super) async fn restart(simulation: SharedSimulation, Path((app, dyno)): Path<(String, String)>) -> ApiResult {
    change_app(&simulation, &app, |app, queue| {
        if let Some(slot) = app.dyno_named(&dyno).map(|dyno| dyno.slot) {
            app.restart(queue, slot);
            return Ok(accepted());
        }
        // A restart by id is accepted and has no effect. Users reported this of the real API.
        with_id(app, &dyno).map(|_| accepted()).ok_or(DYNO_NOT_FOUND)
    })
}

pub(super) async fn restart_all(simulation: SharedSimulation, Path(app): Path<String>) -> ApiResult {
    change_app(&simulation, &app, |app, queue| {
        let in_formation = |dyno: &&Dyno| app.formation.contains_key(&dyno.process_type);
        let slots: Vec<u64> = app.dynos.iter().filter(in_formation).map(|dyno| dyno.slot).collect();
        for slot in slots {
            app.restart(queue, slot);
        }
        Ok(accepted())
    })
}

pub(super) async fn stop(simulation: SharedSimulation, Path((app, dyno)): Path<(String, String)>) -> ApiResult {
    change_app(&simulation, &app, |app, queue| {
        let slot = app.dyno_named(&dyno).or_else(|| with_id(app, &dyno)).ok_or(DYNO_NOT_FOUND)?.slot;
        app.stop(queue, slot);
        Ok(accepted())
    })
}

const DYNO_NOT_FOUND: ApiError = ApiError::not_found("Couldn't find that dyno.");

fn with_id<'a>(app: &'a AppState, id: &str) -> Option<&'a Dyno> {
    app.dynos.iter().find(|dyno| dyno.id == id)
}
