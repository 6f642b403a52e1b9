//! Times, as senders write them: RFC 3339, or seconds or milliseconds since 1970.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// `Mon, 14 Sep 2015 09:49:51 +0000` has 31 characters.
const LONGEST: usize = 40;

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

/// RFC 3339, also with ` UTC` or a space in front of the offset, or RFC 2822. What cannot be read, or is the year 1, is no
/// time: the alert counts as one of now.
pub(super) fn of_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.ends_with(|c: char| c.is_ascii_alphanumeric())
        || !text.contains(|c: char| c.is_ascii_digit())
        || text.len() > LONGEST
    {
        return None;
    }
    let number = text.split_once('.').map_or(text, |(seconds, _)| seconds);
    if let Ok(number) = number.parse() {
        return of_number(number);
    }
    let earliest = Timestamp::from_second(1_000_000_000).ok()?;
    let bare = text.strip_suffix(" UTC").map(|text| format!("{text}Z"));
    let bare = bare.unwrap_or_else(|| text.replace(" +", "+").replace(" -", "-"));
    let at = bare.parse().ok().or_else(|| rfc2822::DateTimeParser::new().parse_timestamp(text).ok());
    at.filter(|at| *at >= earliest)
}
