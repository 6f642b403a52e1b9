//! Responses: text for a person, JSON for a script that asks for it.

use std::borrow::Cow;
use std::convert::Infallible;

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::util::secrets::Secrets;

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

/// The longest response that repeats a part of its request, in bytes. Longer ones are the page, the status and the metrics.
const LONGEST_REPETITION: u64 = 8 * 1024;

/// The response without secrets: its sender may have put a key where it is repeated. The responses to accepted alerts and
/// to refused requests, of which there may be thousands a second, repeat nothing.
pub(super) async fn without_secrets(response: Response, secrets: &Secrets) -> Response {
    let repeats_nothing = matches!(
        response.status(),
        StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
    );
    if repeats_nothing || response.body().size_hint().exact().is_none_or(|length| length > LONGEST_REPETITION) {
        return response;
    }
    Box::pin(concealed(response, secrets)).await
}

async fn concealed(mut response: Response, secrets: &Secrets) -> Response {
    for value in response.headers_mut().values_mut() {
        if let Ok(Cow::Owned(shown)) = value.to_str().map(|text| secrets.conceal(text)) {
            *value = HeaderValue::try_from(shown).unwrap_or(HeaderValue::from_static(""));
        }
    }
    let (mut head, body) = response.into_parts();
    // All our bodies are in memory, so reading them cannot fail.
    let bytes = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let body = match str::from_utf8(&bytes).map(|text| secrets.conceal(text)) {
        Ok(Cow::Owned(shown)) => {
            // axum has already said how long the body with the secret is.
            head.headers.remove(CONTENT_LENGTH);
            Body::from(shown)
        }
        _ => Body::from(bytes),
    };
    Response::from_parts(head, body)
}

impl<S: Sync> FromRequestParts<S> for ResponseFormat {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::requested(&parts.headers))
    }
}
