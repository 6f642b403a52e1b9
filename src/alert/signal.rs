//! What a field says about the state of its alert, by the tables in `states`.
//!
//! The order of precedence is that of [`Signal`], and nowhere else: news about an incident comes first, then trouble, then
//! a recovery. Whole values count, and the words of a compound code in a field of a state. No sentence is searched: a log
//! line may contain the word "resolved".

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::FieldKind;
use super::headline::{is_headline, of_beginning, of_end};
use super::states::{CHANGES, HEADER_VALUES, Inactive, NEGATIONS, SEVERITIES, SUBJECTS, VALUES, WORDS};
use super::word::{Word, WordHash, parts, words};

/// What the fields of an alert say about its state. The later of these counts for more; of two equal ones, the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Signal {
    /// Nothing about the state.
    #[default]
    Nothing,
    /// A text for people begins with the word of a recovery. It counts only where no field gives a state.
    Told(Inactive),
    /// A state in a word that no rule knows.
    Unknown,
    /// The trouble has passed, or there never was any.
    Quiet(Inactive),
    /// Something is wrong.
    Trouble,
    /// Something else happened to an incident, whatever its state is.
    News(Inactive),
}

use Signal::{News, Nothing, Quiet, Told, Trouble, Unknown};

/// What stands between an earlier state and the one of now.
const ARROWS: [&str; 7] = ["→", "->", "=>", "⇒", "➡", "➜", " > "];

/// Behind a colon, these deny the word in front of it: `Normal: false`.
pub(super) const NONE: [&str; 3] = ["0", "false", "no"];

/// Where a word counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// As the whole value of a field.
    Value(FieldKind),
    /// In a compound code.
    Part,
    Subject,
    Severity,
    Negation,
    Thing(usize),
    Change(usize),
}

static TABLE: LazyLock<HashMap<(Role, Word), Signal, WordHash>> = LazyLock::new(|| {
    let mut table = HashMap::default();
    let mut add = |role, signal, row| table.extend(words(row).map(|word| ((role, word), signal)));
    for (kind, signal, row) in VALUES {
        add(Role::Value(*kind), *signal, row);
    }
    for (signal, row) in WORDS {
        add(Role::Value(FieldKind::State), *signal, row);
        add(Role::Part, *signal, row);
    }
    add(Role::Subject, Nothing, SUBJECTS);
    add(Role::Severity, Nothing, SEVERITIES);
    add(Role::Negation, Nothing, NEGATIONS);
    for (index, (signal, things, changes)) in CHANGES.iter().enumerate() {
        add(Role::Thing(index), *signal, things);
        add(Role::Change(index), *signal, changes);
    }
    table
});

impl Signal {
    /// What a field of this kind says with this value.
    pub(super) fn of_field(kind: FieldKind, value: &str) -> Self {
        match kind {
            FieldKind::EventName | FieldKind::Name if value.contains(' ') => of_phrase(value),
            FieldKind::Name => of_name(FieldKind::Type, value),
            FieldKind::State | FieldKind::EventName => of_state(value),
            // A code of several words is the name of a type, `http_error`.
            FieldKind::AlertType => of_value(kind, value).unwrap_or_else(|| match of_state(value) {
                Trouble if of_value(FieldKind::State, value).is_none() => Nothing,
                signal => signal,
            }),
            FieldKind::Type => of_value(kind, value).unwrap_or_else(|| of_name(kind, value)),
            FieldKind::Trigger => of_name(kind, value),
            FieldKind::Clear if value.trim().is_empty() || NONE.contains(&value.trim()) => Nothing,
            FieldKind::Clear => Quiet(Inactive::Recovered),
            // Titles are free texts: a field that says trouble counts for more.
            FieldKind::Title => match of_beginning(value) {
                Nothing => of_end(value),
                News(reason) => Quiet(reason),
                other => other,
            },
            FieldKind::Text => match of_beginning(value) {
                Nothing if is_headline(value) => of_end(value),
                Quiet(reason) | News(reason) => Told(reason),
                other => other,
            },
            FieldKind::Other => Nothing,
            _ => of_value(kind, value).unwrap_or_default(),
        }
    }

    /// What the headers say.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let of_header = |(name, value): (&HeaderName, &HeaderValue)| {
            let says = |word: &str| value.as_bytes().eq_ignore_ascii_case(word.as_bytes());
            let is_of = |(header, row, _): &&(&str, &str, _)| name.as_str() == *header && row.split(' ').any(says);
            HEADER_VALUES.iter().find(is_of).map(|(_, _, reason)| News(*reason))
        };
        headers.iter().find_map(of_header).unwrap_or_default()
    }

    /// Of two signals about the same alert, the one that counts.
    pub(super) fn or_stronger(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    fn rank(self) -> u8 {
        match self {
            Nothing => 0,
            Told(_) => 1,
            Unknown => 2,
            Quiet(_) => 3,
            Trouble => 4,
            News(_) => 5,
        }
    }
}

/// `None` if the word is not in the table.
pub(super) fn lookup(role: Role, word: &str) -> Option<Signal> {
    TABLE.get(&(role, Word::of(word)?)).copied()
}

pub(super) fn of_value(kind: FieldKind, value: &str) -> Option<Signal> {
    lookup(Role::Value(kind), value)
}

/// What the name of a kind of message or of a rule says: a person may have called a rule `Ping` or `Disk is down`, and
/// `ping` and `error` are types of monitors and of errors. A recovery counts, and news in a code of several words.
fn of_name(kind: FieldKind, value: &str) -> Signal {
    let signal = of_state(value);
    let parts = || parts(value).unwrap_or_default();
    let counts = match (kind, signal) {
        // `ConnectionClosedError` is the class of an exception.
        _ if value.ends_with("Error") || value.ends_with("Exception") => false,
        (_, Quiet(Inactive::Recovered)) => true,
        (FieldKind::Type, News(_) | Quiet(Inactive::Test | Inactive::NoAlert)) => parts().len() > 1,
        // A program has named `PRIORITY_CHANGED`.
        (FieldKind::Trigger, News(_)) => {
            let is_constant = value.contains('_') && !value.contains(|c: char| !c.is_ascii_uppercase() && c != '_');
            is_constant || parts().first().is_some_and(|part| lookup(Role::Subject, part).is_some())
        }
        _ => false,
    };
    if counts { signal } else { Nothing }
}

/// What a name in several words says. A person may have called a rule `Comment service is down`, so hardly anything.
fn of_phrase(value: &str) -> Signal {
    let known = parts(value).and_then(|parts| behind_subjects(FieldKind::State, &parts));
    known.filter(|signal| matches!(signal, Quiet(Inactive::Recovered))).unwrap_or_default()
}

/// What a value says in a field of a state.
fn of_state(value: &str) -> Signal {
    let value = behind_arrow(value);
    // Without a remark behind it: `UP (200)`.
    let (value, remark) = value.split_once(" (").unwrap_or((value, ""));
    // `Warning ended (now: Down)`
    if let Some((_, now)) = remark.rsplit_once("now:") {
        return of_state(now.trim_end_matches(')'));
    }
    if let Some(news @ News(Inactive::Acknowledged)) = of_value(FieldKind::State, remark.trim_end_matches(')')) {
        return news;
    }
    let value = undecorated(value);
    if let Some(known) = of_value(FieldKind::State, value) {
        return known;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Nothing;
    }
    let Some(parts) = parts(value) else { return Unknown };
    if let Some(signal) = of_change(&parts) {
        return signal;
    }
    // What it is now, and not what it was: `CRITICAL_TO_OK`, `recovered from failure`.
    let to = parts.iter().rposition(|part| part.eq_ignore_ascii_case("to"));
    let (was, is) = parts.split_at(to.map_or(0, |to| to + 1));
    let from = is.iter().position(|part| part.eq_ignore_ascii_case("from"));
    match of_parts(&is[..from.unwrap_or(is.len())]) {
        // `assigned to user`
        Unknown => news(was).unwrap_or(Unknown),
        known => known,
    }
}

fn of_change(parts: &[&str]) -> Option<Signal> {
    let find = |role| parts.iter().find_map(|part| lookup(role, part));
    // The rows further down are the more specific ones.
    (0..CHANGES.len()).rev().find_map(|row| find(Role::Thing(row)).and(find(Role::Change(row))))
}

fn of_parts(parts: &[&str]) -> Signal {
    if let Some(known) = behind_subjects(FieldKind::State, parts) {
        return known;
    }
    if parts.iter().all(|part| lookup(Role::Subject, part).is_some()) {
        return Nothing;
    }
    if let Some(news) = news(parts) {
        return news;
    }
    let is_negated = is_negated(parts);
    // `POLICY_CLOSE_CRITICAL`: how bad it was counts only where nothing else does.
    let is_severity = |part: &&&str| lookup(Role::Severity, part).is_some();
    let signal = |part: &&str| lookup(Role::Part, part);
    let mut signals: Vec<_> = parts.iter().filter(|part| !is_severity(part)).filter_map(signal).collect();
    if signals.is_empty() {
        signals = parts.iter().filter_map(signal).collect();
    }
    let begins_resolved = parts[0].to_ascii_lowercase().ends_with("ed") && lookup(Role::Part, parts[0]).is_some();
    let last = if begins_resolved { signals.first() } else { signals.last() };
    last.copied().filter(|signal| !is_negated || *signal == Trouble).unwrap_or(Unknown)
}

/// The first word of news among these.
fn news(parts: &[&str]) -> Option<Signal> {
    let mut signals = parts.iter().filter_map(|part| lookup(Role::Part, part));
    signals.find(|signal| matches!(signal, News(_))).filter(|_| !is_negated(parts))
}

fn is_negated(parts: &[&str]) -> bool {
    parts.iter().any(|part| lookup(Role::Negation, part).is_some())
}

/// The signal of a whole value, without the subjects in front of it.
pub(super) fn behind_subjects(kind: FieldKind, parts: &[&str]) -> Option<Signal> {
    let subjects = parts.iter().take_while(|part| lookup(Role::Subject, part).is_some()).count();
    (0..=subjects).find_map(|start| TABLE.get(&(Role::Value(kind), Word::join(&parts[start..])?)).copied())
}

/// What it is now, and not what it was: `OK → CRITICAL`.
pub(super) fn behind_arrow(text: &str) -> &str {
    let may_have_arrow = text.bytes().any(|byte| byte == b'>' || !byte.is_ascii());
    let by_arrow = ARROWS.iter().filter(|_| may_have_arrow).find_map(|arrow| text.rsplit_once(arrow));
    let to = || text.rsplit_once(" to ").filter(|(_, now)| of_value(FieldKind::State, now).is_some());
    by_arrow.or_else(to).map_or(text, |(_, now)| now)
}

/// Without emojis and marks around it: `✅ **Resolved**`.
pub(super) fn undecorated(text: &str) -> &str {
    text.trim_matches(is_decoration)
}

pub(super) fn is_decoration(c: char) -> bool {
    !c.is_ascii() || c.is_whitespace() || matches!(c, '*' | '_' | '~' | '#' | '>' | '`' | '!' | '.')
}
