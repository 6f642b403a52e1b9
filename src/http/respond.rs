//! Responses: text for a person, JSON for a script that asks for it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// The format of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResponseFormat {
    /// Sentences.
    Text,
    /// An object.
    Json,
}

impl ResponseFormat {
    /// Text, unless `Accept` names JSON.
    pub(crate) fn requested(headers: &HeaderMap) -> Self {
        let names_json = |accept: &HeaderValue| accept.to_str().is_ok_and(|accept| accept.contains("application/json"));
        if headers.get_all(ACCEPT).iter().any(names_json) { Self::Json } else { Self::Text }
    }

    /// A response in this format.
    pub(crate) fn response(
        self,
        status: StatusCode,
        text: impl Into<String>,
        json: impl FnOnce() -> Value,
    ) -> Response {
        let (content_type, body) = match self {
            Self::Text => ("text/plain; charset=utf-8", text.into()),
            Self::Json => ("application/json", json().to_string()),
        };
        (status, [(CONTENT_TYPE, content_type)], body).into_response()
    }

    /// A response that says what is wrong.
    pub(crate) fn error(self, status: StatusCode, text: &str) -> Response {
        self.response(status, text, || json!({ "error": text }))
    }
}

impl<S: Sync> FromRequestParts<S> for ResponseFormat {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::requested(&parts.headers))
    }
}
