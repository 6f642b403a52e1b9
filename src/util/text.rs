//! How lists and times are written for a person.

use std::time::Duration;

use jiff::SignedDuration;

/// More than these nobody reads.
const MOST_LISTED: usize = 100;

/// `a`, `a and b`, `a, b and c`. Of a great many the last are left out, and their number told.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut rest = items.into_iter();
    let mut items: Vec<String> = rest.by_ref().take(MOST_LISTED).map(|item| item.to_string()).collect();
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

/// `90s`, `5m`, `1h 30m`, `3 days`: whole seconds are enough for a person, and whole days from two on.
#[must_use]
pub fn human(time: Duration) -> String {
    const DAY: i64 = 24 * 60 * 60;
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match seconds / DAY {
        0 | 1 => format!("{:#}", SignedDuration::from_secs(seconds)),
        days => format!("{days} days"),
    }
}
