//! The front door: takes connections, records each request, lets it misbehave or be answered.
//!
//! It serves with hyper directly, because a connection can be dropped without an answer that way.
//! It has no timers: with a paused clock they would fire at once.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::header::{DATE, HeaderName, RANGE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::account::accepted_scopes;
use crate::answers::{Problem, accepted};
use crate::api;
use crate::faults::{self, Fault, Verbatim};
use crate::page::NEXT_RANGE;
use crate::simulation::Simulation;

/// The connection is dropped without an answer.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated Heroku drops the connection")
    }
}

impl std::error::Error for Dropped {}

pub(crate) async fn serve(listener: TcpListener, simulation: Arc<Simulation>) {
    let router = api::router(Arc::clone(&simulation));
    loop {
        // The client closed the connection before it was accepted.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let (simulation, router) = (Arc::clone(&simulation), router.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            answer(Arc::clone(&simulation), router.clone(), request.map(Body::new))
        });
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
            // Both ends may drop the connection at any time: that is what it is for.
            connection.await.ok();
        });
    }
}

async fn answer(simulation: Arc<Simulation>, router: Router, request: Request<Body>) -> Result<Response, Dropped> {
    let (parts, body) = request.into_parts();
    let at = simulation.clock.elapsed();
    let (number, fault) = simulation.change(|state| {
        let number = state.record.arrived(at, &parts);
        (number, state.faults.take(&parts.method, parts.uri.path()))
    });
    let scopes = (simulation.with(|state| state.account.scope(&parts)), accepted_scopes(&parts));
    let request = Request::from_parts(parts, body);
    let response = match fault {
        None => handle(&simulation, router, request).await,
        Some(fault) => misbehave(&simulation, router, request, fault).await?,
    };
    let response = dress(&simulation, scopes, response);
    let status = response.status().as_u16();
    simulation.change(|state| state.record.answered(number, status));
    Ok(response)
}

async fn misbehave(
    simulation: &Arc<Simulation>,
    router: Router,
    request: Request<Body>,
    fault: Fault,
) -> Result<Response, Dropped> {
    match fault {
        Fault::Stall => std::future::pending().await,
        Fault::Reset => Err(Dropped),
        Fault::LoseAnswer => {
            handle(simulation, router, request).await;
            Err(Dropped)
        }
        Fault::StallAfterEffect => {
            handle(simulation, router, request).await;
            std::future::pending().await
        }
        Fault::Delay(time) => {
            let response = handle(simulation, router, request).await;
            tokio::time::sleep(time).await;
            Ok(response)
        }
        Fault::Lie => {
            let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
            if faults::is_restart(request.method(), &path) {
                Ok(accepted())
            } else {
                Ok(handle(simulation, router, request).await)
            }
        }
        Fault::EndlessList => Ok(endless_list(simulation, router, request).await),
        simple => Ok(faults::answer(simple).expect("every other fault is an answer")),
    }
}

/// The whole list as a page, whichever page was asked for, with a header that says that there is a next one.
async fn endless_list(simulation: &Arc<Simulation>, router: Router, mut request: Request<Body>) -> Response {
    request.headers_mut().remove(RANGE);
    let mut response = handle(simulation, router, request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let next = simulation.with(|state| format!("id ]{}..; max=200", state.world.agenda.uuid()));
        let next = HeaderValue::from_str(&next).expect("a uuid is plain text");
        response.headers_mut().insert(NEXT_RANGE, next);
    }
    response
}

/// The honest answer.
async fn handle(simulation: &Arc<Simulation>, router: Router, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(problem) = admit(simulation, &parts, &body) {
        return problem.into_response();
    }
    let request = Request::from_parts(parts, body);
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn admit(simulation: &Simulation, request: &Parts, body: &Body) -> Result<(), Problem> {
    simulation.with(|state| state.account.admit(state.world.agenda.now, request))?;
    if request.method == Method::DELETE && !body.is_end_stream() {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "bad_request", "This request takes no body."));
    }
    Ok(())
}

/// Adds the headers that every answer has.
fn dress(simulation: &Simulation, (scope, accepted): (String, &str), mut response: Response) -> Response {
    if response.extensions().get::<Verbatim>().is_some() {
        return response;
    }
    let limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let (ids, remaining) = simulation.with(|state| {
        let agenda = &mut state.world.agenda;
        let remaining = if limited { 0 } else { state.account.remaining(agenda.now) };
        let ids = format!("{},{}", agenda.uuid(), agenda.uuid());
        (ids, remaining)
    });
    let date = simulation.clock.now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = [
        (DATE, date),
        (HeaderName::from_static("request-id"), ids),
        (HeaderName::from_static("ratelimit-remaining"), remaining.to_string()),
        (HeaderName::from_static("ratelimit-multiplier"), "1".to_owned()),
        (HeaderName::from_static("oauth-scope"), scope),
        (HeaderName::from_static("oauth-scope-accepted"), accepted.to_owned()),
    ];
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value).expect("dates, ids and scopes are plain text");
        response.headers_mut().insert(name, value);
    }
    response
}
