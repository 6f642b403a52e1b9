//! How lists and times are written for a person.

use std::time::Duration;

use jiff::SignedDuration;

/// `a`, `a and b`, `a, b and c`.
pub fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
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
