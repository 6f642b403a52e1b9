//! A client of the Heroku Platform API, for the calls that a restart needs: list an app's dynos, restart one by name, read
//! the formation. `inspect` has those that only `dyno-restarter check` makes. Each function makes one call and returns its
//! result; the caller decides whether to try again.
//!
//! The API is described at <https://devcenter.heroku.com/articles/platform-api-reference>.

mod dyno;
mod error;
mod inspect;
mod names;
mod scope;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use tracing::debug;

pub use dyno::{Dyno, LONGEST_LIFE, State};
pub use error::{Answer, Error};
pub(crate) use inspect::{Account, App, Collaborator, Feature, Formation, Runtime};
pub use names::{AppName, DynoName, ProcessType};
pub(crate) use scope::TokenScope;

use crate::util::text::printable;
use crate::util::tls;

/// The API rejects requests without a version (406).
const API_VERSION: &str = "application/vnd.heroku+json; version=3";

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// Heroku's routers end a request after 30 s. A list takes about a second, so 10 s are enough.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest page that the API returns: one call nearly always lists a whole app.
const FIRST_PAGE: &str = "name ..; max=1000";

/// Enough for 20,000 dynos. An app has about a hundred of a type at most.
const MOST_PAGES: usize = 20;

/// A record has about 500 bytes plus the command of the process, and a page has up to 1000 records.
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// The settings of the client.
#[derive(Debug)]
pub struct Settings {
    /// The base URL of the API; a path in it is kept.
    pub api_url: Url,
    /// The OAuth token, with the `write` scope.
    pub token: SecretString,
}

/// A client of the Platform API. Cheap to clone; clones share their connections and the known rate limit.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    api_url: Url,
    token: SecretString,
    remaining: Arc<AtomicU32>,
    /// How many calls there were, by the status of the response; `None` for no response.
    calls: Arc<Mutex<BTreeMap<Option<u16>, u64>>>,
    /// The latest `Date` header, and when it came.
    latest_date: Arc<Mutex<Option<(Timestamp, Instant)>>>,
    /// The latest `Oauth-Scope` header.
    latest_scope: Arc<Mutex<Option<String>>>,
}

/// An app's dynos at one moment.
#[derive(Debug)]
pub struct Listing {
    /// In the API's order.
    pub dynos: Vec<Dyno>,
    /// How many calls it took: one for each page.
    pub calls: u32,
    /// How many records were left out because they are invalid.
    pub unreadable: usize,
    /// The time by the platform's own clock (the `Date` header), so that ages do not depend on our clock.
    pub at: Timestamp,
    /// The scope of the token (the `Oauth-Scope` header), if the API sent it.
    pub scope: Option<String>,
}

impl Client {
    /// Makes a client. It does not connect yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, reqwest::Error> {
        tls::use_ring();
        let http = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .timeout(CALL_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // The token must not go through a proxy that happens to be set in the environment.
            .no_proxy()
            // The token must not be sent to the target of a redirect.
            .redirect(reqwest::redirect::Policy::none())
            // A restart may be repeated only after a look at the dynos. The caller does that.
            .retry(reqwest::retry::never())
            .build()?;
        let remaining = Arc::new(AtomicU32::new(u32::MAX));
        Ok(Self {
            http,
            api_url: settings.api_url,
            token: settings.token,
            remaining,
            calls: Arc::default(),
            latest_date: Arc::default(),
            latest_scope: Arc::default(),
        })
    }

    /// Lists the dynos of an app: `GET /apps/{app}/dynos`, page by page.
    pub async fn dynos(&self, app: &AppName) -> Result<Listing, Error> {
        let url = self.url(&["apps", app.as_str(), "dynos"]);
        let mut range = HeaderValue::from_static(FIRST_PAGE);
        let mut listing = Listing { dynos: Vec::new(), calls: 0, unreadable: 0, at: self.now(), scope: None };
        for page in 0..MOST_PAGES {
            let response = self.call(Method::GET, url.clone(), Some(range)).await?;
            listing.calls += 1;
            if page == 0 {
                listing.at = date(response.headers()).unwrap_or(listing.at);
                listing.scope = self.scope_in(response.headers());
            }
            let next = response.headers().get("next-range").cloned();
            let records: Vec<Value> = self.parse(&read(response).await?)?;
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
        Err(Error::Endless(format!("more than {MOST_PAGES} pages of dynos")))
    }

    /// Restarts one dyno: `DELETE /apps/{app}/dynos/{name}`. Success means only that the API accepted the restart. The dyno
    /// is addressed by name, because restarts by id were reported to do nothing.
    pub async fn restart(&self, app: &AppName, dyno: &DynoName) -> Result<(), Error> {
        let url = self.url(&["apps", app.as_str(), "dynos", dyno.as_str()]);
        self.call(Method::DELETE, url, None).await.map(drop)
    }

    /// How many dynos of a type the app is scaled to: `GET /apps/{app}/formation/{type}`.
    pub async fn quantity(&self, app: &AppName, process_type: &ProcessType) -> Result<usize, Error> {
        let formation: Value = self.get(&["apps", app.as_str(), "formation", process_type.as_str()]).await?;
        let quantity = formation.get("quantity").and_then(Value::as_u64);
        quantity
            .and_then(|quantity| usize::try_from(quantity).ok())
            .ok_or_else(|| Error::Unreadable("the formation has no quantity".to_owned()))
    }

    /// How many calls the account has left, by the last `RateLimit-Remaining` header. The limit is 4500, it refills by 75 a
    /// minute, and everything that uses the account shares it.
    #[must_use]
    pub fn remaining(&self) -> Option<u32> {
        Some(self.remaining.load(Ordering::Relaxed)).filter(|remaining| *remaining != u32::MAX)
    }

    /// How many calls there were, by the status of the response; `None` for no response.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Option<u16>, u64> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count_call(&self, status: Option<u16>) {
        *self.calls.lock().unwrap_or_else(PoisonError::into_inner).entry(status).or_default() += 1;
    }

    /// The scope of the token, by the last `Oauth-Scope` header. A call that is refused for its scope has one, too.
    pub(crate) fn scope(&self) -> Option<String> {
        self.latest_scope.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The time by Heroku's clock, as of its latest response. Before the first response, the time by our clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let date = *self.latest_date.lock().unwrap_or_else(PoisonError::into_inner);
        date.and_then(|(time, at)| time.checked_add(at.elapsed()).ok()).unwrap_or_else(Timestamp::now)
    }

    /// Adds these path segments to the base URL, each percent-encoded.
    fn url(&self, segments: &[&str]) -> Url {
        let mut url = self.api_url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// Reads one record, or a list that has a single page.
    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Error> {
        self.parse(&read(self.call(Method::GET, self.url(path), None).await?).await?)
    }

    fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Error> {
        serde_json::from_slice(body).map_err(|source| Error::Unreadable(self.clean(&source.to_string())))
    }

    /// Makes a call. Any 2xx is a success.
    async fn call(&self, method: Method, url: Url, range: Option<HeaderValue>) -> Result<Response, Error> {
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", self.token.expose_secret()))
            .map_err(|_| Error::NotSent { reason: "the token cannot be put into a header".to_owned() })?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(method.clone(), url.clone()).header(ACCEPT, API_VERSION);
        if let Some(range) = range {
            request = request.header("range", range);
        }
        let response = request.header(AUTHORIZATION, bearer).send().await;
        self.count_call(response.as_ref().ok().map(|response| response.status().as_u16()));
        let response = response.map_err(|error| fault(&error, &url))?;
        let status = response.status();
        debug!(status = status.as_u16(), "{method} {}", url.path());
        self.note_remaining(response.headers());
        if let Some(time) = date(response.headers()) {
            *self.latest_date.lock().unwrap_or_else(PoisonError::into_inner) = Some((time, Instant::now()));
        }
        if let Some(scope) = self.scope_in(response.headers()) {
            *self.latest_scope.lock().unwrap_or_else(PoisonError::into_inner) = Some(scope);
        }
        if status.is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    fn scope_in(&self, headers: &HeaderMap) -> Option<String> {
        let scope = headers.get("oauth-scope")?.to_str().ok()?;
        Some(printable(&self.clean(scope), 100))
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

    /// The API may quote what it was sent. This removes the token.
    fn clean(&self, text: &str) -> String {
        text.replace(self.token.expose_secret(), "[token]")
    }
}

/// Reads a body, up to [`LARGEST_BODY`].
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

/// The error of a call that got no response, with the host that was called.
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

/// `Retry-After`, in seconds or as a date. Version 2 of the API sent seconds since 1970, so a large number is a date.
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
