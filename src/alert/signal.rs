//! What a field says about the state of its alert, by the tables in `states`.
//!
//! The order of precedence is that of [`Signal`], and nowhere else: news about an incident comes first, then trouble, then
//! a recovery. Whole values count, and the words of a compound code in a field of a state. No sentence is searched: a log
//! line may contain the word "resolved".

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName, HeaderValue};

use super::fields::FieldKind;
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

/// How a tag, a mention or a link begins in a chat.
const MARKUP: [&str; 6] = ["<b>", "<p>", "<strong>", "<!", "<@", "<http"];

/// What mail programs write in front of a subject.
const REPLIES: [&str; 3] = ["re", "fw", "fwd"];

/// What stands between an earlier state and the one of now.
const ARROWS: [&str; 7] = ["→", "->", "=>", "⇒", "➡", "➜", " > "];

/// The ends of headlines about what has recovered.
const RECOVERED_ENDS: [&str; 13] = [
    "is up",
    "is now up",
    "is back up",
    "is up again",
    "is online",
    "is back online",
    "is now online",
    "is back to normal",
    "is ok",
    "is resolved",
    "has recovered",
    "has been resolved",
    "was resolved",
];

/// A headline is not longer, in bytes.
const LONGEST_HEADLINE: usize = 300;

/// Behind a colon, these deny the word in front of it: `Normal: false`.
const NONE: [&str; 3] = ["0", "false", "no"];

/// Where a word counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
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
                Nothing => Some(of_end(value)).filter(|_| is_headline(value)).unwrap_or_default(),
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
fn lookup(role: Role, word: &str) -> Option<Signal> {
    TABLE.get(&(role, Word::of(word)?)).copied()
}

fn of_value(kind: FieldKind, value: &str) -> Option<Signal> {
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
fn behind_subjects(kind: FieldKind, parts: &[&str]) -> Option<Signal> {
    let subjects = parts.iter().take_while(|part| lookup(Role::Subject, part).is_some()).count();
    (0..=subjects).find_map(|start| TABLE.get(&(Role::Value(kind), Word::join(&parts[start..])?)).copied())
}

/// The states with which a headline or a text for people begins: `[RESOLVED:1] ...`, `✅ [Recovered on host] ...`,
/// `[TEST] [Recovered] ...`, `RESOLVED: ...`.
fn of_beginning(text: &str) -> Signal {
    let mut rest = without_marks(text);
    while let Some((_, after)) = rest.split_once(':').filter(|(word, _)| REPLIES.contains(&&*word.to_ascii_lowercase()))
    {
        rest = without_marks(after);
    }
    while let Some((inside, after)) = in_brackets(rest) {
        let inside = undecorated(behind_arrow(inside));
        let (word, is_whole) = inside.split_once([':', ' ']).map_or((inside, true), |(word, _)| (word, false));
        let known = of_value(FieldKind::Title, word);
        let known = known.or_else(|| of_value(FieldKind::Text, word).filter(|_| is_whole));
        let known = known.or_else(|| behind_subjects(FieldKind::Text, &parts(inside)?));
        if known.is_some() {
            // `[RESOLVED:1, FIRING:2]`, `[RESOLVED:1] [FIRING:2]`
            let next = in_brackets(without_marks(after)).map_or("", |(inside, _)| inside);
            let is_mixed = [inside, next].into_iter().any(counts_trouble);
            return known.filter(|_| !is_mixed).unwrap_or_default();
        }
        if of_value(FieldKind::State, word) == Some(Trouble) {
            return Nothing;
        }
        rest = without_marks(after);
    }
    let is_end = |&(at, c): &(usize, char)| match c {
        ':' | '\n' | '!' | '|' | '<' => true,
        '-' | '–' | '—' => rest[..at].ends_with(' ') && rest[at + c.len_utf8()..].starts_with(' '),
        _ => false,
    };
    let known = match rest.char_indices().find(is_end) {
        // `Resolved: 0, firing: 3`, `Resolved: 2 | Firing: 1`
        Some((end, ':')) if NONE.contains(&rest[end + 1..].split(',').next().unwrap_or_default().trim()) => None,
        Some((end, ':')) if begins_with_number(&rest[end + 1..]) && counts_trouble(&rest[end + 1..]) => None,
        Some((end, _)) => parts(without_kind(undecorated(&rest[..end]))).and_then(|parts| {
            // `Resolved in 5m`
            let time = parts.iter().position(|part| part.eq_ignore_ascii_case("in"));
            behind_subjects(FieldKind::Text, &parts[..time.unwrap_or(parts.len())])
        }),
        None => of_value(FieldKind::Title, undecorated(rest)),
    };
    known.unwrap_or_default()
}

/// What a headline says at its end: `✅ shop is UP!`, `An alert for shop has been resolved after passing 5 times`. A field
/// of a state counts for more.
fn of_end(headline: &str) -> Signal {
    let line = headline.trim_start().lines().next().unwrap_or_default();
    let line = line.split_once(" after ").map_or(line, |(front, _)| front);
    let is_between = |c: char| !c.is_alphanumeric();
    let last_words = line.trim_end_matches(is_between).rsplit(is_between).filter(|word| !word.is_empty());
    let is_recovered = line.len() <= LONGEST_HEADLINE
        && RECOVERED_ENDS.iter().any(|end| {
            let mut last_words = last_words.clone();
            let is_end =
                end.rsplit(' ').all(|word| last_words.next().is_some_and(|last| last.eq_ignore_ascii_case(word)));
            is_end && last_words.next().is_some()
        });
    if is_recovered { Told(Inactive::Recovered) } else { Nothing }
}

/// Whether a text for people is the headline of a message and no line of a log: it begins with an emoji or a mark, or with
/// what it is about.
fn is_headline(text: &str) -> bool {
    let about = ["alert", "check", "incident", "monitor"];
    let mut first_words = text.split(' ').take(2);
    text.starts_with(|c: char| !c.is_ascii())
        || first_words.any(|word| about.iter().any(|about| word.eq_ignore_ascii_case(about)))
}

/// Whether one of these counts is about trouble: `RESOLVED:1, FIRING:2`, `Resolved 1 / Triggered x3`. A severity without a
/// colon is none.
fn counts_trouble(text: &str) -> bool {
    let is_trouble = |word: &str, is_named: bool| {
        of_value(FieldKind::State, word) == Some(Trouble) && (is_named || lookup(Role::Severity, word).is_none())
    };
    let is_between = |c: char| !c.is_alphanumeric();
    let mut words = text.split_inclusive(is_between).filter(|word| word.contains(|c| !is_between(c))).peekable();
    let is_count =
        |word: &str| word.trim_matches(is_between).trim_start_matches('x').parse().is_ok_and(|count: u64| count > 0);
    std::iter::from_fn(|| Some((words.next()?, words.peek().copied()))).any(|(word, next)| {
        next.is_some_and(is_count) && is_trouble(word.trim_matches(is_between), word.ends_with(':'))
    }) || text.split([',', ';', '|', '/', '\n']).any(|word| is_trouble(word.trim(), false))
}

fn begins_with_number(text: &str) -> bool {
    text.trim_start().starts_with(|c: char| c.is_ascii_digit())
}

/// What it is now, and not what it was: `OK → CRITICAL`.
fn behind_arrow(text: &str) -> &str {
    let may_have_arrow = text.bytes().any(|byte| byte == b'>' || !byte.is_ascii());
    let by_arrow = ARROWS.iter().filter(|_| may_have_arrow).find_map(|arrow| text.rsplit_once(arrow));
    let to = || text.rsplit_once(" to ").filter(|(_, now)| of_value(FieldKind::State, now).is_some());
    by_arrow.or_else(to).map_or(text, |(_, now)| now)
}

/// Without the kind of message that Nagios writes behind the state: `RECOVERY Service Alert: ...`.
fn without_kind(text: &str) -> &str {
    text.strip_suffix(" Service Alert").or(text.strip_suffix(" Host Alert")).unwrap_or(text)
}

/// The inside of the brackets with which a text begins, and what comes after them.
fn in_brackets(text: &str) -> Option<(&str, &str)> {
    match text.as_bytes().first()? {
        b'[' => text[1..].split_once(']'),
        b'(' => text[1..].split_once(')'),
        _ => None,
    }
}

/// Without what chats show in front of a text: emojis, tags, and the address of a link.
fn without_marks(text: &str) -> &str {
    let mut rest = text.trim_start_matches(is_decoration);
    loop {
        let end = match rest.as_bytes() {
            [b':', ..] => rest[1..].find([':', ' ']).map(|end| end + 1).filter(|end| rest[*end..].starts_with(':')),
            [b'<', ..] if MARKUP.iter().any(|mark| rest.starts_with(mark)) => rest.find(['>', '|']),
            _ => None,
        };
        let Some(end) = end else { return rest };
        rest = rest[end + 1..].trim_start_matches(is_decoration);
    }
}

/// Without emojis and marks around it: `✅ **Resolved**`.
fn undecorated(text: &str) -> &str {
    text.trim_matches(is_decoration)
}

fn is_decoration(c: char) -> bool {
    !c.is_ascii() || c.is_whitespace() || matches!(c, '*' | '_' | '~' | '#' | '>' | '`' | '!' | '.')
}
