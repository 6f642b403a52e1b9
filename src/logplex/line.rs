//! One message: `<PRI>1 TIMESTAMP HOSTNAME APPNAME PROCID MSGID TEXT`.
//!
//! This is RFC 5424 without STRUCTURED-DATA. Logplex omits it and does not write `-` instead, so a parser for the RFC
//! mistakes the first word of the text for it (<https://github.com/heroku/logplex/issues/204>).

use jiff::Timestamp;
use memchr::memchr;

/// The app name in lines that Heroku itself writes. In the app's own output it is `app`.
pub(super) const PLATFORM: &[u8] = b"heroku";

/// A line of the log. The bytes are unchanged, and may be invalid UTF-8: an app can write anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    timestamp: &'a [u8],
    /// `host`, or the token of the drain; in the log of a whole Private Space, the app and the space: `shop.acme`.
    pub host_name: &'a [u8],
    /// Who wrote it: `heroku` or `app`.
    pub app_name: &'a [u8],
    /// The process: `web.1`, `router`, `logplex`, ...
    pub proc_id: &'a [u8],
    /// The message, without the newline at its end.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Parses a message; `None` when it does not have the format of logplex.
    #[must_use]
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        let rest = message.strip_prefix(b"<")?;
        // The number itself is ignored: Heroku has changed its meaning over the years.
        let digits = rest.iter().take(3).take_while(|byte| byte.is_ascii_digit()).count();
        let rest = rest[digits..].strip_prefix(b">1 ").filter(|_| digits > 0)?;
        let (timestamp, rest) = field(rest)?;
        let (host_name, rest) = field(rest)?;
        let (app_name, rest) = field(rest)?;
        let (proc_id, rest) = field(rest)?;
        let (_message_id, text) = field(rest)?;
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = if app_name == PLATFORM { without_structured_data(text) } else { text };
        Some(Self { timestamp, host_name, app_name, proc_id, text })
    }

    /// When the line was written, to the microsecond; `None` when the timestamp is invalid.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        std::str::from_utf8(self.timestamp).ok()?.parse().ok()
    }
}

/// Splits at the next space.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// Removes the `-` or the `[id name="value"]` that the RFC requires before the text, in case logplex ever writes it.
fn without_structured_data(text: &[u8]) -> &[u8] {
    if let Some(text) = text.strip_prefix(b"- ") {
        return text;
    }
    let mut rest = text;
    while let Some(after) = after_element(rest) {
        if let Some(text) = after.strip_prefix(b" ") {
            return text;
        }
        rest = after;
    }
    text
}

/// What follows the `[...]` at the beginning of `bytes`. A quoted value may contain brackets and escaped quotes.
fn after_element(bytes: &[u8]) -> Option<&[u8]> {
    let inside = bytes.strip_prefix(b"[")?;
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = inside.iter().position(|&byte| {
        is_quoted ^= byte == b'"' && !is_escaped;
        is_escaped = is_quoted && byte == b'\\' && !is_escaped;
        byte == b']' && !is_quoted
    })?;
    Some(&inside[end + 1..])
}
