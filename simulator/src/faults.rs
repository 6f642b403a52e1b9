//! Misbehaviour on request: what can go wrong, and when it is to.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Bytes, Frame};

use crate::answers::Problem;

/// Which requests a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// `GET /apps/{app}/dynos`
    List,
    /// `DELETE /apps/{app}/dynos/{dyno}`
    Restart,
    /// `GET /apps/{app}/formation` and `GET /apps/{app}/formation/{type}`
    Formation,
    /// `GET /account`
    Account,
    /// `GET /apps/{app}`
    App,
    /// `GET /apps/{app}/collaborators`
    Collaborators,
    /// `GET /apps/{app}/features` and `GET /apps/{app}/features/{feature}`
    Features,
    /// `GET /apps/{app}/log-drains`
    Drains,
    /// Every request.
    Any,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// An answer of this status with the body that Heroku gives it: JSON for 4xx, a page for 5xx.
    Status(u16),
    /// Any other answer, verbatim: no header is added to these.
    Answer {
        /// The status code.
        status: u16,
        /// All headers but those of the transfer itself.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// 429 with this `Retry-After` header.
    RetryAfter(&'static str),
    /// Takes the request and never answers; nothing happens.
    Stall,
    /// The connection is dropped before anything happens.
    Reset,
    /// The request takes effect, then the connection is dropped without an answer.
    LoseAnswer,
    /// The request takes effect and is never answered.
    StallAfterEffect,
    /// The request takes effect, and is answered this long after.
    Delay(Duration),
    /// A restart is answered 202 and `{}`, and nothing happens. Other requests are not affected.
    Lie,
    /// 200 with half a JSON array.
    BrokenJson,
    /// 200 with a proxy's HTML page.
    Html,
    /// Each page of a list says that there is a next page.
    EndlessList,
    /// 200 with a body that never ends.
    HugeBody,
    /// 302 to this location.
    Redirect(String),
}

#[derive(Default)]
pub(crate) struct Faults {
    queue: Vec<(On, Fault, usize)>,
}

impl Faults {
    pub(crate) fn add(&mut self, on: On, fault: Fault, times: usize) {
        self.queue.push((on, fault, times));
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    /// The fault that this request gets, if any.
    pub(crate) fn take(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let hit = |(on, _, times): &&mut (On, Fault, usize)| *times > 0 && on.matches(method, path);
        let (_, fault, times) = self.queue.iter_mut().find(hit)?;
        if *times != usize::MAX {
            *times -= 1;
        }
        Some(fault.clone())
    }
}

impl On {
    fn matches(self, method: &Method, path: &str) -> bool {
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let is_get = method == Method::GET;
        match self {
            On::List => is_get && matches!(path[..], ["apps", _, "dynos"]),
            On::Restart => is_restart(method, &path),
            On::Formation => is_get && matches!(path[..], ["apps", _, "formation"] | ["apps", _, "formation", _]),
            On::Account => is_get && path == ["account"],
            On::App => is_get && matches!(path[..], ["apps", _]),
            On::Collaborators => is_get && matches!(path[..], ["apps", _, "collaborators"]),
            On::Features => is_get && matches!(path[..], ["apps", _, "features"] | ["apps", _, "features", _]),
            On::Drains => is_get && matches!(path[..], ["apps", _, "log-drains"]),
            On::Any => true,
        }
    }
}

/// Whether the request is the restart of one dyno.
pub(crate) fn is_restart(method: &Method, path: &[&str]) -> bool {
    method == Method::DELETE && matches!(path, ["apps", _, "dynos", _])
}

/// The answer of a fault that does not look at the world; None for one that does.
pub(crate) fn answer(fault: Fault) -> Option<Response> {
    let response = match fault {
        Fault::Status(status) => with_status(status),
        Fault::Answer { status, headers, body } => verbatim(status, headers, body),
        Fault::RetryAfter(value) => ([(RETRY_AFTER, value)], Problem::rate_limit()).into_response(),
        Fault::BrokenJson => {
            ([JSON], r#"[{"attach_url":null,"command":"bin/rails server","created_at":"2026-01-0"#).into_response()
        }
        Fault::Html => page(StatusCode::OK, "Please sign in to the network"),
        Fault::HugeBody => ([JSON], Body::new(Endless { begun: false })).into_response(),
        Fault::Redirect(location) => (StatusCode::FOUND, [(LOCATION, location)]).into_response(),
        Fault::Stall
        | Fault::Reset
        | Fault::LoseAnswer
        | Fault::StallAfterEffect
        | Fault::Delay(_)
        | Fault::Lie
        | Fault::EndlessList => {
            return None;
        }
    };
    Some(response)
}

const JSON: (HeaderName, &str) = (CONTENT_TYPE, "application/json");

fn with_status(status: u16) -> Response {
    let status = StatusCode::from_u16(status).expect("a fault names a valid status");
    let (id, message) = match status.as_u16() {
        400 => ("bad_request", "Unable to parse request."),
        401 => ("unauthorized", "Invalid credentials provided."),
        402 => ("delinquent", "This account is delinquent. Please update your billing information."),
        403 => ("forbidden", "You do not have access to the app."),
        404 => ("not_found", "Couldn't find that app."),
        406 => ("not_acceptable", "An `Accept` header of `application/vnd.heroku+json; version=3` must be provided."),
        409 => ("conflict", "The request could not be completed because of a conflict."),
        412 => ("precondition_failed", "The resource has changed."),
        416 => ("requested_range_not_satisfiable", "The requested range is not satisfiable."),
        422 => ("invalid_params", "Invalid parameters."),
        429 => return Problem::rate_limit().into_response(),
        500.. => return page(status, "Application Error"),
        _ => ("unknown", "Something is not as it should be."),
    };
    Problem::new(status, id, message).into_response()
}

fn page(status: StatusCode, text: &str) -> Response {
    let html =
        format!("<!DOCTYPE html>\n<html><head><title>{text}</title></head><body><h1>{text}</h1></body></html>\n");
    (status, [(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response()
}

fn verbatim(status: u16, headers: Vec<(&'static str, String)>, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).expect("a fault names a valid status");
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a fault names valid headers");
        let value = HeaderValue::from_str(&value).expect("a fault's headers have valid values");
        response.headers_mut().append(name, value);
    }
    response.extensions_mut().insert(Verbatim);
    response
}

/// Marks an answer to which no header is added.
#[derive(Clone, Copy)]
pub(crate) struct Verbatim;

/// A JSON array of dynos that goes on for as long as somebody reads.
struct Endless {
    begun: bool,
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let opening = if self.begun { "," } else { "[" };
        self.begun = true;
        let dyno = r#"{"name":"web.1","type":"web","state":"up","id":"01234567-89ab-cdef-0123-456789abcdef"}"#;
        let chunk = format!("{opening}{}", [dyno; 100].join(","));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(chunk)))))
    }
}
