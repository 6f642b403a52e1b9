//! Times, as senders write them: RFC 3339, or seconds or milliseconds since 1970.

use jiff::Timestamp;

/// Ten digits are seconds from 2001 on, thirteen are milliseconds, sixteen microseconds, nineteen nanoseconds.
pub(super) fn of_number(number: i64) -> Option<Timestamp> {
    match number {
        1_000_000_000..=9_999_999_999 => Timestamp::from_second(number).ok(),
        1_000_000_000_000..=9_999_999_999_999 => Timestamp::from_millisecond(number).ok(),
        1_000_000_000_000_000..=9_999_999_999_999_999 => Timestamp::from_microsecond(number).ok(),
        1_000_000_000_000_000_000.. => Some(Timestamp::from_nanosecond(number.into()).ok()?),
        _ => None,
    }
}

/// What cannot be read, or is the year 1, is no time: the alert counts as one of now.
pub(super) fn of_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let number = text.split_once('.').map_or(text, |(seconds, _)| seconds);
    if let Ok(number) = number.parse() {
        return of_number(number);
    }
    let earliest = Timestamp::from_second(1_000_000_000).ok()?;
    text.parse().ok().filter(|at| *at >= earliest)
}
