//! Parses the values of the variables. An error is a text that follows the name of the variable: "is not a port".

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroUsize};
use std::time::Duration;

use jiff::SignedDuration;
use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::SecretString;

use crate::drain::{MemoryLimit, Threshold};
use crate::http::listener::Listen;
use crate::logplex::{Code, MEGABYTE};
use crate::notify::WebhookUrl;
use crate::restart::{AppName, GiveUp, ProcessType};
use crate::store::DatabaseUrl;
use crate::telemetry::Format;
use crate::util::ordered::CollectOrdered;

/// Anybody who guesses the key can restart the dynos.
const SHORTEST_KEY: usize = 16;

/// A key of fewer different characters is repetitive. A random key of 16 hexadecimal digits nearly always has more.
const FEWEST_CHARACTERS: usize = 6;

/// A random key of 32 hexadecimal digits nearly never has fewer.
const FEW_CHARACTERS: usize = 9;

/// The words that people put into a key until they have a better one.
const GUESSED_WORDS: [&str; 4] = ["password", "secret", "changeme", "example"];

/// A name is one short word in the log.
const LONGEST_KEY_NAME: usize = 20;

/// Heroku restarts every dyno once a day, so with a longer `MIN_AGE` hardly any dyno would ever be old enough.
const LONGEST_MIN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// A longer wait is a mistake.
const LONGEST_DURATION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Booting dynos are polled every few seconds.
pub(super) const SHORTEST_BOOT: Duration = Duration::from_secs(5);

/// The shortest window of `GIVE_UP_AFTER`.
const SHORTEST_WINDOW: Duration = Duration::from_secs(60);

/// The shortest window of `TOLERANCE`. Heroku reports a dyno every 20 s.
const SHORTEST_TOLERANCE: Duration = Duration::from_secs(1);
const MOST_REPORTS: usize = 100;

/// The largest limit of memory, in percent or megabytes: no dyno has a terabyte.
const LARGEST_LIMIT: u64 = 1_000_000;

/// The process types of one-off dynos, which are not started again after a restart.
const ONE_OFF_TYPES: [&str; 3] = ["run", "release", "scheduler"];

pub(super) fn list<T: PartialEq>(text: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    let mut items = Vec::new();
    let is_one = !text.contains(',');
    for (at, item) in text.split(',').map(str::trim).enumerate() {
        let place = if is_one { String::new() } else { format!(" at entry {}", at + 1) };
        let item = match item {
            "" => return Err(format!("is invalid{place}: the entry is empty")),
            item => parse(item).map_err(|problem| format!("is invalid{place}: {problem}"))?,
        };
        if items.contains(&item) {
            return Err(format!("is invalid{place}: the entry is repeated"));
        }
        items.push(item);
    }
    Ok(items)
}

pub(super) fn token(text: &str) -> Result<SecretString, String> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("contains a character that no token contains, such as a space".to_owned());
    }
    Ok(SecretString::from(text))
}

pub(super) fn app(text: &str) -> Result<AppName, String> {
    AppName::parse(text)
        .ok_or_else(|| "the name of an app consists of lower-case letters, digits and dashes".to_owned())
}

/// The name of a key and the key: `KEY`, or `name:KEY`. A text whose part in front of the first colon is no name, or whose
/// part behind it is too short for a key, is a key as a whole.
pub(super) fn key(text: &str, is_token: impl Fn(&str) -> bool) -> Result<(Option<String>, String), String> {
    let is_name = |name: &str| {
        name.len() <= LONGEST_KEY_NAME
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(is_in_key_name)
    };
    let named = text.split_once(':').filter(|(name, key)| is_name(name) && key.len() >= SHORTEST_KEY);
    let (name, key) = named.map_or((None, text), |(name, key)| (Some(name.to_owned()), key));
    secret(key, is_token(key) || is_token(text)).map(|key| (name, key))
}

/// Keys that are different, and so are their names: the log must tell them apart.
pub(super) fn keys(text: &str, is_token: impl Fn(&str) -> bool) -> Result<Vec<(Option<String>, String)>, String> {
    let keys = list(text, |key| self::key(key, &is_token))?;
    for (at, (name, key)) in keys.iter().enumerate() {
        if keys[..at].iter().any(|(known_name, known)| known == key || (name.is_some() && known_name == name)) {
            return Err(format!("is invalid at entry {}: the key or its name is repeated", at + 1));
        }
    }
    Ok(keys)
}

fn is_in_key_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_')
}

fn secret(text: &str, is_the_token: bool) -> Result<String, String> {
    if is_the_token || text.starts_with("HRKU-") {
        return Err("a key appears in URLs and so in logs, so it must not be a Heroku token".to_owned());
    }
    if text.len() < SHORTEST_KEY {
        return Err(format!("a key has at least {SHORTEST_KEY} characters"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a key consists of printable ASCII characters without spaces".to_owned());
    }
    if is_repetitive(text) {
        return Err("a key must not repeat a few characters again and again".to_owned());
    }
    Ok(text.to_owned())
}

/// Whether the key consists of few different characters, or of one part again and again: anybody can guess it.
fn is_repetitive(key: &str) -> bool {
    let key = key.as_bytes();
    let repeats = |period: usize| key.iter().zip(&key[period..]).all(|(byte, later)| byte == later);
    different_bytes(key) < FEWEST_CHARACTERS || (1..=key.len() / 2).any(repeats)
}

/// Whether a key that is accepted is easier to guess than a random one, as far as it shows: it consists of digits or of few
/// characters, contains a word that everybody tries, or mostly counts (`0123`, `abcd`).
pub(super) fn is_weak(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    let bytes = key.as_bytes();
    let counts = bytes.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    bytes.iter().all(u8::is_ascii_digit)
        || different_bytes(bytes) < FEW_CHARACTERS
        || GUESSED_WORDS.iter().any(|word| lower.contains(word))
        || counts * 3 > bytes.len() * 2
}

fn different_bytes(key: &[u8]) -> usize {
    key.iter().collect_ordered::<BTreeSet<&u8>>().len()
}

pub(super) fn process_type(text: &str) -> Result<ProcessType, String> {
    if ONE_OFF_TYPES.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(format!("{text} dynos are one-off dynos, which are not started again after a restart"));
    }
    ProcessType::parse(text)
        .ok_or_else(|| "a process type consists of letters, digits, dashes and underscores".to_owned())
}

pub(super) fn listen(text: &str) -> Result<Listen, String> {
    let port = text.parse::<NonZeroU16>().map(|port| Listen::Everywhere(port.get()));
    let address = text.parse::<SocketAddr>().map(Listen::At);
    port.or(address).map_err(|_| "is not a port from 1 to 65535".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration: SignedDuration =
        text.parse().map_err(|_| "is not a duration with its unit (s, m or h)".to_owned())?;
    let duration = Duration::try_from(duration).map_err(|_| "is negative".to_owned())?;
    if duration > LONGEST_DURATION {
        return Err("is longer than 720h".to_owned());
    }
    Ok(duration)
}

pub(super) fn min_age(text: &str) -> Result<Duration, String> {
    let min_age = duration(text)?;
    if min_age > LONGEST_MIN_AGE {
        return Err("is longer than 24h, after which Heroku itself restarts every dyno".to_owned());
    }
    Ok(min_age)
}

/// A duration of at least `shortest`.
pub(super) fn time_span(text: &str, shortest: Duration) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < shortest {
        return Err(format!("is shorter than {shortest:?}"));
    }
    Ok(duration)
}

pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().ok().ok_or_else(|| "is not a whole number of at least 1".to_owned())
}

pub(super) fn give_up(text: &str) -> Result<GiveUp, String> {
    let (restarts, window) = rate(text, "restarts", SHORTEST_WINDOW)?;
    Ok(GiveUp { restarts, window })
}

pub(super) fn tolerance(text: &str) -> Result<Threshold, String> {
    let (reports, window) = rate(text, "reports", SHORTEST_TOLERANCE)?;
    if reports.get() > MOST_REPORTS {
        return Err(format!("has a count above {MOST_REPORTS}"));
    }
    Ok(Threshold { reports, window })
}

/// `COUNT in DURATION`.
fn rate(text: &str, what: &str, shortest: Duration) -> Result<(NonZeroUsize, Duration), String> {
    let (many, window) =
        text.split_once(" in ").ok_or_else(|| format!("is not a number of {what}, the word in, and a duration"))?;
    let count = count(many.trim()).map_err(|problem| format!("has a count that {problem}"))?;
    let window = time_span(window.trim(), shortest).map_err(|problem| format!("has a window that {problem}"))?;
    Ok((count, window))
}

pub(super) fn code(text: &str) -> Result<Code, String> {
    let code = Code::parse(text.as_bytes()).filter(|code| matches!(code.letter(), 'R' | 'H'));
    code.ok_or_else(|| "the code of an error is R or H and two digits".to_owned())
}

pub(super) fn memory_limit(text: &str) -> Result<Option<MemoryLimit>, String> {
    let number = |text: &str| text.trim().parse().ok().filter(|number| (1..=LARGEST_LIMIT).contains(number));
    if text == "off" {
        return Ok(None);
    }
    let percent = text.strip_suffix('%').and_then(number).map(MemoryLimit::Percent);
    let megabytes = text.strip_suffix("MB").and_then(number).map(|number| MemoryLimit::Bytes(number * MEGABYTE));
    percent.or(megabytes).map(Some).ok_or_else(|| "is neither off nor a whole number with % or MB".to_owned())
}

/// The token is sent to this URL, so it must be encrypted (`https`) or on this machine.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text)
        .ok()
        .filter(Url::has_host)
        .ok_or_else(|| "is not a URL that begins with https://".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains a user name or a password; put the token into RESTART_API_KEY".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("contains a query or a fragment".to_owned());
    }
    let is_this_machine = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_this_machine => Ok(url),
        _ => Err("would send the token unencrypted; it must begin with https://".to_owned()),
    }
}

/// What must not be shown of a URL: all of it, its password, and the path of the webhook of a chat, which is as good as a
/// password.
pub(super) fn secrets_of_url(text: String) -> Vec<String> {
    let secret = Url::parse(&text).ok().and_then(|url| match url.scheme() {
        "http" | "https" => Some(url.path().trim_matches('/').to_owned()),
        _ => Some(percent_decode_str(url.password()?).decode_utf8_lossy().into_owned()),
    });
    [text].into_iter().chain(secret).collect()
}

pub(super) fn database_url(text: &str) -> Result<Option<DatabaseUrl>, String> {
    if text.is_empty() { Ok(None) } else { DatabaseUrl::parse(text).map(Some) }
}

/// A webhook of a chat. Everybody who knows the URL can write there, but what is sent is no secret: `http` is allowed, for a
/// chat in the same network.
pub(super) fn notify_url(text: &str) -> Result<Option<WebhookUrl>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let is_web = |url: &Url| matches!(url.scheme(), "https" | "http") && url.has_host();
    let url = Url::parse(text).ok().filter(is_web).map(WebhookUrl::new);
    url.map(Some).ok_or_else(|| "is not a URL that begins with https:// or http://".to_owned())
}

pub(super) fn format(text: &str) -> Result<Format, String> {
    match text {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err("is neither text nor json".to_owned()),
    }
}
