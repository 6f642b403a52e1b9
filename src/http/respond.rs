//! How an answer is written: as text for a person, as JSON for a script that asks for it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// What an answer is to be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Sentences.
    Text,
    /// An object.
    Json,
}

impl Format {
    /// Text, unless `Accept` names JSON.
    #[must_use]
    pub fn asked_for(headers: &HeaderMap) -> Self {
        let names_json = |accept: &HeaderValue| accept.to_str().is_ok_and(|accept| accept.contains("application/json"));
        if headers.get_all(ACCEPT).iter().any(names_json) { Self::Json } else { Self::Text }
    }

    /// The answer in the one or the other form.
    #[must_use]
    pub fn answer(self, status: StatusCode, text: &str, json: &Value) -> Response {
        let (content_type, body) = match self {
            Self::Text => ("text/plain; charset=utf-8", text.to_owned()),
            Self::Json => ("application/json", json.to_string()),
        };
        (status, [(CONTENT_TYPE, content_type)], body).into_response()
    }

    /// An answer that says what is wrong.
    #[must_use]
    pub fn error(self, status: StatusCode, text: &str) -> Response {
        self.answer(status, text, &json!({ "error": text }))
    }
}

impl<S: Sync> FromRequestParts<S> for Format {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::asked_for(&parts.headers))
    }
}
