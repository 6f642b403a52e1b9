//! The dyno that a line of Heroku's log is about. Only lines of the platform count: an app may print anything.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::affected::{Certainty, Mention};
use super::time;
use crate::heroku::DynoName;

/// `heroku[w.1]` has this many bytes. Most texts are words, and need no search.
const MIN_LEN: usize = 11;

/// The source of a line: the platform, or the app itself.
static PLATFORM: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("heroku"));
static APP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("app"));

/// No process has a longer name, and no time is further in front of it.
const LONGEST_NAME: usize = 160;
const WORDS_IN_FRONT: usize = 8;

/// The process that writes lines about requests. Its lines name the dyno at their end.
const ROUTER: &str = "router";

/// The dynos that the lines of a text are about.
pub(super) fn dynos(text: &str) -> impl Iterator<Item = (DynoName, Mention)> {
    text.lines().filter(|line| line.len() >= MIN_LEN).filter_map(dyno)
}

/// Reads one line in any of its usual forms: `<134>1 TIME host heroku web.1 - ...`, `TIME heroku[web.1]: ...`,
/// or a line of the router without its front.
fn dyno(line: &str) -> Option<(DynoName, Mention)> {
    let Some(Written { front, process, rest, is_bracketed }) = written_by(&PLATFORM, line) else {
        let bare = line.trim_start();
        let is_of_router = bare.starts_with("at=") || bare.starts_with("sock=");
        let mention = Mention { at: None, certainty: Certainty::Certain };
        return routed_to(bare).filter(|_| is_of_router).map(|name| (name, mention));
    };
    if written_by(&APP, front).is_some_and(|by_app| DynoName::parse(by_app.process).is_some()) {
        return None;
    }
    let name = if process == ROUTER { routed_to(rest) } else { DynoName::parse(process) };
    let at = front.split(' ').rev().take(WORDS_IN_FRONT).find_map(time::of_text);
    // Anything else may be a sentence.
    let is_certain = at.is_some() || is_bracketed || front.trim().is_empty();
    let certainty = if is_certain { Certainty::Certain } else { Certainty::Possible };
    Some((name?, Mention { at, certainty }))
}

/// The names of the form `web.1` in a text, but for lines that the app printed.
pub(super) fn names(text: &str) -> impl Iterator<Item = DynoName> {
    // Not the parts of a URL or of a path, but `heroku/web.1`.
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '@');
    let lines = text.lines().filter(|line| written_by(&APP, line).is_none());
    let words = lines
        .flat_map(move |line| line.split(move |c| !is_of_word(c)))
        .map(|word| word.strip_prefix("heroku/").unwrap_or(word).trim_end_matches('.'));
    words.filter(|word| word.contains('.')).filter_map(DynoName::parse).filter(DynoName::is_numbered)
}

/// A line with `writer[process]`, `writer/process:` or `writer process -` in it.
struct Written<'a> {
    front: &'a str,
    process: &'a str,
    rest: &'a str,
    is_bracketed: bool,
}

fn written_by<'a>(writer: &Finder<'_>, line: &'a str) -> Option<Written<'a>> {
    writer.find_iter(line.as_bytes()).find_map(|at| {
        let (front, it) = (&line[..at], &line[at + writer.needle().len()..]);
        if front.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@')) {
            return None;
        }
        let closing = match it.bytes().next()? {
            b'[' => "]",
            b'/' => ":",
            b' ' => " -",
            _ => return None,
        };
        let it = &it[1..];
        let end = it.bytes().take(LONGEST_NAME).position(|byte| matches!(byte, b' ' | b']' | b':'))?;
        let rest = it[end..].strip_prefix(closing)?;
        (end > 0).then_some(Written { front, process: &it[..end], rest, is_bracketed: closing != " -" })
    })
}

/// The dyno of a line of the router: the last `dyno=`. Visitors choose the path and the addresses in front of it, quotes
/// included, but nothing behind it.
fn routed_to(line: &str) -> Option<DynoName> {
    line.rsplit(' ').find_map(|field| field.strip_prefix("dyno=")).and_then(DynoName::parse)
}
