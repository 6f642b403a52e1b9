//! Dynos: list, look at, restart and stop.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};

use super::{Answer, change_app, with_app};
use crate::answers::{Problem, accepted, answer};
use crate::app_state::AppState;
use crate::dyno::Dyno;
use crate::page::{Entry, Page};
use crate::simulation::Simulation;

type Simulated = State<Arc<Simulation>>;

pub(super) async fn list(simulation: Simulated, Path(app): Path<String>, headers: HeaderMap) -> Answer {
    simulation.with(|state| {
        let (app, agenda) = state.world.app(&app).ok_or(Problem::not_found("Couldn't find that app."))?;
        let page = Page::asked(&headers, &state.issued)?;
        let entry = |dyno: &Dyno| Entry { id: dyno.id.clone(), name: dyno.name.clone(), json: app.dyno_json(dyno) };
        let list = app.dynos.iter().map(entry).collect();
        Ok(page.of(list, agenda, &mut state.issued))
    })
}

pub(super) async fn info(simulation: Simulated, Path((app, dyno)): Path<(String, String)>) -> Answer {
    with_app(&simulation, &app, |app, _| {
        let dyno = app.dyno_named(&dyno).or_else(|| with_id(app, &dyno));
        let dyno = dyno.ok_or(NO_DYNO)?;
        Ok(answer(StatusCode::OK, &app.dyno_json(dyno)))
    })
}

pub(super) async fn restart(simulation: Simulated, Path((app, dyno)): Path<(String, String)>) -> Answer {
    change_app(&simulation, &app, |app, agenda| {
        if let Some(slot) = app.dyno_named(&dyno).map(|dyno| dyno.slot) {
            app.restart(agenda, slot);
            return Ok(accepted());
        }
        // By id it is accepted and nothing happens, as users of the real API have reported.
        with_id(app, &dyno).map(|_| accepted()).ok_or(NO_DYNO)
    })
}

pub(super) async fn restart_all(simulation: Simulated, Path(app): Path<String>) -> Answer {
    change_app(&simulation, &app, |app, agenda| {
        let in_formation = |dyno: &&Dyno| app.formation.contains_key(&dyno.process_type);
        let slots: Vec<u64> = app.dynos.iter().filter(in_formation).map(|dyno| dyno.slot).collect();
        for slot in slots {
            app.restart(agenda, slot);
        }
        Ok(accepted())
    })
}

pub(super) async fn stop(simulation: Simulated, Path((app, dyno)): Path<(String, String)>) -> Answer {
    change_app(&simulation, &app, |app, agenda| {
        let slot = app.dyno_named(&dyno).or_else(|| with_id(app, &dyno)).ok_or(NO_DYNO)?.slot;
        app.stop(agenda, slot);
        Ok(accepted())
    })
}

const NO_DYNO: Problem = Problem::not_found("Couldn't find that dyno.");

fn with_id<'a>(app: &'a AppState, id: &str) -> Option<&'a Dyno> {
    app.dynos.iter().find(|dyno| dyno.id == id)
}
