//! The rules: which fields mean what, and which of their values say that there is nothing to do. They were collected from
//! what monitoring services document of their webhooks; each word is there because somebody sends it.
//!
//! Names and words are compared without regard to case, dashes and the like, so that `Re-Triggered` is `retriggered` and
//! `startsAt` is `starts_at`; always as a whole, never as a part of some text: a log line may contain the word "resolved".

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName};

/// Why there is nothing to do about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// What was wrong is not any more.
    Recovered,
    /// A person sees to it already.
    Acknowledged,
    /// It was sent to see whether it arrives.
    Test,
    /// It tells of a deploy.
    Deploy,
    /// It tells of something else, such as a comment.
    NoAlert,
}

/// What a field means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing of its own; a text may still be a log line.
    Nothing,
    /// Whether something is wrong, in one word.
    State,
    /// The same, where any value says that it has passed.
    Clear,
    /// The same in numbers.
    AlertType,
    /// A headline, which may begin with a state in brackets.
    Title,
    /// The name of the rule that fired.
    Rule,
    /// True for a test.
    Test,
    /// There for a deploy.
    Deploy,
    /// Holds the alert, or a part of it.
    Wrapper,
    /// Holds several alerts, each with a state of its own.
    Alerts,
    /// How many alerts are left out.
    LeftOut,
    /// Holds several events that the alert is about.
    Events,
    /// A dyno, or a list of them.
    Dyno,
    /// Where it comes from: a dyno, or something else altogether.
    Source,
    /// Its fields are named by dynos.
    ByDyno,
    /// Tags: `dyno:web.1,app:shop`.
    Tags,
    /// An app.
    App,
    /// When it happened.
    Time,
    /// Makes the delivery unique.
    Delivery,
    /// Does so together with others, in numbers.
    Sequence,
    /// What stands there is not said of this alert: other lines of the log, searches, links.
    NotAboutIt,
}

/// The names of fields, by what they mean.
const FIELDS: &[(Meaning, &str)] = &[
    (
        Meaning::State,
        "status state action event event_type trigger trigger_type transition lifecycle message_type \
         notification_type alert_status alert_state alert_action alert_transition alert_type_friendly_name \
         current_state current_status new_state new_state_value incident_status incident_state",
    ),
    (Meaning::Clear, "clear"),
    (Meaning::AlertType, "alert_type"),
    (Meaning::Title, "title subject headline event_title alert_title incident_title issue_title"),
    (Meaning::Rule, "alert_name rule_name"),
    (Meaning::Test, "triggered_by_user_test is_test test"),
    (Meaning::Deploy, "marker"),
    (Meaning::Wrapper, "payload data attributes alert incident issue alarm anomaly check exception performance body"),
    (Meaning::Alerts, "alerts incidents"),
    (Meaning::LeftOut, "truncated_alerts"),
    (Meaning::Events, "events recent_hits hits matches rows"),
    (Meaning::Dyno, "dyno dynos dyno_name"),
    (Meaning::Source, "program source process procid ps entity impacted_entities"),
    (Meaning::ByDyno, "violations"),
    (Meaning::Tags, "tags scope host_tags event_tags"),
    (Meaning::App, "app app_name application heroku_app source_name"),
    (
        Meaning::Time,
        "t time timestamp date datetime event_time alert_timestamp alert_date_time trigger_time trigger_time_end \
         received_at generated_at recorded_at starts_at started_at fired_at occurred_at triggered_at activated_at \
         down_at last_updated",
    ),
    (Meaning::Delivery, "delivery_id message_id"),
    (Meaning::Sequence, "s sequence min_id max_id"),
    (Meaning::NotAboutIt, "context query saved_search search url monitor_alert_contacts ends_at resolved_at"),
];

/// The words that say that there is nothing to do.
const WORDS: &[(Over, &str)] = &[
    (
        Over::Recovered,
        "resolved resolve recovered recover recovery closed close ok okay normal up end ended cleared clear fixed \
         healthy inactive back_to_normal check_in_reporting resolved_critical resolved_warning resolved_missing_data",
    ),
    (Over::Acknowledged, "acknowledged acknowledge acknowledgement acknowledgment acked ack"),
    (Over::Test, "test ping test_notification test_alert"),
    (Over::Deploy, "deployed deploy deployment"),
    (
        Over::NoAlert,
        "commented comment assigned assign unassigned snoozed muted ignored archived annotated note_added \
         cert_will_expire",
    ),
];

/// Those that count in brackets in front of a title. `[test]` may well be the name of a stage, `[closed]` of anything.
const TITLE_WORDS: &str = "resolved recovered recovery ok acknowledged";

/// What may stand in front of a word: `incident.resolved`, `ISSUE_CLOSED`, `alarm_ok`, `check.up`.
const SUBJECTS: &[&str] = &["incident", "issue", "alert", "alarm", "monitor", "check", "event"];

/// Rules that exist only to try out a webhook.
const TEST_RULES: &[&str] = &["testalert", "testnotification"];

/// Headers by which a delivery that is repeated is known again. The sender's own, that is: what a router in between adds
/// is new each time.
static DELIVERY_HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("webhook-id"),
    HeaderName::from_static("x-le-nonce"),
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-honeycomb-webhook-delivery-id"),
    HeaderName::from_static("x-delivery-id"),
    HeaderName::from_static("idempotency-key"),
];

/// Headers that say what a message is, with the values that are no alerts.
static KIND_HEADERS: [(HeaderName, &[(&str, Over)]); 2] = [
    (HeaderName::from_static("x-rapid7-event"), &[("test", Over::Test)]),
    (HeaderName::from_static("sentry-hook-resource"), &[("installation", Over::NoAlert), ("comment", Over::NoAlert)]),
];

static MEANINGS: LazyLock<HashMap<Word, Meaning>> = LazyLock::new(|| by_word(FIELDS));
static OVERS: LazyLock<HashMap<Word, Over>> = LazyLock::new(|| by_word(WORDS));

fn by_word<T: Copy>(table: &[(T, &str)]) -> HashMap<Word, T> {
    let pairs = table.iter().flat_map(|(value, words)| words.split_whitespace().map(|word| (Word::of(word), *value)));
    pairs.filter_map(|(word, value)| Some((word?, value))).collect()
}

impl Meaning {
    /// Of the field of this name.
    pub(super) fn of(name: &str) -> Self {
        let Some(word) = Word::of(name) else { return Self::Nothing };
        let is_link = || ["url", "uri", "link"].iter().any(|ending| word.as_str().ends_with(ending));
        MEANINGS.get(&word).copied().unwrap_or_else(|| if is_link() { Self::NotAboutIt } else { Self::Nothing })
    }
}

impl Over {
    /// What one word in a field of this meaning says.
    pub(super) fn said(meaning: Meaning, value: &str) -> Option<Self> {
        match meaning {
            Meaning::State => Self::of_word(value),
            Meaning::Clear => (!matches!(value.trim(), "" | "false")).then_some(Self::Recovered),
            // 1 is down, 2 is up, 3 is about a certificate.
            Meaning::AlertType => match value.trim() {
                "2" => Some(Self::Recovered),
                "3" => Some(Self::NoAlert),
                word if word.eq_ignore_ascii_case("success") => Some(Self::Recovered),
                word => Self::of_word(word),
            },
            Meaning::Title => in_brackets(value).find_map(|word| {
                let word = Word::of(word)?;
                let is_meant = TITLE_WORDS.split(' ').any(|meant| meant == word.as_str());
                OVERS.get(&word).copied().filter(|_| is_meant)
            }),
            Meaning::Rule => {
                Word::of(value).is_some_and(|word| TEST_RULES.contains(&word.as_str())).then_some(Self::Test)
            }
            Meaning::Test => value.trim().eq_ignore_ascii_case("true").then_some(Self::Test),
            _ => None,
        }
    }

    /// What the headers say.
    pub(super) fn in_headers(headers: &HeaderMap) -> Option<Self> {
        KIND_HEADERS.iter().find_map(|(name, words)| {
            let kind = headers.get(name)?;
            words.iter().find(|(word, _)| kind.as_bytes().eq_ignore_ascii_case(word.as_bytes())).map(|(_, over)| *over)
        })
    }

    fn of_word(value: &str) -> Option<Self> {
        let word = Word::of(value)?;
        let bare = || SUBJECTS.iter().find_map(|subject| Word::of(word.as_str().strip_prefix(subject)?));
        OVERS.get(&word).or_else(|| OVERS.get(&bare()?)).copied()
    }
}

/// `[RESOLVED:1] ...`, `[Recovered on host] ...` and `[TEST] [Recovered] ...` begin with words in brackets.
fn in_brackets(title: &str) -> impl Iterator<Item = &str> {
    let mut rest = title;
    std::iter::from_fn(move || {
        let (inside, after) = rest.trim_start().strip_prefix('[')?.split_once(']')?;
        rest = after;
        inside.split([':', ' ']).next()
    })
}

/// What makes the delivery unique by its headers.
pub(super) fn deliveries(headers: &HeaderMap) -> impl Iterator<Item = String> {
    DELIVERY_HEADERS.iter().filter_map(|name| Some(format!("{name}/{}", headers.get(name)?.to_str().ok()?)))
}

/// Letters and digits, in lower case; none is longer than this in any rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Word {
    bytes: [u8; Word::LONGEST],
    length: usize,
}

impl Word {
    const LONGEST: usize = 24;

    /// `None` for what is longer than any word of the rules, empty, or more than a word.
    fn of(text: &str) -> Option<Self> {
        let mut word = Self { bytes: [0; Self::LONGEST], length: 0 };
        for byte in text.trim().bytes() {
            match byte {
                b'_' | b'-' | b'.' | b' ' => {}
                _ if byte.is_ascii_alphanumeric() => {
                    *word.bytes.get_mut(word.length)? = byte.to_ascii_lowercase();
                    word.length += 1;
                }
                _ => return None,
            }
        }
        (word.length > 0).then_some(word)
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recovered => "the alert has recovered",
            Self::Acknowledged => "the alert has been acknowledged",
            Self::Test => "it is a test, and it has arrived",
            Self::Deploy => "it tells of a deploy",
            Self::NoAlert => "it tells of something that is no alert",
        })
    }
}
