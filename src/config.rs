//! The environment, read once. This is the only place that knows the names of the variables; they stand here, in
//! `.env.example` and in the README in the same order.
//!
//! All faults are reported at once, and no value is ever shown: somebody may have put a secret into the wrong variable.

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use jiff::SignedDuration;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;

use crate::auth::Keys;
use crate::connections::Listen;
use crate::drain::{self, MEGABYTE, MemoryLimit};
use crate::heroku;
use crate::logplex::{Code, Codes};
use crate::restart::{AppName, GiveUp, Policy, ProcessType};
use crate::telemetry;
use crate::trouble::Tolerance;

/// A key that can be guessed lets anybody restart the dynos.
const SHORTEST_KEY: usize = 16;

/// Longer waits than this are mistakes.
const LONGEST_DURATION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Dynos that boot are looked at every few seconds.
const SHORTEST_BOOT: Duration = Duration::from_secs(5);
const SHORTEST_WINDOW: Duration = Duration::from_secs(60);

/// What is reported comes every 20 s.
const SHORTEST_TOLERANCE: Duration = Duration::from_secs(1);
const MOST_REPORTS: usize = 100;

/// Of memory, in percent or megabytes: no dyno has a terabyte.
const LARGEST_LIMIT: u64 = 1_000_000;

/// One-off dynos, which a restart would end for good.
const ONE_OFF_TYPES: [&str; 3] = ["run", "release", "scheduler"];

/// The settings of each part.
#[derive(Debug)]
pub struct Config {
    /// How to reach Heroku.
    pub heroku: heroku::Settings,
    /// The apps whose dynos are restarted.
    pub apps: Vec<AppName>,
    /// Who may ask for it.
    pub keys: Keys,
    /// Where to listen.
    pub listen: Listen,
    /// How carefully to restart.
    pub policy: Policy,
    /// What counts as trouble in a log drain.
    pub drain: drain::Settings,
    /// What to log, and how.
    pub log: telemetry::Settings,
}

/// Everything that is wrong with the environment.
#[derive(Debug, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

#[derive(Debug, PartialEq, Eq)]
struct Fault {
    variable: &'static str,
    problem: String,
    example: &'static str,
}

impl Config {
    /// Reads the environment through `lookup`, which gives the value of a variable. An empty one counts as not set.
    ///
    /// # Errors
    /// When anything is wrong: all of it.
    pub fn from_lookup(lookup: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, Faults> {
        let mut env = Environment { lookup, faults: Vec::new() };

        let token = env.required("RESTART_API_KEY", "HRKU-01234567-89ab-cdef-0123-456789abcdef", parse_token);
        let apps = env.required("APP_NAME", "shop", |text| parse_list(text, parse_app));
        let is_token = |key: &str| token.as_ref().is_some_and(|token: &SecretString| token.expose_secret() == key);
        let keys = env.required("RESTART_WEBHOOK_KEY", "the output of `openssl rand -hex 32`", |text| {
            parse_list(text, |key| parse_key(key, is_token(key))).map(Keys::new)
        });
        let listen = env.optional("PORT", "3000", "3000", parse_listen);
        let process_types = env.optional("PROCESS_TYPES", "web", "web,worker", |text| parse_list(text, parse_type));
        let min_age = env.optional("MIN_AGE", "5m", "5m", parse_duration);
        let boot_timeout = env.optional("BOOT_TIMEOUT", "2m", "2m", |text| parse_time_span(text, SHORTEST_BOOT));
        let settle_time = env.optional("SETTLE_TIME", "0s", "30s", parse_duration);
        let max_unavailable = env.optional("MAX_UNAVAILABLE", "1", "1", parse_count);
        let give_up_after = env.optional("GIVE_UP_AFTER", "3 in 1h", "3 in 1h", parse_give_up);
        let errors = env.optional("ERRORS", "R14,R15", "R14,R15,H12", |text| parse_list(text, parse_code));
        let tolerance = env.optional("TOLERANCE", "3 in 2m", "3 in 2m", parse_tolerance);
        let memory_limit = env.optional("MEMORY_LIMIT", "off", "90% or 480MB", parse_memory_limit);
        let api_url = env.optional("HEROKU_API_URL", "https://api.heroku.com", "https://api.heroku.com", parse_url);
        let format = env.optional("LOG_FORMAT", "text", "json", parse_format);
        let filter = env.optional("RUST_LOG", "info", "info,dyno_restarter=debug", |text| {
            EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|_| "is not a filter".to_owned())
        });

        let faults = Faults(env.faults);
        let config = || {
            Some(Self {
                heroku: heroku::Settings { api_url: api_url?, token: token? },
                apps: apps?,
                keys: keys?,
                listen: listen?,
                policy: Policy {
                    process_types: process_types?,
                    min_age: min_age?,
                    boot_timeout: boot_timeout?,
                    settle_time: settle_time?,
                    max_unavailable: max_unavailable?,
                    give_up_after: give_up_after?,
                },
                drain: drain::Settings {
                    errors: Codes::from_iter(errors?),
                    tolerance: tolerance?,
                    memory_limit: memory_limit?,
                },
                log: telemetry::Settings { format: format?, filter: filter? },
            })
        };
        config().filter(|_| faults.0.is_empty()).ok_or(faults)
    }
}

impl std::error::Error for Faults {}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults = if self.0.len() == 1 { "this fault" } else { "these faults" };
        write!(f, "dyno-restarter cannot start: its environment has {faults}:")?;
        for Fault { variable, problem, example } in &self.0 {
            write!(f, "\n  {variable} {problem}. Right is, for example: {example}")?;
        }
        Ok(())
    }
}

/// The variables, and what was found wrong with them so far.
struct Environment<L> {
    lookup: L,
    faults: Vec<Fault>,
}

impl<L: Fn(&'static str) -> Option<OsString>> Environment<L> {
    fn required<T>(
        &mut self,
        variable: &'static str,
        example: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = self.text(variable).and_then(|text| match text.as_deref() {
            None => Err("is not set".to_owned()),
            Some(text) => parse(text),
        });
        self.or_fault(parsed, variable, example)
    }

    fn optional<T>(
        &mut self,
        variable: &'static str,
        default: &str,
        example: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let parsed = self.text(variable).and_then(|text| parse(text.as_deref().unwrap_or(default)));
        self.or_fault(parsed, variable, example)
    }

    fn text(&self, variable: &'static str) -> Result<Option<String>, String> {
        let value = (self.lookup)(variable).map(OsString::into_string).transpose();
        let text = value.map_err(|_| "is not UTF-8 text".to_owned())?;
        if text.as_deref().is_some_and(|text| text.trim().starts_with(['"', '\''])) {
            return Err(
                "begins with a quotation mark, which would be part of it; leave the quotation marks out".to_owned()
            );
        }
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn or_fault<T>(&mut self, parsed: Result<T, String>, variable: &'static str, example: &'static str) -> Option<T> {
        parsed.map_err(|problem| self.faults.push(Fault { variable, problem, example })).ok()
    }
}

fn parse_list<T: PartialEq>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    let is_one = !text.contains(',');
    for (at, item) in text.split(',').map(str::trim).enumerate() {
        let place = if is_one { String::new() } else { format!(" at place {}", at + 1) };
        let item = match item {
            "" => return Err(format!("is wrong{place}: there is nothing")),
            item => parse(item).map_err(|problem| format!("is wrong{place}: {problem}"))?,
        };
        if items.contains(&item) {
            return Err(format!("is wrong{place}: the same stands before"));
        }
        items.push(item);
    }
    Ok(items)
}

fn parse_token(text: &str) -> Result<SecretString, String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has a character that no token has, such as a space in the middle".to_owned());
    }
    Ok(SecretString::from(text))
}

fn parse_app(text: &str) -> Result<AppName, String> {
    AppName::parse(text).ok_or_else(|| "an app's name is of lower-case letters, digits and dashes".to_owned())
}

fn parse_key(text: &str, is_the_token: bool) -> Result<String, String> {
    if is_the_token || text.starts_with("HRKU-") {
        return Err("a key goes into URLs and so into logs; it must not be a Heroku token".to_owned());
    }
    if text.len() < SHORTEST_KEY {
        return Err(format!("a key has at least {SHORTEST_KEY} characters"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a key has no spaces and no characters beyond ASCII".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_type(text: &str) -> Result<ProcessType, String> {
    if ONE_OFF_TYPES.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!("{text} dynos are one-off, a restart would end them for good"));
    }
    ProcessType::parse(text).ok_or_else(|| "a process type is of letters, digits, dashes and underscores".to_owned())
}

fn parse_listen(text: &str) -> Result<Listen, String> {
    let port = text.parse().map(Listen::Everywhere);
    let address = text.parse::<SocketAddr>().map(Listen::At);
    port.or(address).map_err(|_| "is not a port from 1 to 65535".to_owned())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration = text.parse().map_err(|_| "is not a time with its unit (s, m or h)".to_owned())?;
    let duration = Duration::try_from(duration).map_err(|_| "is negative".to_owned())?;
    if duration > LONGEST_DURATION {
        return Err("is longer than 720h".to_owned());
    }
    Ok(duration)
}

/// A duration of at least so long: less would be over before the first look.
fn parse_time_span(text: &str, shortest: Duration) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if duration < shortest {
        return Err(format!("is shorter than {shortest:?}"));
    }
    Ok(duration)
}

fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "is not a whole number from 1 up".to_owned())
}

fn parse_give_up(text: &str) -> Result<GiveUp, String> {
    let (restarts, window) = parse_rate(text, "restarts", SHORTEST_WINDOW)?;
    Ok(GiveUp { restarts, window })
}

fn parse_tolerance(text: &str) -> Result<Tolerance, String> {
    let (reports, window) = parse_rate(text, "reports", SHORTEST_TOLERANCE)?;
    if reports > MOST_REPORTS {
        return Err(format!("has a count above {MOST_REPORTS}"));
    }
    Ok(Tolerance { reports, window })
}

/// So many of something in so long.
fn parse_rate(text: &str, what: &str, shortest: Duration) -> Result<(usize, Duration), String> {
    let (count, window) = text.split_once(" in ").ok_or_else(|| format!("does not say how many {what} in how long"))?;
    let count = parse_count(count.trim()).map_err(|problem| format!("has a count that {problem}"))?;
    let window = parse_time_span(window.trim(), shortest).map_err(|problem| format!("has a window that {problem}"))?;
    Ok((count, window))
}

fn parse_code(text: &str) -> Result<Code, String> {
    let code = Code::parse(text.as_bytes()).filter(|code| matches!(code.letter(), 'R' | 'H'));
    code.ok_or_else(|| "an error of a dyno is R and two digits, one of the router H and two digits".to_owned())
}

fn parse_memory_limit(text: &str) -> Result<Option<MemoryLimit>, String> {
    let number = |text: &str| text.trim().parse().ok().filter(|number| (1..=LARGEST_LIMIT).contains(number));
    if text == "off" {
        return Ok(None);
    }
    let percent = text.strip_suffix('%').and_then(number).map(MemoryLimit::Percent);
    let megabytes = text.strip_suffix("MB").and_then(number).map(|number| MemoryLimit::Bytes(number * MEGABYTE));
    percent.or(megabytes).map(Some).ok_or_else(|| "is neither off nor a whole number with % or MB".to_owned())
}

/// The token goes there, so it must be a safe place: `https`, or this machine.
fn parse_url(text: &str) -> Result<Url, String> {
    let url =
        Url::parse(text).ok().filter(Url::has_host).ok_or_else(|| "is not a URL with https:// in front".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user or a password in it; the token goes into RESTART_API_KEY".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment in it".to_owned());
    }
    let is_this_machine = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine => Ok(url),
        _ => Err("would send the token unencrypted: it must begin with https://".to_owned()),
    }
}

fn parse_format(text: &str) -> Result<telemetry::Format, String> {
    match text {
        "text" => Ok(telemetry::Format::Text),
        "json" => Ok(telemetry::Format::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}
