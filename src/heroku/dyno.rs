//! A dyno as the list shows it. Only the fields that a restart needs are read, and leniently: Heroku may add fields and
//! states, older and newer generations omit some, and one invalid record must not hide the others.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DynoName, ProcessType};

/// Heroku restarts every dyno after 24 h and up to 216 min more
/// (<https://devcenter.heroku.com/articles/dyno-restarts>). An event before that was about another process.
pub const LONGEST_LIFE: Duration = Duration::from_secs((24 * 60 + 216) * 60);

/// One dyno of an app, at the moment of the listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dyno {
    /// A restart keeps it on Cedar, and may change it on Fir.
    pub name: DynoName,
    /// From the record, never from the name: Fir names cannot be split.
    pub process_type: ProcessType,
    /// Its size, such as `Standard-1X`, in Heroku's word.
    pub size: Option<String>,
    /// Its state.
    pub state: State,
    /// Identifies the instance: a restart brings a new one.
    pub id: Option<String>,
    /// When this instance was created.
    pub created_at: Option<Timestamp>,
    /// When the state changed last.
    pub updated_at: Option<Timestamp>,
    /// The version of the release that it runs: a deploy or a changed config var makes a new one.
    pub release: Option<u64>,
}

/// The state of a dyno. The schema names `crashed`, `down`, `idle`, `starting` and `up`; logs show others, so this type
/// accepts any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Its process runs; for a web dyno, it has bound its port.
    Up,
    /// Its process ended, or did not bind its port in time.
    Crashed,
    /// Any other state, in Heroku's word.
    Other(String),
}

impl Dyno {
    /// Whether this record shows a later instance than `older`, a record of the same name: it was created later or, if the
    /// times are equal or missing, it has another id.
    #[must_use]
    pub fn replaces(&self, older: &Self) -> bool {
        match (self.created_at, older.created_at) {
            (Some(ours), Some(theirs)) if ours != theirs => ours > theirs,
            _ => self.id.is_some() && older.id.is_some() && self.id != older.id,
        }
    }

    /// Whether this record of a dyno is more recent than `other`, a record of the same name. False if the times are missing.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        match (self.created_at, other.created_at) {
            (Some(ours), Some(others)) if ours != others => ours > others,
            (Some(_), Some(_)) => self.id == other.id && self.updated_at > other.updated_at,
            _ => false,
        }
    }

    /// Whether it runs a later release than `older`: a deploy replaced the instance.
    #[must_use]
    pub fn is_of_later_release(&self, older: &Self) -> bool {
        matches!((self.release, older.release), (Some(ours), Some(theirs)) if ours > theirs)
    }

    /// Whether it is `up`.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Reads one record. `None` without a valid name and type, or with an invalid time of creation: its age would be a
    /// guess.
    pub(super) fn from_record(record: Value) -> Option<Self> {
        let record: Record = serde_json::from_value(record).ok()?;
        let created_at = match record.created_at {
            None => None,
            Some(time) => Some(time.as_str()?.parse().ok()?),
        };
        let updated_at = record.updated_at.and_then(|time| time.as_str()?.parse().ok());
        let text = |value: Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            name: DynoName::parse(record.name.as_str()?)?,
            process_type: ProcessType::parse(&text(record.r#type)?)?,
            state: State::from(text(record.state).as_deref().unwrap_or_default()),
            size: text(record.size).filter(|size| is_size(size)),
            id: text(record.id),
            created_at,
            updated_at,
            release: record.release.and_then(|release| release.get("version")?.as_u64()),
        })
    }
}

/// Whether this can be the name of a size, such as `Private-L-RAM` or `dyno-2c-4gb`. Anything else is not worth showing.
fn is_size(text: &str) -> bool {
    (1..=30).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

impl From<&str> for State {
    fn from(word: &str) -> Self {
        match word {
            "up" => Self::Up,
            "crashed" => Self::Crashed,
            // Only a plain word is kept, because it is logged.
            other if other.len() <= 20 && other.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') => {
                Self::Other(if other.is_empty() { "in no known state" } else { other }.to_owned())
            }
            _ => Self::Other("in no known state".to_owned()),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Crashed => "crashed",
            Self::Other(word) => word,
        })
    }
}

/// The fields of a record, of any type.
#[derive(Deserialize)]
struct Record {
    name: Value,
    r#type: Option<Value>,
    size: Option<Value>,
    state: Option<Value>,
    id: Option<Value>,
    created_at: Option<Value>,
    updated_at: Option<Value>,
    release: Option<Value>,
}
