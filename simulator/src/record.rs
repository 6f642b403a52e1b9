//! The record of every request, in order of arrival.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName, RANGE, USER_AGENT};
use axum::http::request::Parts;

/// One request that arrived, and the status it was answered with once it has been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Since the start of the simulation, on tokio's clock.
    pub at: Duration,
    /// `GET`, `DELETE`, ...
    pub method: String,
    /// The path as it was sent, percent-encoding included.
    pub path: String,
    /// What follows the `?`.
    pub query: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// None while the request is being answered, and for ever when it was not.
    pub status: Option<u16>,
}

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
}

impl Record {
    /// Notes an arrival; the number it returns is for [`Record::answered`].
    pub(crate) fn arrived(&mut self, at: Duration, request: &Parts) -> usize {
        self.calls.push(Call {
            at,
            method: request.method.to_string(),
            path: request.uri.path().to_owned(),
            query: request.uri.query().map(str::to_owned),
            range: text(&request.headers, &RANGE),
            user_agent: text(&request.headers, &USER_AGENT),
            authorization: text(&request.headers, &AUTHORIZATION),
            status: None,
        });
        self.calls.len() - 1
    }

    pub(crate) fn answered(&mut self, number: usize, status: u16) {
        self.calls[number].status = Some(status);
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
