//! The faults that a test can inject, and the queue of the injected faults.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::{Bytes, Frame};

use crate::responses::ApiError;

/// The requests that a fault affects.
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

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The response has this status and a body like Heroku's: JSON for 4xx, an HTML page for 5xx.
    Status(u16),
    /// The response has exactly this content. The usual headers of the API are not added.
    Answer {
        /// The status code.
        status: u16,
        /// The headers, without those that HTTP itself needs, such as `Content-Length`.
        headers: Vec<(&'static str, String)>,
        /// The body.
        body: String,
    },
    /// The response is 429 with this `Retry-After` header.
    RetryAfter(&'static str),
    /// The request has no effect, and there is no response. The connection stays open.
    Stall,
    /// The request has no effect, and the connection is closed without a response.
    Reset,
    /// The request takes effect, and the connection is closed without a response.
    LoseAnswer,
    /// The request takes effect, and there is no response. The connection stays open.
    StallAfterEffect,
    /// The request takes effect, and the response is sent after this delay.
    Delay(Duration),
    /// The restart of a dyno is accepted with 202 and has no effect. Other requests are not affected.
    AcceptWithoutEffect,
    /// The response is 200 with an incomplete JSON array.
    BrokenJson,
    /// The response is 200 with the HTML page of a proxy.
    Html,
    /// Every page of a list has a `Next-Range` header.
    EndlessList,
    /// The response is 200 with a body that never ends.
    HugeBody,
    /// The response is 302 to this location.
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

    /// Returns the fault for this request, if there is one, and counts this use of it.
    pub(crate) fn take(&mut self, method: &Method, path: &str) -> Option<Fault> {
        let matches = |(on, _, times): &&mut (On, Fault, usize)| *times > 0 && on.matches(method, path);
        let (_, fault, times) = self.queue.iter_mut().find(matches)?;
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

/// Returns whether the request restarts a single dyno.
pub(crate) fn is_restart(method: &Method, path: &[&str]) -> bool {
    method == Method::DELETE && matches!(path, ["apps", _, "dynos", _])
}

/// Returns the response of the fault; `None` if it depends on the request.
pub(crate) fn response(fault: Fault) -> Option<Response> {
    let response = match fault {
        Fault::Status(status) => with_status(status),
        Fault::Answer { status, headers, body } => verbatim(status, headers, body),
        Fault::RetryAfter(value) => ([(RETRY_AFTER, value)], ApiError::rate_limit()).into_response(),
        Fault::BrokenJson => {
            ([JSON], r#"[{"attach_url":null,"command":"bin/rails server","created_at":"2026-01-0"#).into_response()
        }
        Fault::Html => page(StatusCode::OK, "Please sign in to the network"),
        Fault::HugeBody => ([JSON], Body::new(EndlessBody { started: false })).into_response(),
        Fault::Redirect(location) => (StatusCode::FOUND, [(LOCATION, location)]).into_response(),
        Fault::Stall
        | Fault::Reset
        | Fault::LoseAnswer
        | Fault::StallAfterEffect
        | Fault::Delay(_)
        | Fault::AcceptWithoutEffect
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
        429 => return ApiError::rate_limit().into_response(),
        500.. => return page(status, "Application Error"),
        _ => ("unknown", "The request failed."),
    };
    ApiError::new(status, id, message).into_response()
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

/// Marks a response to which no headers are added.
#[derive(Clone, Copy)]
pub(crate) struct Verbatim;

/// A JSON array of dynos that never ends.
struct EndlessBody {
    started: bool,
}

impl hyper::body::Body for EndlessBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let separator = if self.started { "," } else { "[" };
        self.started = true;
        let dyno = r#"{"name":"web.1","type":"web","state":"up","id":"01234567-89ab-cdef-0123-456789abcdef"}"#;
        let chunk = format!("{separator}{}", [dyno; 100].join(","));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(chunk)))))
    }
}
