//! The log drains of an app that point at this service, and what they need. The URL of a drain contains keys, so only its
//! host is shown.

use axum::http::header::AUTHORIZATION;
use axum::http::{Request, request};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::Line;
use super::facts::AppFacts;
use crate::drain::MemoryLimit;
use crate::heroku::{App, AppName, Error, Feature, Runtime};
use crate::http::auth::{Access, Keys};
use crate::util::text::printable;

/// The feature that makes Heroku log the memory of each dyno.
const RUNTIME_METRICS: &str = "log-runtime-metrics";

/// The longest name of a host that is shown, in characters.
const LONGEST_HOST: usize = 253;

pub(super) fn lines(facts: &AppFacts, keys: &Keys, memory_limit: Option<MemoryLimit>) -> Vec<Line> {
    let app = &facts.name;
    let mut lines = match &facts.drains {
        Ok(urls) => drains(
            app,
            urls,
            keys,
            memory_limit,
            facts.app.as_ref().is_ok_and(|app| app.runtime == Runtime::PrivateSpace),
        ),
        Err(error) => {
            let see = format!("See them with `heroku drains -a {app}`.");
            vec![Line::untold(&format!("{app}: which log drains it has"), error, &see)]
        }
    };
    if memory_limit.is_some() {
        lines.push(runtime_metrics(app, facts.app.as_ref().ok(), &facts.features));
    }
    lines
}

fn drains(app: &AppName, urls: &[Url], keys: &Keys, memory_limit: Option<MemoryLimit>, is_in_space: bool) -> Vec<Line> {
    let web = urls.iter().filter(|url| matches!(url.scheme(), "http" | "https"));
    let mut lines: Vec<Line> = web.clone().flat_map(|url| drain(app, url, keys)).collect();
    let is_ours = |url: &Url| is_for_drain(url) && key_name(url, keys).is_some();
    if web.clone().any(is_ours) {
        return lines;
    }
    let add = format!("Add one: `heroku drains:add https://drain:KEY@HOST/drain -a {app}`");
    let no_drain = format!("{app}: no log drain delivers to this service");
    if memory_limit.is_none() {
        // A drain of which a line tells already may be meant for this service.
        if lines.is_empty() {
            lines.push(Line::good(format!("{no_drain}; alerts must come from elsewhere")));
        }
    } else if is_in_space {
        lines.push(Line::warn(format!("{no_drain}, unless its Private Space has one; MEMORY_LIMIT needs it"), add));
    } else {
        lines.push(Line::bad(format!("{no_drain}, so MEMORY_LIMIT has no effect"), add));
    }
    lines
}

fn drain(app: &AppName, url: &Url, keys: &Keys) -> Vec<Line> {
    let host = printable(url.host_str().unwrap_or_default(), LONGEST_HOST);
    let replace =
        format!("`heroku drains -a {app}` shows it. Remove it, and add https://drain:KEY@{host}/drain instead.");
    match (key_name(url, keys), is_for_drain(url)) {
        (Some(key), true) => {
            let text = format!("{app}: a log drain delivers to {host} with the key {key}");
            if url.scheme() == "https" || is_this_machine(url) {
                vec![Line::good(text)]
            } else {
                vec![Line::warn(format!("{text}, unencrypted: its URL begins with http://"), replace)]
            }
        }
        (Some(key), false) => vec![Line::bad(
            format!("{app}: a log drain to {host} has the key {key}, but its path is not /drain, so it is refused"),
            replace,
        )],
        (None, true) => vec![Line::warn(
            format!("{app}: a log drain to {host}/drain has no key of RESTART_WEBHOOK_KEY"),
            format!("If {host} is this service, it refuses the drain. {replace}"),
        )],
        (None, false) => Vec::new(),
    }
}

/// Whether the last part of its path is `drain`. A trailing slash does not matter to the service.
fn is_for_drain(url: &Url) -> bool {
    url.path_segments().and_then(|mut parts| parts.rfind(|part| !part.is_empty())) == Some("drain")
}

fn is_this_machine(url: &Url) -> bool {
    matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

/// The name of the key with which the service accepts the drain, or the key's place in `RESTART_WEBHOOK_KEY`.
fn key_name(url: &Url, keys: &Keys) -> Option<String> {
    match keys.check(&delivery(url)?) {
        Ok(Access::Key(authorized)) => Some(authorized.key().to_string()),
        _ => None,
    }
}

/// The head of a request that a drain with this URL makes.
fn delivery(url: &Url) -> Option<request::Parts> {
    let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decode(url.username()), decode(url.password().unwrap_or_default()));
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = Request::post(format!("{}{query}", url.path()));
    if !user.is_empty() || !password.is_empty() {
        let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
        request = request.header(AUTHORIZATION, format!("Basic {credentials}"));
    }
    Some(request.body(()).ok()?.into_parts().0)
}

/// Without the metrics, the log does not tell how much memory a dyno uses.
fn runtime_metrics(app: &AppName, kind: Option<&App>, features: &Result<Vec<Feature>, Error>) -> Line {
    if kind.is_some_and(|app| app.runtime == Runtime::Fir) {
        return Line::warn(
            format!("{app}: apps on Fir do not log the memory of their dynos, so MEMORY_LIMIT has no effect"),
            "Set MEMORY_LIMIT to off, or let another monitoring service send alerts.",
        );
    }
    let enable = format!(
        "Switch it on: `heroku labs:enable {RUNTIME_METRICS} -a {app}`. It begins for each dyno when that is restarted, at \
         the latest once a day by Heroku."
    );
    match features {
        Ok(features) if features.iter().any(|feature| feature.name == RUNTIME_METRICS && feature.is_enabled) => {
            Line::good(format!("{app}: {RUNTIME_METRICS} is on, as MEMORY_LIMIT needs it"))
        }
        Ok(_) => Line::bad(format!("{app}: {RUNTIME_METRICS} is off, so MEMORY_LIMIT has no effect"), enable),
        Err(error) => Line::untold(
            &format!("{app}: whether {RUNTIME_METRICS} is on, as MEMORY_LIMIT needs it"),
            error,
            &format!("See it with `heroku labs -a {app}`."),
        ),
    }
}
