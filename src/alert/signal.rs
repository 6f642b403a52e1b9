//! What a field says about the state of its alert, by the tables in `states`.
//!
//! The order of precedence is that of [`Signal`], and nowhere else: news about an incident comes first, then trouble, then
//! a recovery. Whole values count, and the words of a compound code in a field of a state. No sentence is searched: a log
//! line may contain the word "resolved".

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::FieldKind;
use super::states::{CHANGES, HEADER_VALUES, Inactive, NEGATIONS, SUBJECTS, VALUES, WORDS};
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

/// The roles of a word in a compound code.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Subject,
    Negation,
    Thing(usize),
    Change(usize),
}

static SIGNALS: LazyLock<HashMap<(FieldKind, Word), Signal, WordHash>> = LazyLock::new(|| {
    let of_states = WORDS.iter().map(|(signal, row)| (FieldKind::State, *signal, *row));
    let rows = VALUES.iter().copied().chain(of_states);
    rows.flat_map(|(kind, signal, row)| words(row).map(move |word| ((kind, word), signal))).collect()
});

/// Of one word in a compound code.
static PART_SIGNALS: LazyLock<HashMap<Word, Signal, WordHash>> =
    LazyLock::new(|| WORDS.iter().flat_map(|(signal, row)| words(row).map(|word| (word, *signal))).collect());

static ROLES: LazyLock<HashSet<(Role, Word), WordHash>> = LazyLock::new(|| {
    let mut roles = HashSet::default();
    let mut add = |role, row| roles.extend(words(row).map(|word| (role, word)));
    add(Role::Subject, SUBJECTS);
    add(Role::Negation, NEGATIONS);
    for (index, (_, things, changes)) in CHANGES.iter().enumerate() {
        add(Role::Thing(index), things);
        add(Role::Change(index), changes);
    }
    roles
});

impl Signal {
    /// What a field of this kind says with this value.
    pub(super) fn of_field(kind: FieldKind, value: &str) -> Self {
        match kind {
            FieldKind::State => of_state(value),
            FieldKind::AlertType => of_value(kind, value).unwrap_or_else(|| of_state(value)),
            FieldKind::Type => of_value(kind, value).unwrap_or_else(|| of_name(kind, value)),
            FieldKind::Trigger => of_name(kind, value),
            FieldKind::Clear if !matches!(value.trim(), "" | "false") => Quiet(Inactive::Recovered),
            FieldKind::Title => of_beginning(value),
            FieldKind::Text => match of_beginning(value) {
                Quiet(reason) | News(reason) => Told(reason),
                other => other,
            },
            FieldKind::Rule | FieldKind::Test | FieldKind::Heartbeat | FieldKind::Severity => {
                of_value(kind, value).unwrap_or_default()
            }
            _ => Nothing,
        }
    }

    /// What the headers say.
    pub(super) fn of_headers(headers: &HeaderMap) -> Self {
        let of_header = |(name, value): (&HeaderName, &HeaderValue)| {
            let says =
                |row: &str, word: &str| name.as_str() == row && value.as_bytes().eq_ignore_ascii_case(word.as_bytes());
            HEADER_VALUES.iter().find(|(name, value, _)| says(name, value)).map(|(_, _, reason)| News(*reason))
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

/// `None` if the value is not in the table.
fn of_value(kind: FieldKind, value: &str) -> Option<Signal> {
    SIGNALS.get(&(kind, Word::of(value)?)).copied()
}

/// What the name of a kind of message or of a rule says: a person may have called a rule `Ping` or `Disk is down`, and
/// `ping` and `error` are types of monitors and of errors. A recovery counts, and news in a code of several words.
fn of_name(kind: FieldKind, value: &str) -> Signal {
    let signal = of_state(value);
    let parts = || parts(value).unwrap_or_default();
    let counts = match (kind, signal) {
        (_, Quiet(Inactive::Recovered)) => true,
        (FieldKind::Type, News(_) | Quiet(Inactive::Test)) => parts().len() > 1,
        (FieldKind::Trigger, News(_)) => {
            is_constant(value) || parts().first().is_some_and(|part| has_role(part, Role::Subject))
        }
        _ => false,
    };
    if counts { signal } else { Nothing }
}

/// Whether a program has named it, such as `PRIORITY_CHANGED`.
fn is_constant(value: &str) -> bool {
    value.contains('_') && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// What a value says in a field of a state.
fn of_state(value: &str) -> Signal {
    let value = undecorated(value);
    if let Some(known) = of_value(FieldKind::State, value) {
        return known;
    }
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Nothing;
    }
    let Some(mut parts) = parts(value) else { return Unknown };
    if let Some(signal) = of_change(&parts) {
        return signal;
    }
    // What it is now, and not what it was: `CRITICAL_TO_OK`, `recovered from failure`.
    if let Some(to) = parts.iter().rposition(|part| part.eq_ignore_ascii_case("to")) {
        parts.drain(..=to);
    }
    if let Some(from) = parts.iter().position(|part| part.eq_ignore_ascii_case("from")) {
        parts.truncate(from);
    }
    of_parts(&parts)
}

fn of_change(parts: &[&str]) -> Option<Signal> {
    let row = |index: &usize| {
        let has = |role| parts.iter().any(|part| has_role(part, role));
        has(Role::Thing(*index)) && has(Role::Change(*index))
    };
    // The rows further down are the more specific ones.
    (0..CHANGES.len()).rev().find(row).map(|index| News(CHANGES[index].0))
}

fn of_parts(parts: &[&str]) -> Signal {
    if let Some(known) = behind_subjects(FieldKind::State, parts) {
        return known;
    }
    if parts.iter().all(|part| has_role(part, Role::Subject)) {
        return Nothing;
    }
    let signal_of = |part: &&str| PART_SIGNALS.get(&Word::of(part)?).copied();
    let signals: Vec<_> = parts.iter().filter_map(signal_of).collect();
    let is_negated = parts.iter().any(|part| has_role(part, Role::Negation));
    let begins_resolved = parts[0].to_ascii_lowercase().ends_with("ed") && signal_of(&parts[0]).is_some();
    let news = signals.iter().find(|signal| matches!(signal, News(_)));
    let last = if begins_resolved { signals.first() } else { signals.last() };
    let signal = news.or(last).filter(|signal| !is_negated || **signal == Trouble);
    signal.copied().unwrap_or(Unknown)
}

/// The signal of a whole value, without the subjects in front of it.
fn behind_subjects(kind: FieldKind, parts: &[&str]) -> Option<Signal> {
    let subjects = parts.iter().take_while(|part| has_role(part, Role::Subject)).count();
    (0..=subjects).find_map(|start| SIGNALS.get(&(kind, Word::join(&parts[start..])?)).copied())
}

fn has_role(part: &str, role: Role) -> bool {
    Word::of(part).is_some_and(|word| ROLES.contains(&(role, word)))
}

/// The states with which a headline or a text for people begins: `[RESOLVED:1] ...`, `✅ [Recovered on host] ...`,
/// `[TEST] [Recovered] ...`, `RESOLVED: ...`.
fn of_beginning(text: &str) -> Signal {
    let mut rest = text.trim_start_matches(is_decoration);
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let inside = undecorated(inside);
        let (word, is_whole) = inside.split_once([':', ' ']).map_or((inside, true), |(word, _)| (word, false));
        let known = of_value(FieldKind::Title, word);
        let known = known.or_else(|| of_value(FieldKind::Text, word).filter(|_| is_whole));
        if known.is_some() || of_value(FieldKind::State, word) == Some(Trouble) {
            return known.unwrap_or_default();
        }
        rest = after.trim_start_matches(is_decoration);
    }
    let is_end = |&(at, c): &(usize, char)| match c {
        ':' | '\n' | '!' | '|' => true,
        '-' | '–' | '—' => rest[..at].ends_with(' ') && rest[at + c.len_utf8()..].starts_with(' '),
        _ => false,
    };
    let known = match rest.char_indices().find(is_end) {
        Some((end, _)) => parts(undecorated(&rest[..end])).and_then(|parts| behind_subjects(FieldKind::Text, &parts)),
        None => of_value(FieldKind::Title, undecorated(rest)),
    };
    known.unwrap_or_default()
}

/// Without emojis and marks around it: `✅ **Resolved**`.
fn undecorated(text: &str) -> &str {
    text.trim_matches(is_decoration)
}

fn is_decoration(c: char) -> bool {
    !c.is_ascii() || c.is_whitespace() || matches!(c, '*' | '_' | '~' | '#' | '>' | '`' | '!' | '.')
}
