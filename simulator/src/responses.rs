//! The format of the API's responses and errors.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error of the API: `{"id": ..., "message": ..., "url": ...}`.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    id: &'static str,
    message: &'static str,
    url: Option<&'static str>,
}

impl ApiError {
    pub(crate) const fn new(status: StatusCode, id: &'static str, message: &'static str) -> ApiError {
        ApiError { status, id, message, url: None }
    }

    pub(crate) fn unauthorized(message: &'static str) -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn rate_limit() -> ApiError {
        ApiError {
            url: Some("https://devcenter.heroku.com/articles/platform-api-reference#rate-limits"),
            ..ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limit",
                "Your account reached the API rate limit\nPlease wait a few minutes before making new requests",
            )
        }
    }

    pub(crate) const fn not_found(message: &'static str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn invalid(message: &'static str) -> ApiError {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut body = json!({ "id": self.id, "message": self.message });
        if let Some(url) = self.url {
            body["url"] = url.into();
        }
        json_response(self.status, &body)
    }
}

/// Returns the response to an accepted restart or stop. It does not say whether the dyno changes.
pub(crate) fn accepted() -> Response {
    json_response(StatusCode::ACCEPTED, &json!({}))
}

pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response {
    let body = body.to_string();
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    let headers = [
        (CONTENT_TYPE, "application/json".to_owned()),
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        (ETAG, format!("\"{:016x}\"", hasher.finish())),
    ];
    (status, headers, body).into_response()
}
