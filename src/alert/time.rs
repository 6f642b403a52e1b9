//! Times as senders write them: RFC 3339, RFC 2822, or a number since 1970.

use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// `Mon, 14 Sep 2015 09:49:51 +0000` has 31 characters.
const MAX_LEN: usize = 40;

/// In 2001. Nothing that a sender reports is older.
const EARLIEST: Timestamp = Timestamp::constant(1_000_000_000, 0);

/// Reads RFC 3339, also with ` UTC` at the end or a space in front of the offset, RFC 2822, or a number. A text that is no
/// time, or one in the year 1, gives `None`: the alert is about now.
pub(super) fn of_text(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if !text.ends_with(|c: char| c.is_ascii_alphanumeric())
        || !text.contains(|c: char| c.is_ascii_digit())
        || text.len() > MAX_LEN
    {
        return None;
    }
    let number = text.split_once('.').map_or(text, |(number, _)| number);
    if let Ok(number) = number.parse() {
        return of_number(number);
    }
    let with_spaces = || match text.strip_suffix(" UTC") {
        Some(text) => format!("{text}Z").parse().ok(),
        None => text.replace(" +", "+").replace(" -", "-").parse().ok(),
    };
    let rfc_2822 = || rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    let at = text.parse().ok().or_else(|| text.contains(' ').then(with_spaces).flatten().or_else(rfc_2822));
    at.filter(|at| *at >= EARLIEST)
}

/// Ten digits are seconds from 2001 on, thirteen are milliseconds, sixteen microseconds, nineteen nanoseconds.
fn of_number(number: i64) -> Option<Timestamp> {
    match number {
        1_000_000_000..=9_999_999_999 => Timestamp::from_second(number).ok(),
        1_000_000_000_000..=9_999_999_999_999 => Timestamp::from_millisecond(number).ok(),
        1_000_000_000_000_000..=9_999_999_999_999_999 => Timestamp::from_microsecond(number).ok(),
        1_000_000_000_000_000_000.. => Timestamp::from_nanosecond(number.into()).ok(),
        _ => None,
    }
}
