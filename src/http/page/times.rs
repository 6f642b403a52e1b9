//! Times on the page: in UTC, or by the reader's own clock.

use jiff::civil::DateTime;
use jiff::{Timestamp, tz};

/// How far the reader's clock is ahead of UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offset {
    minutes: i32,
}

impl Offset {
    /// Reads `+02:00`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let sign = if text.starts_with('-') { -1 } else { 1 };
        // A plus sign in a URL means a space.
        let (hours, minutes) = text.trim_start_matches(['+', '-', ' ']).split_once(':')?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        let valid = (0..=14).contains(&hours) && (0..60).contains(&minutes);
        valid.then_some(Self { minutes: sign * (hours * 60 + minutes) })
    }

    /// All offsets that are in use, west to east.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let odd = [-570, -210, 210, 270, 330, 345, 390, 525, 570, 630, 765];
        let mut all: Vec<i32> = (-12..=14).map(|hours| hours * 60).chain(odd).collect();
        all.sort_unstable();
        all.into_iter().map(|minutes| Self { minutes })
    }

    fn is_utc(self) -> bool {
        self.minutes == 0
    }

    /// `+02:00`
    pub(super) fn value(self) -> String {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        format!("{sign}{:02}:{:02}", self.minutes.abs() / 60, self.minutes.abs() % 60)
    }

    /// What the reader calls it.
    pub(super) fn name(self) -> String {
        if self.is_utc() { "UTC".to_owned() } else { format!("UTC{}", self.value()) }
    }

    /// The parameter of the page's URL, behind others.
    pub(super) fn parameter(self) -> String {
        if self.is_utc() { String::new() } else { format!("&offset={}", self.value().replace('+', "%2B")) }
    }

    fn local(self, time: Timestamp) -> DateTime {
        tz::Offset::from_seconds(self.minutes * 60).unwrap_or(tz::Offset::UTC).to_datetime(time)
    }

    /// `03:00`
    pub(super) fn hour(self, time: Timestamp) -> String {
        self.local(time).strftime("%H:%M").to_string()
    }

    /// `03:12:08`, with the date if it is another day than `now`.
    pub(super) fn clock(self, time: Timestamp, now: Timestamp) -> String {
        let (time, now) = (self.local(time), self.local(now));
        let format = if time.date() == now.date() { "%H:%M:%S" } else { "%b %d %H:%M:%S" };
        time.strftime(format).to_string()
    }
}
