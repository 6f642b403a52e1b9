//! What a headline or a text for people says: the states with which it begins, and what it says at its end.

use super::fields::FieldKind;
use super::signal::Signal::{self, Nothing, Told, Trouble};
use super::signal::{NONE, Role, behind_arrow, behind_subjects, is_decoration, lookup, of_value, undecorated};
use super::states::Inactive;
use super::word::parts;

/// How a tag, a mention or a link begins in a chat.
const MARKUP: [&str; 6] = ["<b>", "<p>", "<strong>", "<!", "<@", "<http"];

/// What mail programs write in front of a subject.
const REPLIES: [&str; 3] = ["re", "fw", "fwd"];

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

/// The states with which a headline or a text for people begins: `[RESOLVED:1] ...`, `✅ [Recovered on host] ...`,
/// `[TEST] [Recovered] ...`, `RESOLVED: ...`.
pub(super) fn of_beginning(text: &str) -> Signal {
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
pub(super) fn of_end(headline: &str) -> Signal {
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
pub(super) fn is_headline(text: &str) -> bool {
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
