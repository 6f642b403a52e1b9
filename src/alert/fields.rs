//! The rules: which field names mean what, and which values say that an alert asks for nothing. They come from what
//! monitoring services document about their webhooks; each word is there because some sender uses it. To add a sender,
//! add its words to a row.
//!
//! Names and values match as a whole, without regard to case and punctuation: `Re-Triggered` is `retriggered`, and
//! `startsAt` is `starts_at`. Nothing is searched for in a text: a log line may contain the word "resolved".

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// Why an alert asks for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inactive {
    /// The trouble has passed.
    Recovered,
    /// A person takes care of the trouble.
    Acknowledged,
    /// The sender tries out its webhook.
    Test,
    /// The message is about a deploy.
    Deploy,
    /// The message is about something else, such as a comment.
    NoAlert,
}

/// What a field means. Each kind has its row in [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FieldKind {
    Alerts,
    AlertType,
    App,
    ByDyno,
    Clear,
    Delivery,
    Deploy,
    Dyno,
    Events,
    Ignored,
    LeftOut,
    /// Nothing in particular. A text may still be a log line.
    Other,
    Rule,
    Sequence,
    Source,
    State,
    Tags,
    Test,
    Time,
    Title,
    Wrapper,
}

/// The names of fields: the last part of a path.
const NAMES: &[(FieldKind, &str)] = &[
    // The state of an alert, in one word. As an object, it contains the alert.
    (
        FieldKind::State,
        "status state action event event_type trigger trigger_type transition lifecycle message_type \
         notification_type alert_status alert_state alert_action alert_transition alert_type_friendly_name \
         current_state current_status new_state new_state_value incident_status incident_state",
    ),
    // The alert has recovered, unless the value is empty or false.
    (FieldKind::Clear, "clear"),
    // The state as a number or a word.
    (FieldKind::AlertType, "alert_type"),
    // A headline, which may begin with states in brackets.
    (FieldKind::Title, "title subject headline event_title alert_title incident_title issue_title"),
    (FieldKind::Rule, "alert_name rule_name"),
    (FieldKind::Test, "triggered_by_user_test is_test test"),
    // As an object, a deploy.
    (FieldKind::Deploy, "marker"),
    // Contains an alert, or a part of one.
    (FieldKind::Wrapper, "payload data attributes alert incident issue alarm anomaly check exception performance body"),
    // A list of alerts, each with its own state.
    (FieldKind::Alerts, "alerts incidents"),
    // How many alerts the list does not show.
    (FieldKind::LeftOut, "truncated_alerts"),
    // A list of events that the alert is about.
    (FieldKind::Events, "events recent_hits hits matches rows"),
    (FieldKind::Dyno, "dyno dynos dyno_name"),
    // A dyno, or anything else.
    (FieldKind::Source, "program source process procid ps entity impacted_entities"),
    // An object whose field names are sources.
    (FieldKind::ByDyno, "violations"),
    // `dyno:web.1,app:shop`.
    (FieldKind::Tags, "tags scope host_tags event_tags"),
    (FieldKind::App, "app app_name application heroku_app source_name"),
    (
        FieldKind::Time,
        "t time timestamp date datetime event_time alert_timestamp alert_date_time trigger_time trigger_time_end \
         received_at generated_at recorded_at starts_at started_at fired_at occurred_at triggered_at activated_at \
         down_at last_updated",
    ),
    // Identifies a delivery. Numbers do so together.
    (FieldKind::Delivery, "delivery_id message_id"),
    (FieldKind::Sequence, "s sequence min_id max_id"),
    // Not about this alert: other lines of the log, searches, links.
    (FieldKind::Ignored, "context query saved_search search url monitor_alert_contacts ends_at resolved_at"),
];

/// A field whose name ends like this is ignored as a link, unless the name is in the table.
const LINK_ENDINGS: [&str; 3] = ["url", "uri", "link"];

/// The values of fields of one kind that say that an alert asks for nothing.
const VALUES: &[(FieldKind, Inactive, &str)] = &[
    (
        FieldKind::State,
        Inactive::Recovered,
        "resolved resolve recovered recover recovery closed close ok okay normal up end ended cleared clear fixed \
         healthy inactive back_to_normal check_in_reporting resolved_critical resolved_warning resolved_missing_data",
    ),
    (FieldKind::State, Inactive::Acknowledged, "acknowledged acknowledge acknowledgement acknowledgment acked ack"),
    (FieldKind::State, Inactive::Test, "test ping test_notification test_alert"),
    (FieldKind::State, Inactive::Deploy, "deployed deploy deployment"),
    (
        FieldKind::State,
        Inactive::NoAlert,
        "commented comment assigned assign unassigned snoozed muted ignored archived annotated note_added \
         cert_will_expire",
    ),
    // 1 is down, 2 is up, 3 is about a certificate. The words of a state count too.
    (FieldKind::AlertType, Inactive::Recovered, "2 success"),
    (FieldKind::AlertType, Inactive::NoAlert, "3"),
    // Only a few, for `[test]` may be the name of a stage, and `[closed]` of anything.
    (FieldKind::Title, Inactive::Recovered, "resolved recovered recovery ok"),
    (FieldKind::Title, Inactive::Acknowledged, "acknowledged"),
    (FieldKind::Rule, Inactive::Test, "test_alert test_notification"),
    (FieldKind::Test, Inactive::Test, "true"),
];

/// What may precede the value of a state: `incident.resolved`, `ISSUE_CLOSED`, `alarm_ok`, `check.up`.
const SUBJECTS: [&str; 7] = ["incident", "issue", "alert", "alarm", "monitor", "check", "event"];

/// Headers that identify a delivery, so that a repeated one is recognised. Only the sender's own: what a router adds
/// differs each time.
const DELIVERY_HEADERS: &[&str] =
    &["idempotency-key", "request-id", "webhook-id", "x-delivery-id", "x-honeycomb-webhook-delivery-id", "x-le-nonce"];

/// The values of headers that say that an alert asks for nothing.
const HEADER_VALUES: &[(&str, &str, Inactive)] = &[
    ("x-rapid7-event", "test", Inactive::Test),
    ("sentry-hook-resource", "installation", Inactive::NoAlert),
    ("sentry-hook-resource", "comment", Inactive::NoAlert),
];

static KINDS: LazyLock<HashMap<Word, FieldKind>> =
    LazyLock::new(|| NAMES.iter().flat_map(|(kind, names)| words(names).map(|name| (name, *kind))).collect());

static INACTIVE: LazyLock<HashMap<(FieldKind, Word), Inactive>> = LazyLock::new(|| {
    let rows = VALUES.iter();
    rows.flat_map(|(kind, reason, values)| words(values).map(|value| ((*kind, value), *reason))).collect()
});

fn words(row: &str) -> impl Iterator<Item = Word> {
    row.split_whitespace().filter_map(Word::of)
}

impl FieldKind {
    /// The kind of a field with this name.
    pub(super) fn of(name: &str) -> Self {
        let Some(name) = Word::of(name) else { return Self::Other };
        let is_link = || LINK_ENDINGS.iter().any(|ending| name.as_str().ends_with(ending));
        KINDS.get(&name).copied().unwrap_or_else(|| if is_link() { Self::Ignored } else { Self::Other })
    }

    /// Whether a number means something in such a field.
    pub(super) fn takes_numbers(self) -> bool {
        matches!(self, Self::Time | Self::AlertType | Self::Sequence | Self::LeftOut)
    }
}

impl Inactive {
    /// What a field of this kind says with this value.
    pub(super) fn of_field(kind: FieldKind, value: &str) -> Option<Self> {
        match kind {
            FieldKind::State => Self::of_state(value),
            FieldKind::AlertType => Self::of_value(kind, value).or_else(|| Self::of_state(value)),
            FieldKind::Clear => (!matches!(value.trim(), "" | "false")).then_some(Self::Recovered),
            FieldKind::Title => in_brackets(value).find_map(|word| Self::of_value(kind, word)),
            FieldKind::Rule | FieldKind::Test => Self::of_value(kind, value),
            _ => None,
        }
    }

    fn of_value(kind: FieldKind, value: &str) -> Option<Self> {
        INACTIVE.get(&(kind, Word::of(value)?)).copied()
    }

    fn of_state(value: &str) -> Option<Self> {
        let word = Word::of(value)?;
        let without_subject = || SUBJECTS.iter().find_map(|subject| word.as_str().strip_prefix(subject));
        Self::of_value(FieldKind::State, word.as_str()).or_else(|| Self::of_value(FieldKind::State, without_subject()?))
    }

    /// What the headers say.
    pub(super) fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let of_header = |(name, value): (&HeaderName, &HeaderValue)| {
            let says = |row: &str, word: &str| name == row && value.as_bytes().eq_ignore_ascii_case(word.as_bytes());
            HEADER_VALUES.iter().find(|(name, value, _)| says(name, value)).map(|(_, _, reason)| *reason)
        };
        headers.iter().find_map(of_header)
    }
}

/// The first words of the brackets in front of a title: `[RESOLVED:1] ...`, `[Recovered on host] ...`,
/// `[TEST] [Recovered] ...`.
fn in_brackets(title: &str) -> impl Iterator<Item = &str> {
    let mut rest = title;
    std::iter::from_fn(move || {
        let (inside, after) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
        rest = after;
        inside.split([':', ' ']).next()
    })
}

/// What identifies the delivery by its headers.
pub(super) fn deliveries(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let ids = headers.iter().filter(|(name, _)| DELIVERY_HEADERS.contains(&name.as_str()));
    ids.filter_map(|(name, value)| Some(format!("{name}/{}", value.to_str().ok()?)))
}

/// A name or a value as the rules compare it: only letters and digits, in lower case, padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word {
    bytes: [u8; Word::MAX_LEN],
    len: usize,
}

impl Word {
    /// No word of the rules is longer.
    const MAX_LEN: usize = 24;

    /// `None` for an empty text, one longer than any word, and one with other characters.
    fn of(text: &str) -> Option<Self> {
        let mut word = Self { bytes: [0; Self::MAX_LEN], len: 0 };
        for byte in text.trim().bytes() {
            match byte {
                b'_' | b'-' | b'.' | b' ' => {}
                _ if byte.is_ascii_alphanumeric() => {
                    *word.bytes.get_mut(word.len)? = byte.to_ascii_lowercase();
                    word.len += 1;
                }
                _ => return None,
            }
        }
        (word.len > 0).then_some(word)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

impl fmt::Display for Inactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovered => "the alert has recovered",
            Self::Acknowledged => "the alert has been acknowledged",
            Self::Test => "the alert is a test",
            Self::Deploy => "the message is about a deploy",
            Self::NoAlert => "the message is not an alert",
        })
    }
}
