//! Why a call of the Platform API failed. Each variant calls for something else from the caller.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::util::text::printable;

/// Messages of the API are cut to this length, in characters.
const LONGEST_MESSAGE: usize = 500;

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// No connection was made, so the API never saw the request.
    #[error("no connection to Heroku: {reason}")]
    NotSent {
        /// The innermost cause, such as `Connection refused`.
        reason: String,
    },
    /// The request was sent and no complete response came back: it may have taken effect.
    #[error("no answer from Heroku: {reason}")]
    NoAnswer {
        /// The innermost cause, such as `timed out after 10s`.
        reason: String,
    },
    /// The list of dynos came, but too late to restart a dyno on what it shows.
    #[error("Heroku took {took:.1?} to list the dynos, and none is restarted on a list that took longer than 3s")]
    TooLate {
        /// How long it took.
        took: Duration,
    },
    /// 5xx. A restart may have taken effect.
    #[error("Heroku is unavailable: {0}")]
    Unavailable(Answer),
    /// 429: the rate limit of the account is reached. Nothing was done.
    #[error("Heroku's rate limit is reached: {answer}")]
    RateLimited {
        /// What the API said.
        answer: Answer,
        /// How long it asks to wait, if it says so. Not clamped.
        retry_after: Option<Duration>,
    },
    /// A success with an invalid body: half a document, a proxy's page.
    #[error("invalid response from Heroku: {0}")]
    Unreadable(String),
    /// Too many pages, or a body that is too large.
    #[error("response from Heroku is too large: {0}")]
    Endless(String),
    /// 401.
    #[error("Heroku rejected the token: {0}")]
    Unauthorized(Answer),
    /// 403.
    #[error("Heroku denied access: {0}")]
    Forbidden(Answer),
    /// 404.
    #[error("not found at Heroku: {0}")]
    NotFound(Answer),
    /// Any other status that is not a success. That includes redirects: none is followed with the token.
    #[error("Heroku rejected the request: {0}")]
    Refused(Answer),
}

/// What the API said with an error status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{status}{}{message}{}", if message.is_empty() { "" } else { " " }, .request_id.as_ref().map(|id| format!(" (Request-Id {id})")).unwrap_or_default())]
pub struct Answer {
    status: u16,
    message: String,
    request_id: Option<String>,
}

impl Error {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        let is_without_effect = matches!(self, Self::NotSent { .. } | Self::RateLimited { .. } | Self::TooLate { .. });
        is_without_effect || self.may_have_taken_effect()
    }

    /// Whether a restart that ended in this error may have happened.
    #[must_use]
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self, Self::NoAnswer { .. } | Self::Unavailable(_) | Self::Unreadable(_))
    }

    /// What a person can do about it, if there is something to do.
    #[must_use]
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Unauthorized(_) => Some(
                "RESTART_API_KEY is wrong, expired or revoked: log in as the restarter's account, make a new token with \
                 `heroku authorizations:create -s write -S`, and set it",
            ),
            Self::Forbidden(_) => Some(
                "the account of RESTART_API_KEY may not do this: make it a collaborator of the app, and give the \
                 token the write scope",
            ),
            Self::NotFound(_) => Some(
                "check APP_NAME for a typing error, and that the account of RESTART_API_KEY is a collaborator of the \
                 app",
            ),
            Self::NotSent { .. } | Self::Unreadable(_) => {
                Some("see status.heroku.com, and check HEROKU_API_URL if you set it")
            }
            Self::NoAnswer { .. } | Self::Unavailable(_) | Self::TooLate { .. } => Some("see status.heroku.com"),
            Self::Refused(Answer { status: 402, .. }) => {
                Some("Heroku has locked the account over a payment: see its billing page")
            }
            Self::Refused(Answer { status: 300..400, .. }) => Some("check HEROKU_API_URL"),
            Self::RateLimited { .. } => Some(
                "everything that uses this Heroku account shares 4500 calls an hour: give the restarter an account \
                 of its own",
            ),
            Self::Endless(_) | Self::Refused(_) => None,
        }
    }
}

impl Answer {
    /// Reads an error response. The message is in `message` (today's API) or in `error` (earlier versions); any other body,
    /// such as a proxy's page, is taken as text.
    ///
    /// `clean` removes the token, because an API may quote what it was sent.
    pub(super) fn new(status: u16, request_id: Option<&str>, body: &str, clean: impl Fn(&str) -> String) -> Self {
        let parsed: Option<Value> = serde_json::from_str(body).ok();
        let said = |key| parsed.as_ref().and_then(|body| body.get(key)).and_then(Value::as_str);
        let message = said("message").or_else(|| said("error")).unwrap_or(body);
        Self {
            status,
            message: printable(&clean(message.trim_end_matches('.')), LONGEST_MESSAGE),
            request_id: request_id.map(|id| printable(&clean(id), LONGEST_MESSAGE)),
        }
    }
}
