//! The account of the token: the validity and the scope of the token, and the rate limit.

use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

use crate::TOKEN;
use crate::clock::since;
use crate::responses::ApiError;

/// The size of the rate limit's token bucket: 4500 calls for each account.
const BUCKET_SIZE: u32 = 4500;

/// How long it takes until one more call is allowed: 75 calls a minute.
const REFILL_INTERVAL: Duration = Duration::from_millis(800);

// These are the scopes that a request accepts, in the format of the header `Oauth-Scope-Accepted`.
const READ_SCOPES: &str = "global read read-protected write write-protected";
const WRITE_SCOPES: &str = "global write write-protected";
const ACCOUNT_SCOPES: &str = "global identity";

pub(crate) struct Account {
    pub(crate) any_token: bool,
    pub(crate) revoked: bool,
    /// The field that is set in the JSON of the account, if any: `suspended_at` or `delinquent_at`.
    pub(crate) restricted_by: Option<&'static str>,
    pub(crate) scope: Vec<String>,
    /// When the bucket will be full again. The number of calls left follows from it.
    full_at: Timestamp,
}

impl Account {
    pub(crate) fn new(now: Timestamp) -> Account {
        Account { any_token: false, revoked: false, restricted_by: None, scope: vec!["write".to_owned()], full_at: now }
    }

    /// Returns how many calls the rate limit still allows.
    pub(crate) fn remaining(&self, now: Timestamp) -> u32 {
        let missing = since(now, self.full_at).as_millis().div_ceil(REFILL_INTERVAL.as_millis());
        BUCKET_SIZE.saturating_sub(u32::try_from(missing).unwrap_or(BUCKET_SIZE))
    }

    pub(crate) fn set_remaining(&mut self, now: Timestamp, calls: u32) {
        self.full_at = now + REFILL_INTERVAL * BUCKET_SIZE.saturating_sub(calls);
    }

    /// Returns the scope of the token in this request, in the format of the header `Oauth-Scope`.
    pub(crate) fn scope(&self, request: &Parts) -> String {
        if self.any_token && !has_our_token(request) { "global".to_owned() } else { self.scope.join(" ") }
    }

    /// Checks the token, the rate limit, the `Accept` header and the scope, in this order. Heroku checks them before it
    /// looks for the app.
    pub(crate) fn check(&mut self, now: Timestamp, request: &Parts) -> Result<(), ApiError> {
        self.authenticate(request)?;
        if request.uri.path() != "/account/rate-limits" {
            if self.remaining(now) == 0 {
                return Err(ApiError::rate_limit());
            }
            self.full_at = self.full_at.max(now) + REFILL_INTERVAL;
        }
        if !is_version_3(request) {
            return Err(ApiError::new(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "An `Accept` header of `application/vnd.heroku+json; version=3` must be provided.",
            ));
        }
        let accepted = accepted_scopes(request);
        if !self.scope(request).split(' ').any(|scope| accepted.split(' ').any(|accepted| accepted == scope)) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "The scope of this OAuth authorization does not allow access to this resource.",
            ));
        }
        Ok(())
    }

    fn authenticate(&self, request: &Parts) -> Result<(), ApiError> {
        if credentials(request).is_none() {
            return Err(ApiError::unauthorized(
                "There were no credentials in your `Authorization` header. Try `Authorization: Bearer <OAuth access token>` or `Authorization: Basic <base64-encoded email + \":\" + password>`.",
            ));
        }
        if self.revoked || !(self.any_token || has_our_token(request)) {
            return Err(ApiError::unauthorized("Invalid credentials provided."));
        }
        Ok(())
    }
}

fn credentials(request: &Parts) -> Option<&str> {
    request.headers.get(AUTHORIZATION)?.to_str().ok()
}

fn has_our_token(request: &Parts) -> bool {
    let bearer = format!("Bearer {TOKEN}");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!(":{TOKEN}")));
    credentials(request).is_some_and(|credentials| credentials == bearer || credentials == basic)
}

/// Returns the scopes that the request accepts, in the format of the header `Oauth-Scope-Accepted`.
pub(crate) fn accepted_scopes(request: &Parts) -> &'static str {
    match (request.uri.path(), &request.method) {
        ("/account", _) => ACCOUNT_SCOPES,
        (_, &Method::GET | &Method::HEAD) => READ_SCOPES,
        _ => WRITE_SCOPES,
    }
}

/// Returns whether the request accepts version 3 of the API, or a variant such as `version=3.sdk`.
fn is_version_3(request: &Parts) -> bool {
    request
        .headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .and_then(|accept| accept.strip_prefix("application/vnd.heroku+json; version=3"))
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}
