//! The HTTP server: accepts connections, records each request, injects faults, and sends responses.
//!
//! It uses hyper without axum's server, because hyper can close a connection without a response. It has no timeouts,
//! because they would expire at once when the clock is paused.

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
use crate::api;
use crate::faults::{self, Fault, Verbatim};
use crate::pagination::NEXT_RANGE;
use crate::responses::{ApiError, accepted};
use crate::simulation::Simulation;

/// Makes hyper close the connection without a response.
#[derive(Debug)]
struct CloseConnection;

impl fmt::Display for CloseConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated Heroku closes the connection")
    }
}

impl std::error::Error for CloseConnection {}

pub(crate) async fn serve(listener: TcpListener, simulation: Arc<Simulation>) {
    let router = api::router(Arc::clone(&simulation));
    loop {
        // An error means that the client closed the connection before it was accepted.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let (simulation, router) = (Arc::clone(&simulation), router.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            handle(Arc::clone(&simulation), router.clone(), request.map(Body::new))
        });
        tokio::spawn(async move {
            let connection =
                http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
            // An error is expected: tests make both the server and the client close connections.
            connection.await.ok();
        });
    }
}

async fn handle(
    simulation: Arc<Simulation>,
    router: Router,
    request: Request<Body>,
) -> Result<Response, CloseConnection> {
    let (parts, body) = request.into_parts();
    let at = simulation.clock.elapsed();
    let (number, fault) = simulation.change(|state| {
        let number = state.record.add(at, &parts);
        (number, state.faults.take(&parts.method, parts.uri.path()))
    });
    let scopes = (simulation.with(|state| state.account.scope(&parts)), accepted_scopes(&parts));
    let request = Request::from_parts(parts, body);
    let response = match fault {
        None => respond(&simulation, router, request).await,
        Some(fault) => inject(fault, &simulation, router, request).await?,
    };
    let response = add_headers(&simulation, scopes, response);
    let status = response.status().as_u16();
    simulation.change(|state| state.record.set_status(number, status));
    Ok(response)
}

async fn inject(
    fault: Fault,
    simulation: &Arc<Simulation>,
    router: Router,
    request: Request<Body>,
) -> Result<Response, CloseConnection> {
    match fault {
        Fault::Stall => std::future::pending().await,
        Fault::Reset => Err(CloseConnection),
        Fault::LoseAnswer => {
            respond(simulation, router, request).await;
            Err(CloseConnection)
        }
        Fault::StallAfterEffect => {
            respond(simulation, router, request).await;
            std::future::pending().await
        }
        Fault::Delay(time) => {
            let response = respond(simulation, router, request).await;
            tokio::time::sleep(time).await;
            Ok(response)
        }
        Fault::AcceptWithoutEffect => {
            let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
            if faults::is_restart(request.method(), &path) {
                Ok(accepted())
            } else {
                Ok(respond(simulation, router, request).await)
            }
        }
        Fault::EndlessList => Ok(endless_list(simulation, router, request).await),
        fault => Ok(faults::response(fault).expect("every other fault has a response")),
    }
}

/// Returns the whole list for every page that is requested, with a `Next-Range` header.
async fn endless_list(simulation: &Arc<Simulation>, router: Router, mut request: Request<Body>) -> Response {
    request.headers_mut().remove(RANGE);
    let mut response = respond(simulation, router, request).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let next = simulation.with(|state| format!("id ]{}..; max=200", state.platform.queue.ids.uuid()));
        let next = HeaderValue::from_str(&next).expect("a uuid is plain text");
        response.headers_mut().insert(NEXT_RANGE, next);
    }
    response
}

/// Returns the response of the API without a fault.
async fn respond(simulation: &Arc<Simulation>, router: Router, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(error) = check(simulation, &parts, &body) {
        return error.into_response();
    }
    let request = Request::from_parts(parts, body);
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

fn check(simulation: &Simulation, request: &Parts, body: &Body) -> Result<(), ApiError> {
    simulation.with(|state| state.account.check(state.platform.queue.now, request))?;
    if request.method == Method::DELETE && !body.is_end_stream() {
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_request", "This request takes no body."));
    }
    Ok(())
}

/// Adds the headers that all responses of the API have.
fn add_headers(simulation: &Simulation, (scope, accepted): (String, &str), mut response: Response) -> Response {
    if response.extensions().get::<Verbatim>().is_some() {
        return response;
    }
    let is_rate_limited = response.status() == StatusCode::TOO_MANY_REQUESTS;
    let (ids, remaining) = simulation.with(|state| {
        let queue = &mut state.platform.queue;
        let remaining = if is_rate_limited { 0 } else { state.account.remaining(queue.now) };
        let ids = format!("{},{}", queue.ids.uuid(), queue.ids.uuid());
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
