//! Gives each request an ID: a field of every log line about the request, and a header of its response.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tracing::{Span, info_span};

/// Heroku's router sets it (<https://devcenter.heroku.com/articles/http-request-id>) and logs it.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest ID that Heroku's router takes from a client.
const MAX_LEN: usize = 200;

/// The ID of a request.
pub(super) struct RequestId(HeaderValue);

impl RequestId {
    /// The ID that the request has, or a new one.
    /// A new one is 64 random bits. They need to be different, not secret.
    pub(super) fn of(request: &HeaderMap) -> Self {
        let sent = request.get(&HEADER).filter(|id| is_id(id)).cloned();
        Self(sent.unwrap_or_else(|| fastrand::u64(..).into()))
    }

    /// What the log lines about the request belong to.
    pub(super) fn span(&self) -> Span {
        info_span!("request", request_id = %self.0.to_str().unwrap_or_default())
    }

    pub(super) fn add_to(self, response: &mut HeaderMap) {
        response.insert(HEADER, self.0);
    }
}

/// Whether this is an ID and no text that could mislead a reader of the log.
fn is_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'=');
    (1..=MAX_LEN).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}
