//! One call of a chat's webhook. Its URL is a secret: whoever knows it can write there.

use std::fmt;
use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde_json::json;

use crate::util::text::printable;
use crate::util::tls;

/// How long a call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The URL of a webhook. It is never shown.
#[derive(Clone)]
pub(crate) struct WebhookUrl(Url);

/// A client of one webhook.
pub(crate) struct Webhook {
    http: reqwest::Client,
    url: WebhookUrl,
}

/// What an answer without a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probed {
    /// The webhook is there.
    Exists,
    /// The server answers. Whether the webhook is there, only a message can tell.
    Answers,
}

/// A message was not sent. No text here contains the URL.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum SendError {
    /// There was no connection, or no answer.
    #[error("{0}")]
    NoAnswer(String),
    /// The webhook cannot take it now.
    #[error("the webhook of NOTIFY_URL answered {status}")]
    Unavailable { status: StatusCode, retry_after: Option<Duration> },
    /// The webhook does not take it.
    #[error("the webhook of NOTIFY_URL rejected it with {0}")]
    Rejected(StatusCode),
}

impl WebhookUrl {
    pub(crate) fn new(url: Url) -> Self {
        Self(url)
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl Webhook {
    pub(crate) fn new(url: WebhookUrl) -> Result<Self, reqwest::Error> {
        tls::use_ring();
        let http = reqwest::Client::builder()
            .user_agent(concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            // What the calls to Heroku do, too.
            .no_proxy()
            // The target of a redirect is not the one that the URL was made for.
            .redirect(reqwest::redirect::Policy::none())
            // The caller repeats, and keeps to a limit.
            .retry(reqwest::retry::never())
            .build()?;
        Ok(Self { http, url })
    }

    /// Sends a message in the format that Slack introduced and others understand.
    pub(crate) async fn post(&self, text: &str) -> Result<(), SendError> {
        call(self.message(text)).await
    }

    /// Asks whether the webhook exists, and posts no message.
    ///
    /// - Slack rejects a text that is empty with 400, and any text for a webhook that is gone with 403, 404 or 410
    ///   (<https://api.slack.com/changelog/2016-05-17-changes-to-errors-for-incoming-webhooks>);
    /// - Discord describes a webhook to anybody who knows its token
    ///   (<https://docs.discord.com/developers/resources/webhook#get-webhook-with-token>);
    /// - of other chats, any answer but one of a failing server is a success: what they do with an empty text is not known.
    pub(crate) async fn probe(&self) -> Result<Probed, SendError> {
        let url = &self.url.0;
        let discord = url.path().strip_suffix("/slack").filter(|path| path.starts_with("/api/webhooks/"));
        if let Some(path) = discord {
            let mut url = url.clone();
            url.set_path(path);
            return call(self.http.get(url)).await.map(|()| Probed::Exists);
        }
        let is_slack = url.path().starts_with("/services/");
        let answer = call(if is_slack { self.message("") } else { self.http.head(url.clone()) }).await;
        match answer {
            Ok(()) | Err(SendError::Rejected(StatusCode::BAD_REQUEST)) if is_slack => Ok(Probed::Exists),
            Ok(()) => Ok(Probed::Answers),
            Err(SendError::Rejected(_)) if !is_slack => Ok(Probed::Answers),
            Err(error) => Err(error),
        }
    }

    fn message(&self, text: &str) -> RequestBuilder {
        let request = self.http.post(self.url.0.clone()).header("content-type", "application/json");
        request.body(json!({ "text": text }).to_string())
    }
}

impl SendError {
    /// Whether the same message may be taken later.
    pub(super) fn is_transient(&self) -> bool {
        !matches!(self, Self::Rejected(_))
    }

    /// How long the webhook asks to wait. Not clamped.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// One word for the kind of failure, for a metric.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => "no_answer",
            Self::Unavailable { .. } => "unavailable",
            Self::Rejected(_) => "rejected",
        }
    }
}

/// Any 2xx is a success.
async fn call(request: RequestBuilder) -> Result<(), SendError> {
    let response = request.send().await.map_err(|error| SendError::NoAnswer(reason(error)))?;
    let status = response.status();
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(unavailable(&response)),
        _ if status.is_server_error() => Err(unavailable(&response)),
        _ => Err(SendError::Rejected(status)),
    }
}

fn unavailable(response: &Response) -> SendError {
    let text = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    // Discord sends fractions of a second.
    let seconds = text.and_then(|text| text.trim().parse::<f64>().ok());
    let retry_after = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    SendError::Unavailable { status: response.status(), retry_after }
}

/// Why there was no answer. An error of reqwest contains the URL; its innermost cause does not.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("the webhook of NOTIFY_URL did not answer within {TIMEOUT:?}");
    }
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    format!("no answer from the webhook of NOTIFY_URL: {}", printable(&innermost.to_string(), 200))
}
