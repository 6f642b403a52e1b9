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
use crate::heroku::{AppName, Error, Feature, Runtime};
use crate::http::auth::{Access, Keys};
use crate::http::params::{ParamError, parse_drain_app};
use crate::restart::Watched;
use crate::util::text::printable;

/// The feature that makes Heroku log the memory of each dyno.
const RUNTIME_METRICS: &str = "log-runtime-metrics";

/// The longest name of a host that is shown, in characters.
const LONGEST_HOST: usize = 253;

/// What this service takes from a drain.
pub(super) struct Service<'a> {
    pub(super) keys: &'a Keys,
    pub(super) apps: &'a [AppName],
    pub(super) memory_limit: Option<MemoryLimit>,
}

pub(super) fn lines(facts: &AppFacts, service: &Service<'_>) -> Vec<Line> {
    let app = &facts.name;
    if facts.app.as_ref().is_ok_and(|app| app.runtime == Runtime::Fir) {
        return vec![on_fir(app, service.memory_limit)];
    }
    let mut lines = match &facts.drains {
        Ok(urls) => drains(facts, urls, service),
        Err(error) => {
            let see = format!("See them with `heroku drains -a {app}`.");
            vec![Line::unchecked(&format!("{app}: which log drains it has"), error, &see)]
        }
    };
    if service.memory_limit.is_some() {
        lines.push(runtime_metrics(app, &facts.features));
    }
    lines
}

fn drains(facts: &AppFacts, urls: &[Url], service: &Service<'_>) -> Vec<Line> {
    let app = &facts.name;
    let web: Vec<_> = urls.iter().filter(|url| matches!(url.scheme(), "http" | "https")).collect();
    let mut lines: Vec<Line> = web.iter().filter_map(|url| drain(app, url, service)).collect();
    if web.iter().any(|url| is_for_drain(url) && key_name(url, service.keys).is_some()) {
        return lines;
    }
    let add = format!("Add one: `heroku drains:add {} -a {app}`", right_url("HOST", app, service.apps));
    let no_drain = format!("{app}: no log drain delivers to this service");
    if service.memory_limit.is_none() {
        // A drain that is on a line already may be meant for this service.
        if lines.is_empty() {
            lines.push(Line::good(format!("{no_drain}; alerts must come from elsewhere")));
        }
    } else if facts.app.as_ref().is_ok_and(|app| app.runtime == Runtime::PrivateSpace) {
        lines.push(Line::warn(format!("{no_drain}, unless its Private Space has one; MEMORY_LIMIT needs it"), add));
    } else {
        lines.push(Line::bad(format!("{no_drain}, so MEMORY_LIMIT has no effect"), add));
    }
    lines
}

/// `None` for a drain that has nothing to do with this service.
fn drain(app: &AppName, url: &Url, service: &Service<'_>) -> Option<Line> {
    let host = printable(url.host_str().unwrap_or_default(), LONGEST_HOST);
    let right = right_url(&host, app, service.apps);
    let replace = format!("`heroku drains -a {app}` shows it. Remove it, and add {right} instead.");
    let Some(key) = key_name(url, service.keys) else {
        let line = || {
            Line::warn(
                format!("{app}: a log drain to {host}/drain has no key of RESTART_WEBHOOK_KEY"),
                format!("If {host} is this service, it refuses the drain. {replace}"),
            )
        };
        return is_for_drain(url).then(line);
    };
    let with_key = format!("{app}: a log drain to {host} has the key {key}, but");
    Some(if !is_for_drain(url) {
        Line::bad(format!("{with_key} its path is not /drain, so it is refused"), replace)
    } else if let Some(problem) = wrong_parameter(url, app, service.apps) {
        Line::bad(format!("{with_key} {problem}"), replace)
    } else if url.scheme() == "http" && !is_this_machine(url) {
        Line::warn(format!("{with_key} sends it unencrypted: its URL begins with http://"), replace)
    } else {
        Line::good(format!("{app}: a log drain delivers to {host} with the key {key}"))
    })
}

/// What the URL of a drain of this app should be. The key is for the reader to fill in.
fn right_url(host: &str, app: &AppName, apps: &[AppName]) -> String {
    // In quotation marks for the shell.
    let query = if apps.len() > 1 { format!("?app={app}") } else { String::new() };
    format!("\"https://drain:KEY@{host}/drain{query}\"")
}

/// What is wrong with the query of a drain, by the rules of the service.
fn wrong_parameter(url: &Url, app: &AppName, apps: &[AppName]) -> Option<&'static str> {
    match parse_drain_app(url.query().unwrap_or_default(), &Watched::new(apps, &[])) {
        Ok(named) if named == *app => None,
        Ok(_) | Err(ParamError::UnknownApp(_)) => Some("its URL names another app"),
        Err(ParamError::NoApp(_)) => {
            Some("its URL does not say ?app=, and APP_NAME has several apps, so it is refused")
        }
        Err(_) => Some("its URL has a parameter that no drain takes, so it is refused"),
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

/// Fir has telemetry drains, which speak another protocol.
fn on_fir(app: &AppName, memory_limit: Option<MemoryLimit>) -> Line {
    let text = format!("{app}: apps on Fir have no log drains that this service can read");
    match memory_limit {
        None => Line::good(format!("{text}; alerts must come from elsewhere")),
        Some(_) => Line::warn(
            format!("{text}, so MEMORY_LIMIT has no effect"),
            "Set MEMORY_LIMIT to off, and let another monitoring service send alerts.",
        ),
    }
}

/// Without the metrics, the log does not tell how much memory a dyno uses.
fn runtime_metrics(app: &AppName, features: &Result<Vec<Feature>, Error>) -> Line {
    let enable = format!(
        "Switch it on: `heroku labs:enable {RUNTIME_METRICS} -a {app}`. It takes effect for each dyno at its next restart, at \
         the latest once a day by Heroku."
    );
    match features {
        Ok(features) if features.iter().any(|feature| feature.name == RUNTIME_METRICS && feature.is_enabled) => {
            Line::good(format!("{app}: {RUNTIME_METRICS} is on, as MEMORY_LIMIT needs it"))
        }
        Ok(_) => Line::bad(format!("{app}: {RUNTIME_METRICS} is off, so MEMORY_LIMIT has no effect"), enable),
        Err(error) => Line::unchecked(
            &format!("{app}: whether {RUNTIME_METRICS} is on, as MEMORY_LIMIT needs it"),
            error,
            &format!("See it with `heroku labs -a {app}`."),
        ),
    }
}
