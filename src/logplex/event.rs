//! What a line says that can matter.

use std::collections::BTreeSet;

use memchr::memchr_iter;

use super::code::Code;
use super::line::{Line, PLATFORM};
use super::pairs::pairs;
use crate::heroku::DynoName;

/// Where a log drain delivers. See [`Event::DrainRequest`].
const DRAIN: &[u8] = b"/drain";

/// A longer number is a mistake: a hundred thousand terabytes. It also keeps the number of bytes from overflowing.
const MOST_DIGITS: usize = 12;

/// Heroku does not say which megabyte it means; of memory it is this one.
pub const MEGABYTE: u64 = 1 << 20;

/// What is asked for, so that the rest costs next to nothing. Requests to `/drain` are always told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// Which errors. Those of dynos (`R..`) and of the router (`H..`) can be found, no others.
    pub errors: BTreeSet<Code>,
    /// Whether the memory of dynos matters.
    pub memory: bool,
}

/// What a line says that can matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A dyno is in trouble: `Error R14 (...)` in its own name, or `code=H12` of a request that the router gave to it.
    Error {
        /// Which trouble.
        code: Code,
        /// Whose.
        dyno: DynoName,
    },
    /// What log-runtime-metrics measured, in bytes.
    Memory {
        /// Of which dyno.
        dyno: DynoName,
        /// RAM, cache and swap together.
        total: u64,
        /// What its size allows, never 0. It came later to the metrics, and can be missing.
        quota: Option<u64>,
    },
    /// Somebody posted to `/drain` of the app whose log this is. When the request that brought the line went to `host`
    /// too, the drain is attached to the service itself: every delivery makes a line, which makes a delivery.
    DrainRequest {
        /// The `Host` header of that request.
        host: &'a str,
    },
}

impl Interest {
    /// What a line says, when it is asked for.
    pub(super) fn event<'a>(&self, line: &Line<'a>) -> Option<Event<'a>> {
        if line.app_name != PLATFORM {
            None
        } else if line.proc_id == b"router" {
            router_error(line.text, &self.errors).or_else(|| drain_request(line.text))
        } else if self.memory && line.text.starts_with(b"source=") {
            memory(line)
        } else {
            dyno_error(line, &self.errors)
        }
    }
}

/// Whether `content`, from the app name on, is one of those lines that a busy log is made of: the app's own, and the
/// router's of requests that went well. A shortcut: [`Interest::event`] finds nothing in them either.
#[expect(clippy::needless_bitwise_bool, reason = "the kind of the next line cannot be foreseen: a branch costs more")]
pub(super) fn is_dull(content: &[u8]) -> bool {
    let Some(begin) = content.first_chunk::<48>() else { return false };
    let reads = |at: usize, text: &[u8]| begin[at..at + text.len()] == *text;
    let is_of_others = !reads(0, b"heroku ");
    let is_info = reads(0, b"heroku router - at=info method=");
    let is_get = reads(31, b"GET ");
    let is_post_elsewhere = reads(31, b"POST path=\"") & !reads(42, DRAIN);
    is_of_others | (is_info & (is_get | is_post_elsewhere))
}

/// `Error R14 (Memory quota exceeded)`, at the very beginning.
fn dyno_error<'a>(line: &Line<'a>, wanted: &BTreeSet<Code>) -> Option<Event<'a>> {
    let (code, rest) = line.text.strip_prefix(b"Error ")?.split_at_checked(3)?;
    let code = Code::parse(code).filter(|code| code.letter() == 'R' && rest.starts_with(b" ("))?;
    if !wanted.contains(&code) {
        return None;
    }
    Some(Event::Error { code, dyno: dyno(line.proc_id)? })
}

/// `at=error code=H12 desc="Request timeout" method=GET path="/" host=... fwd="..." dyno=web.1 ...`
///
/// Clients choose the path, the host and a part of `fwd`, and may well write `code=` and `dyno=` there, quotes and all. So
/// the code counts only in front of all that, and of the dynos the last.
fn router_error<'a>(text: &[u8], wanted: &BTreeSet<Code>) -> Option<Event<'a>> {
    let mut pairs = pairs(text);
    let (_, code) = pairs.by_ref().take_while(|&(key, _)| key != b"method").find(|&(key, _)| key == b"code")?;
    let code = Code::parse(code).filter(|&code| code.letter() == 'H' && wanted.contains(&code))?;
    let (_, name) = pairs.filter(|&(key, _)| key == b"dyno").last()?;
    Some(Event::Error { code, dyno: dyno(name)? })
}

/// `... method=POST path="/drain?key=..." host=restarter.example.com ...`
fn drain_request(text: &[u8]) -> Option<Event<'_>> {
    let mut pairs = pairs(text);
    pairs.find(|&(key, _)| key == b"method").filter(|&(_, method)| method == b"POST")?;
    let (_, path) = pairs.find(|&(key, _)| key == b"path")?;
    if !matches!(path.strip_prefix(DRAIN)?, [] | [b'?' | b'/', ..]) {
        return None;
    }
    let (_, host) = pairs.find(|&(key, _)| key == b"host")?;
    Some(Event::DrainRequest { host: std::str::from_utf8(host).ok()? })
}

/// `source=web.1 dyno=heroku.<app>.<uuid> sample#memory_total=256.80MB ... sample#memory_quota=512.00MB`
///
/// `source` only repeats whose line it is, and `dyno` is another name altogether. Nothing but samples has a `#`.
fn memory<'a>(line: &Line<'a>) -> Option<Event<'a>> {
    let (mut total, mut quota) = (None, None);
    for at in memchr_iter(b'#', line.text) {
        let sample = &line.text[at + 1..];
        if let Some(value) = sample.strip_prefix(b"memory_total=") {
            total = bytes(value);
        } else if let Some(value) = sample.strip_prefix(b"memory_quota=") {
            quota = bytes(value).filter(|&quota| quota > 0);
        }
    }
    Some(Event::Memory { total: total?, quota, dyno: dyno(line.proc_id)? })
}

fn dyno(name: &[u8]) -> Option<DynoName> {
    DynoName::parse(std::str::from_utf8(name).ok()?)
}

/// The `256.80MB` that `text` begins with.
fn bytes(text: &[u8]) -> Option<u64> {
    let (mut number, mut scale, mut is_fraction) = (0, 1, false);
    for (at, &byte) in text.iter().enumerate().take(MOST_DIGITS) {
        match byte {
            b'0'..=b'9' => {
                number = number * 10 + u64::from(byte - b'0');
                scale *= if is_fraction { 10 } else { 1 };
            }
            b'.' if at > 0 && !is_fraction => is_fraction = true,
            b'M' if at > 0 && matches!(text[at..], [_, b'B'] | [_, b'B', b' ', ..]) => {
                return Some((number * MEGABYTE + scale / 2) / scale);
            }
            _ => return None,
        }
    }
    None
}
