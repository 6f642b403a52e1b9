//! The ID of a request: a field of every log line about the request, and a header of its response.

use std::borrow::Cow;
use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::secrets::Secrets;

/// Heroku's router sets it (<https://devcenter.heroku.com/articles/http-request-id>) and logs it.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The longest ID that Heroku's router takes from a client.
const MAX_LEN: usize = 200;

tokio::task_local! {
    /// That of the request that the task answers. A span of `tracing` would do the same, but costs each request a tenth of
    /// all instructions of a rejection, and nearly all requests log nothing.
    static CURRENT: RequestId;
}

/// The ID of a request.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    /// The ID that the request has, or a new one if it has none or one with a secret.
    /// A new one is 64 random bits. They need to be different, not secret.
    pub(crate) fn of(request: &HeaderMap, secrets: &Secrets) -> Self {
        let has_secret = |id: &HeaderValue| id.to_str().is_ok_and(|id| matches!(secrets.conceal(id), Cow::Owned(_)));
        let sent = request.get(&HEADER).filter(|id| is_id(id) && !has_secret(id)).cloned();
        Self(sent.unwrap_or_else(|| fastrand::u64(..).into()))
    }

    /// That of the request to which this code belongs, if it belongs to one.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Makes a future belong to this request.
    pub(crate) fn scope<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, future)
    }

    /// Calls a function that belongs to this request, if there is one.
    pub(crate) fn call<T>(current: Option<Self>, function: impl FnOnce() -> T) -> T {
        match current {
            Some(id) => CURRENT.sync_scope(id, function),
            None => function(),
        }
    }

    pub(crate) fn add_to(self, response: &mut HeaderMap) {
        response.insert(HEADER, self.0);
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// Whether this is an ID and no text that could mislead a reader of the log.
fn is_id(id: &HeaderValue) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b'=');
    (1..=MAX_LEN).contains(&id.len()) && id.as_bytes().iter().all(is_plain)
}
