//! The names of apps, dynos and process types. They are checked once, so a value of these types is safe in a request path
//! and in a log line.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of an app, such as `shop`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct AppName(String);

/// So that an app is found by its name in a map.
impl Borrow<str> for AppName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// The name of a dyno: `web.1` on Cedar, `web-12a34bcd56-7efgh` on Fir.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct DynoName(String);

/// The name of a process type, such as `web`: the left side of a line in a Procfile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProcessType(String);

impl AppName {
    /// `None` for an invalid name. The rule is the API schema's: `^[a-z][a-z0-9-]{1,28}[a-z0-9]$`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lower_or_digit = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let well_formed = (3..=30).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(|byte| lower_or_digit(byte) || byte == b'-')
            && !text.ends_with('-');
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The name as Heroku writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl ProcessType {
    /// `None` for an invalid name. The rule is the API schema's: `^[-\w]{1,128}$`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        is_word(text).then(|| Self(text.to_owned()))
    }

    /// The name as Heroku writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl DynoName {
    /// `None` for an invalid name. Valid are `TYPE.N`, and the two forms seen on Fir, `TYPE-12a34bcd56-7efgh` and
    /// `TYPE.4ed720fa31-ur8z1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = match text.split_once('.') {
            Some((process_type, suffix)) if suffix.bytes().all(|byte| byte.is_ascii_digit()) => {
                is_word(process_type) && (1..=9).contains(&suffix.len()) && !suffix.starts_with('0')
            }
            Some((process_type, suffix)) => is_word(process_type) && is_fir_suffix(suffix),
            None => text.match_indices('-').any(|(at, _)| at > 0 && is_word(text) && is_fir_suffix(&text[at + 1..])),
        };
        well_formed.then(|| Self(text.to_owned()))
    }

    /// The name as Heroku writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number in Cedar's form `TYPE.N`. Dynos are numbered from 1 to the quantity of their type.
    #[must_use]
    pub fn number(&self) -> Option<usize> {
        self.0.rsplit_once('.')?.1.parse().ok()
    }

    /// Whether it has Cedar's form `TYPE.N`.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.number().is_some()
    }

    /// Whether it can be the name of a dyno of this type. On Cedar the name decides; on Fir several types may fit.
    #[must_use]
    pub fn may_be_of(&self, process_type: &ProcessType) -> bool {
        let suffix = self.0.strip_prefix(process_type.as_str()).unwrap_or_default();
        suffix.starts_with('.') || (suffix.starts_with('-') && !self.is_numbered())
    }

    /// The sort key: `web.2` comes before `web.10`.
    fn order(&self) -> (&str, u32, &str) {
        let (process_type, suffix) = self.0.split_once('.').unwrap_or((&self.0, ""));
        (process_type, suffix.parse().unwrap_or(u32::MAX), suffix)
    }
}

impl Ord for DynoName {
    // It is in many maps and sorts. With a copy in each, the binary would be larger by 100 kB and more.
    #[inline(never)]
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let (own, others) = (self.0.as_bytes(), other.0.as_bytes());
        if own.len() == others.len() {
            let first_difference = own.iter().zip(others).position(|(own, other)| own != other);
            let Some(at) = first_difference else { return std::cmp::Ordering::Equal };
            // Of one type, such as `web.1` and `web.2`. A log names the same few dynos again and again.
            if let Some(dot) = own[..at].iter().position(|byte| *byte == b'.')
                && own[dot + 1..].iter().chain(&others[at..]).all(u8::is_ascii_digit)
            {
                return own[at].cmp(&others[at]);
            }
        }
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for DynoName {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl TryFrom<String> for AppName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("invalid app name")
    }
}

impl TryFrom<String> for DynoName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("invalid dyno name")
    }
}

impl TryFrom<String> for ProcessType {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("invalid process type")
    }
}

fn is_word(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// `12a34bcd56-7efgh`: two groups of lower-case letters and digits, the second with five characters.
fn is_fir_suffix(text: &str) -> bool {
    let run =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.split_once('-').is_some_and(|(release, dyno)| run(release) && run(dyno) && dyno.len() == 5)
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for DynoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ProcessType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
