//! The account behind the token: whether the token is good, what it may do, how many calls it has left.

use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;

use crate::TOKEN;
use crate::answers::Problem;
use crate::clock::since;

/// The bucket of the rate limit: 4500 calls an account, 75 more each minute.
const BUCKET: u32 = 4500;
const REFILL: Duration = Duration::from_millis(800);

/// The scopes that may read, and of them those that may write, as `Oauth-Scope-Accepted` lists them.
const READERS: &str = "global read read-protected write write-protected";
const WRITERS: &str = "global write write-protected";
const IDENTIFIERS: &str = "global identity";

pub(crate) struct Account {
    pub(crate) any_token: bool,
    pub(crate) revoked: bool,
    /// `suspended_at` or `delinquent_at`, where the account is that.
    pub(crate) trouble: Option<&'static str>,
    pub(crate) scope: Vec<String>,
    /// When the bucket will be full again; the only thing a leaky bucket has to remember.
    full_at: Timestamp,
}

impl Account {
    pub(crate) fn new(now: Timestamp) -> Account {
        Account { any_token: false, revoked: false, trouble: None, scope: vec!["write".to_owned()], full_at: now }
    }

    pub(crate) fn remaining(&self, now: Timestamp) -> u32 {
        let missing = since(now, self.full_at).as_millis().div_ceil(REFILL.as_millis());
        BUCKET.saturating_sub(u32::try_from(missing).unwrap_or(BUCKET))
    }

    pub(crate) fn set_remaining(&mut self, now: Timestamp, tokens: u32) {
        self.full_at = now + REFILL * BUCKET.saturating_sub(tokens);
    }

    /// The header `Oauth-Scope`: what the token of this request may do. Any other token than ours may do all.
    pub(crate) fn scope(&self, request: &Parts) -> String {
        if self.any_token && !is_ours(request) { "global".to_owned() } else { self.scope.join(" ") }
    }

    /// What the platform checks before it looks at the path: the token, the calls left, the
    /// `Accept` header, the scope.
    pub(crate) fn admit(&mut self, now: Timestamp, request: &Parts) -> Result<(), Problem> {
        self.authenticate(request)?;
        if request.uri.path() != "/account/rate-limits" {
            if self.remaining(now) == 0 {
                return Err(Problem::rate_limit());
            }
            self.full_at = self.full_at.max(now) + REFILL;
        }
        if !is_version_3(request) {
            return Err(Problem::new(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "An `Accept` header of `application/vnd.heroku+json; version=3` must be provided.",
            ));
        }
        let accepted = accepted_scopes(request);
        if !self.scope(request).split(' ').any(|scope| accepted.split(' ').any(|a| a == scope)) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "forbidden",
                "The scope of this OAuth authorization does not allow access to this resource.",
            ));
        }
        Ok(())
    }

    fn authenticate(&self, request: &Parts) -> Result<(), Problem> {
        if given(request).is_none() {
            return Err(Problem::unauthorized(
                "There were no credentials in your `Authorization` header. Try `Authorization: Bearer <OAuth access token>` or `Authorization: Basic <base64-encoded email + \":\" + password>`.",
            ));
        }
        if self.revoked || !(self.any_token || is_ours(request)) {
            return Err(Problem::unauthorized("Invalid credentials provided."));
        }
        Ok(())
    }
}

fn given(request: &Parts) -> Option<&str> {
    request.headers.get(AUTHORIZATION)?.to_str().ok()
}

fn is_ours(request: &Parts) -> bool {
    let basic = BASE64_STANDARD.encode(format!(":{TOKEN}"));
    given(request).is_some_and(|given| given == format!("Bearer {TOKEN}") || given == format!("Basic {basic}"))
}

/// The header `Oauth-Scope-Accepted`.
pub(crate) fn accepted_scopes(request: &Parts) -> &'static str {
    match (request.uri.path(), &request.method) {
        ("/account", _) => IDENTIFIERS,
        (_, &Method::GET | &Method::HEAD) => READERS,
        _ => WRITERS,
    }
}

/// `version=3`, or a variant of it such as `version=3.sdk`.
fn is_version_3(request: &Parts) -> bool {
    request
        .headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .and_then(|accept| accept.strip_prefix("application/vnd.heroku+json; version=3"))
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
}
