//! The record of all requests, in the order of their arrival.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HeaderName, RANGE, USER_AGENT};
use axum::http::request::Parts;

/// A request that arrived, with the status of its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it arrived: the time since the start of the simulation.
    pub at: Duration,
    /// The method, such as `GET`.
    pub method: String,
    /// The path as it was sent, without decoding.
    pub path: String,
    /// The query string, without the `?`.
    pub query: Option<String>,
    /// The `Range` header.
    pub range: Option<String>,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The status of the response; `None` if no response was sent.
    pub status: Option<u16>,
}

#[derive(Default)]
pub(crate) struct Record {
    pub(crate) calls: Vec<Call>,
}

impl Record {
    /// Adds a request. Returns its number for [`Record::set_status`].
    pub(crate) fn add(&mut self, at: Duration, request: &Parts) -> usize {
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

    pub(crate) fn set_status(&mut self, number: usize, status: u16) {
        self.calls[number].status = Some(status);
    }
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let value = headers.get(name)?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}
