//! Gives each request an ID: a field of every log line about the request, and a header of its response.

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, info_span};

/// Heroku's router sets it (<https://devcenter.heroku.com/articles/http-request-id>) and logs it.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest ID that Heroku's router takes from a client.
const MAX_LEN: usize = 200;

/// Takes the ID that the request has, or makes one.
pub(super) async fn with_request_id(request: Request, next: Next) -> Response {
    let sent = request.headers().get(&REQUEST_ID).filter(|id| is_id(id)).cloned();
    let id = sent.unwrap_or_else(made);
    let span = info_span!("request", request_id = id.to_str().unwrap_or_default());
    let mut response = next.run(request).instrument(span).await;
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// Whether this is an ID and no text that could mislead a reader of the log.
fn is_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'=');
    (1..=MAX_LEN).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}

/// 128 random bits. They need to be different, not secret.
fn made() -> HeaderValue {
    HeaderValue::try_from(format!("{:032x}", fastrand::u128(..))).expect("hexadecimal digits are valid in a header")
}
