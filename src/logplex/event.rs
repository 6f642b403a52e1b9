//! The events that a line can report.

use std::collections::BTreeSet;

use memchr::memchr_iter;

use super::code::Code;
use super::line::{Line, PLATFORM};
use super::pairs::pairs;
use crate::heroku::DynoName;

/// Where a log drain delivers. See [`Event::DrainRequest`].
const DRAIN: &[u8] = b"/drain";

/// A longer number is a mistake: it would be a hundred thousand terabytes. The limit also prevents an overflow.
const MAX_DIGITS: usize = 12;

/// Heroku does not define its megabyte; this is the usual one for memory.
pub const MEGABYTE: u64 = 1 << 20;

/// Which events to look for. Everything else costs almost nothing. Requests to `/drain` are always reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interest {
    /// The errors to look for: only errors of dynos (`R..`) and of the router (`H..`) can be found.
    pub errors: BTreeSet<Code>,
    /// Whether to look for the memory use of dynos.
    pub memory: bool,
}

/// An event that a line reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A dyno has an error: `Error R14 (...)` in a line of the dyno, or `code=H12` for a request that the router sent
    /// to it.
    Error {
        /// The error.
        code: Code,
        /// The dyno.
        dyno: DynoName,
    },
    /// A measurement of log-runtime-metrics, in bytes.
    Memory {
        /// The dyno.
        dyno: DynoName,
        /// RAM, cache and swap together.
        total: u64,
        /// The memory of the dyno's size, never 0. Heroku added it to the metrics later, so it can be missing.
        quota: Option<u64>,
    },
    /// A POST request to `/drain` of the app whose log this is. If the batch with this line was itself sent to
    /// `host`, the drain is attached to this service's own app: every delivery adds a line to the log, which causes
    /// another delivery.
    DrainRequest {
        /// The `Host` header of that request.
        host: &'a str,
    },
}

impl Interest {
    /// The event that a line reports, if it is wanted.
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

/// Whether `message` is one of the lines that fill a busy log: lines of the app, and lines of the router about successful
/// requests. This is a shortcut: [`Interest::event`] finds nothing in them either.
#[expect(clippy::needless_bitwise_bool, reason = "the kind of the next line is unpredictable: a branch costs more")]
#[inline]
pub(super) fn is_routine(message: &[u8]) -> bool {
    let Some(begin) = behind_host(message).and_then(<[u8]>::first_chunk::<48>) else { return false };
    let reads = |at: usize, text: &[u8]| begin[at..at + text.len()] == *text;
    let is_of_app = !reads(0, b"heroku ");
    let is_info = reads(0, b"heroku router - at=info method=");
    let is_get = reads(31, b"GET ");
    let is_post_elsewhere = reads(31, b"POST path=\"") & !reads(42, DRAIN);
    is_of_app | (is_info & (is_get | is_post_elsewhere))
}

/// What follows the name of the host: the name of the app, and the rest.
///
/// Most lines begin with `<134>1 2025-01-02T00:51:32.759454+00:00 host `, 45 bytes. Comparing the last six of these is much
/// faster than a search for each space. A line of Heroku with a shorter timestamp is not mistaken for one of these: there, it
/// has the name of the app or of the process.
#[inline]
fn behind_host(message: &[u8]) -> Option<&[u8]> {
    if message.get(39..45) == Some(b" host ") {
        return message.get(45..);
    }
    let end = memchr_iter(b' ', message).nth(2)?;
    message.get(end + 1..)
}

/// `Error R14 (Memory quota exceeded)`, at the beginning of the text.
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
/// Clients choose the path, the host and a part of `fwd`, and can write `code=`, `dyno=` and quotes there. So only a
/// code before `method` counts, and only the last dyno.
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
/// `source` repeats the process of the line, and `dyno` is not the name of the dyno. Only samples contain a `#`.
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

/// Parses the `256.80MB` at the beginning of `text`, in bytes.
fn bytes(text: &[u8]) -> Option<u64> {
    let (mut number, mut scale, mut is_fraction) = (0, 1, false);
    for (at, &byte) in text.iter().enumerate().take(MAX_DIGITS) {
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
