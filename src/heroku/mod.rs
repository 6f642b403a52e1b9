//! The Heroku Platform API, as far as restarting dynos needs it: list an app's dynos, restart one by name, ask how many
//! there should be. It makes one call at a time and says what came of it; whether to try again is the caller's business.
//!
//! The API is described at <https://devcenter.heroku.com/articles/platform-api-reference>.

mod dyno;
mod error;
mod names;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tracing::debug;

pub use dyno::{Dyno, LONGEST_LIFE, State};
pub use error::{Answer, Error};
pub use names::{AppName, DynoName, ProcessType};

/// The API refuses requests that do not ask for a version (406).
const API_VERSION: &str = "application/vnd.heroku+json; version=3";

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The router gives up on a dyno after 30 s, so an answer that takes longer will not come; most take under one second.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest page the API gives, so that one call nearly always shows a whole app.
const FIRST_PAGE: &str = "name ..; max=1000";

/// 20,000 dynos: an app has about a hundred of a type at the most.
const MOST_PAGES: usize = 20;

/// A record is about 500 bytes plus the process's command; a page holds up to 1000 of them.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// What the client needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Where the API is; a path in it is kept.
    pub api_url: Url,
    /// The OAuth token, with the `write` scope.
    pub token: SecretString,
}

/// A client of the Platform API. Cheap to clone; clones share their connections and what they know of the allowance.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    api_url: Url,
    token: SecretString,
    remaining: Arc<AtomicU32>,
}

/// An app's dynos at one moment.
#[derive(Debug)]
pub struct Listing {
    /// In the API's order.
    pub dynos: Vec<Dyno>,
    /// How many calls it took: one for each page.
    pub calls: u32,
    /// How many records were left out because they cannot be read.
    pub unreadable: usize,
    /// The moment, by the platform's own clock (the answer's `Date`), so that ages do not depend on ours.
    pub at: Timestamp,
    /// What the token may do, if the API said so (`Oauth-Scope`).
    pub scope: Option<String>,
}

impl Client {
    /// Makes a client; connects to nothing yet.
    ///
    /// # Errors
    /// When no TLS set-up can be made, or the token cannot stand in a header.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // The token must not pass through a proxy that happens to stand in the environment.
            .no_proxy()
            // The token must not travel to wherever an answer points.
            .redirect(reqwest::redirect::Policy::none())
            // A restart is repeated only after a look, which is not the client's business.
            .retry(reqwest::retry::never())
            .build()?;
        let remaining = Arc::new(AtomicU32::new(u32::MAX));
        Ok(Self { http, api_url: settings.api_url, token: settings.token, remaining })
    }

    /// Lists the dynos of an app: `GET /apps/{app}/dynos`, page by page.
    pub async fn dynos(&self, app: &AppName) -> Result<Listing, Error> {
        let url = self.url(&["apps", app.as_str(), "dynos"]);
        let mut range = HeaderValue::from_static(FIRST_PAGE);
        let mut listing = Listing { dynos: Vec::new(), calls: 0, unreadable: 0, at: Timestamp::now(), scope: None };
        for page in 0..MOST_PAGES {
            let response = self.call(Method::GET, url.clone(), Some(range)).await?;
            listing.calls += 1;
            let header = |name| response.headers().get(name).and_then(|value: &HeaderValue| value.to_str().ok());
            if page == 0 {
                listing.at = date(response.headers()).unwrap_or(listing.at);
                listing.scope = header("oauth-scope").map(|scope| printable(&self.clean(scope), 100));
            }
            let next = response.headers().get("next-range").cloned();
            let body = read(response).await?;
            let records: Vec<Value> =
                serde_json::from_slice(&body).map_err(|source| Error::Unreadable(self.clean(&source.to_string())))?;
            let records = records.into_iter().map(Dyno::from_record);
            let before = listing.dynos.len();
            let all = records.len();
            listing.dynos.extend(records.flatten());
            listing.unreadable += all - (listing.dynos.len() - before);
            match next {
                Some(next) => range = next,
                None => return Ok(listing),
            }
        }
        Err(Error::Endless(format!("after {MOST_PAGES} pages of dynos there is still another one")))
    }

    /// Restarts one dyno: `DELETE /apps/{app}/dynos/{name}`. Success means that the API accepted it, no more. By name,
    /// for by id nothing was seen to happen.
    pub async fn restart(&self, app: &AppName, dyno: &DynoName) -> Result<(), Error> {
        let url = self.url(&["apps", app.as_str(), "dynos", dyno.as_str()]);
        self.call(Method::DELETE, url, None).await.map(drop)
    }

    /// How many dynos of a type the app is scaled to: `GET /apps/{app}/formation/{type}`.
    pub async fn quantity(&self, app: &AppName, process_type: &ProcessType) -> Result<usize, Error> {
        let url = self.url(&["apps", app.as_str(), "formation", process_type.as_str()]);
        let body = read(self.call(Method::GET, url, None).await?).await?;
        let formation: Value =
            serde_json::from_slice(&body).map_err(|source| Error::Unreadable(self.clean(&source.to_string())))?;
        let quantity = formation.get("quantity").and_then(Value::as_u64);
        quantity
            .and_then(|quantity| usize::try_from(quantity).ok())
            .ok_or_else(|| Error::Unreadable("the formation has no quantity".to_owned()))
    }

    /// How many calls the account has left, as of the last answer (`RateLimit-Remaining`). The bucket holds 4500, refills
    /// by 75 a minute, and is shared by everything that uses the account.
    #[must_use]
    pub fn remaining(&self) -> Option<u32> {
        Some(self.remaining.load(Ordering::Relaxed)).filter(|remaining| *remaining != u32::MAX)
    }

    /// Each segment is percent-encoded as one.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.api_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Makes a call; any 2xx is a success.
    async fn call(&self, method: Method, url: Url, range: Option<HeaderValue>) -> Result<Response, Error> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| Error::NotSent { reason: "the token cannot stand in a header".to_owned() })?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(method.clone(), url.clone()).header(ACCEPT, API_VERSION);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let response = request.header(AUTHORIZATION, bearer).send().await.map_err(|error| fault(&error, &url))?;
        let status = response.status();
        debug!(status = status.as_u16(), "{method} {}", url.path());
        self.note_remaining(response.headers());
        if status.is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn refusal(&self, response: Response) -> Error {
        let status = response.status();
        let headers = response.headers().clone();
        let request_id = headers.get("request-id").and_then(|id| id.to_str().ok());
        let body = read(response).await.unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        let answer = Answer::new(status.as_u16(), request_id, &body, |text| self.clean(text));
        match status {
            StatusCode::UNAUTHORIZED => Error::Unauthorized(answer),
            StatusCode::FORBIDDEN => Error::Forbidden(answer),
            StatusCode::NOT_FOUND => Error::NotFound(answer),
            StatusCode::TOO_MANY_REQUESTS => Error::RateLimited { answer, retry_after: retry_after(&headers) },
            _ if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => Error::Unavailable(answer),
            _ => Error::Refused(answer),
        }
    }

    fn note_remaining(&self, headers: &HeaderMap) {
        let remaining = headers.get("ratelimit-remaining").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        if let Some(remaining) = remaining {
            self.remaining.store(remaining, Ordering::Relaxed);
        }
    }

    /// What the API says may quote what it was sent; the token never goes further.
    fn clean(&self, text: &str) -> String {
        text.replace(self.token.expose_secret(), "[token]")
    }
}

/// Text from outside, fit for one line of a log: control characters become spaces, and it is cut to `longest` characters.
fn printable(text: &str, longest: usize) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut words = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = words.char_indices().nth(longest) {
        words.truncate(cut);
        words.push('…');
    }
    words
}

async fn read(mut response: Response) -> Result<Vec<u8>, Error> {
    let url = response.url().clone();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error, &url))? {
        if body.len() + chunk.len() > LARGEST_BODY {
            return Err(Error::Endless(format!("its body is longer than {LARGEST_BODY} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// What went wrong on the way to where.
fn fault(error: &reqwest::Error, url: &Url) -> Error {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let reason = match error.is_timeout() {
        true if error.is_connect() => format!("no connection within {CONNECT_TIMEOUT:?}"),
        true => format!("timed out after {CALL_TIMEOUT:?}"),
        false => printable(&innermost.to_string(), 200),
    };
    let reason = format!("{}: {reason}", url.authority());
    if error.is_connect() { Error::NotSent { reason } } else { Error::NoAnswer { reason } }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    rfc2822_time(headers.get(DATE)?.to_str().ok()?)
}

fn rfc2822_time(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// `Retry-After` in seconds or as a date. Version 2 of the API sent seconds since 1970, so a number that large is a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    const YEAR_2001: i64 = 1_000_000_000;
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let until = match text.parse::<i64>() {
        Ok(seconds) if seconds < YEAR_2001 => return u64::try_from(seconds).ok().map(Duration::from_secs),
        Ok(since_1970) => Timestamp::from_second(since_1970).ok()?,
        Err(_) => rfc2822_time(text)?,
    };
    let now = date(headers).unwrap_or_else(Timestamp::now);
    Duration::try_from(until.duration_since(now)).ok()
}
