//! The form of the API's answers and errors.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error of the API: `{"id": ..., "message": ..., "url": ...}`.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    id: &'static str,
    message: &'static str,
    url: Option<&'static str>,
}

impl Problem {
    pub(crate) const fn new(status: StatusCode, id: &'static str, message: &'static str) -> Problem {
        Problem { status, id, message, url: None }
    }

    pub(crate) fn unauthorized(message: &'static str) -> Problem {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    pub(crate) fn rate_limit() -> Problem {
        Problem {
            url: Some("https://devcenter.heroku.com/articles/platform-api-reference#rate-limits"),
            ..Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limit",
                "Your account reached the API rate limit\nPlease wait a few minutes before making new requests",
            )
        }
    }

    pub(crate) const fn not_found(message: &'static str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn invalid(message: &'static str) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({ "id": self.id, "message": self.message });
        if let Some(url) = self.url {
            body["url"] = url.into();
        }
        answer(self.status, &body)
    }
}

/// A restart or a stop has been accepted; whether it is carried out is another question.
pub(crate) fn accepted() -> Response {
    answer(StatusCode::ACCEPTED, &json!({}))
}

pub(crate) fn answer(status: StatusCode, body: &Value) -> Response {
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
