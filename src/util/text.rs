//! Lists, durations and texts from outside, as text for a person.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Nobody reads more than this.
const MAX_LISTED: usize = 100;

/// `a`, `a and b`, `a, b and c`. A long list is cut and ends with the number of items left out.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut rest = items.into_iter();
    let mut items: Vec<String> = rest.by_ref().take(MAX_LISTED).map(|item| item.to_string()).collect();
    let more = rest.count();
    if more > 0 {
        items.push(format!("{more} more"));
    }
    match items.pop() {
        None => String::new(),
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} and {last}", items.join(", ")),
    }
}

/// `90s`, `5m`, `1h 30m`, `3 days`: in whole seconds, or in whole days from two days on.
#[must_use]
pub(crate) fn human(time: Duration) -> String {
    const DAY: i64 = 24 * 60 * 60;
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match seconds / DAY {
        0 | 1 => format!("{:#}", SignedDuration::from_secs(seconds)),
        days => format!("{days} days"),
    }
}

/// `03:12:08 UTC`
pub(crate) fn clock_time(time: Timestamp) -> impl fmt::Display {
    time.strftime("%H:%M:%S UTC")
}

/// A text from outside, in one line and cut to this many characters. Whatever is not visible becomes a space: control
/// characters, and those that change the order of the text, hide in it, or break the line, such as U+202E and U+2028.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    let visible: String = text.chars().map(|c| if is_visible(c) { c } else { ' ' }).collect();
    let mut words = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = words.char_indices().nth(longest) {
        words.truncate(cut);
        words.push('…');
    }
    words
}

/// An error and what caused it.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Whether Rust would print this character as it is in a string literal.
fn is_visible(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}
