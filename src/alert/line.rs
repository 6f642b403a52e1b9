//! The dyno that a line of Heroku's log is about. Only the platform is believed; what an app prints may quote anything.

use std::sync::LazyLock;

use jiff::Timestamp;
use memchr::memmem::Finder;

use super::time;
use crate::heroku::DynoName;

/// Who writes a line: the platform, or the app itself.
static PLATFORM: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("heroku"));
static APP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("app"));

/// No process is called by more, nor does its time stand further in front.
const LONGEST_NAME: usize = 160;
const WORDS_IN_FRONT: usize = 8;

/// The platform's router tells of a dyno in its line, not in front of it.
const ROUTER: &str = "router";

/// How sure it is that a line is one of the platform's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Evidence {
    /// It has the form of one.
    Sure,
    /// It may be a sentence.
    Weak,
}

/// A dyno, when the line was written, and how sure that is.
type Named = (DynoName, Option<Timestamp>, Evidence);

/// The dynos that the lines of a text are about.
pub(super) fn dynos(text: &str) -> impl Iterator<Item = Named> {
    text.lines().filter_map(dyno)
}

/// Of a line in one of the forms in which it gets around: `<134>1 TIME host heroku web.1 - ...`, `TIME heroku[web.1]: ...`,
/// or a line of the router with nothing in front.
fn dyno(line: &str) -> Option<Named> {
    let Some(Written { front, process, rest, is_bracketed }) = written_by(&PLATFORM, line) else {
        let bare = line.trim_start();
        let is_routers = bare.starts_with("at=") || bare.starts_with("sock=");
        return is_routers.then(|| routed_to(bare)).flatten().map(|name| (name, None, Evidence::Sure));
    };
    if written_by(&APP, front).is_some_and(|by_app| DynoName::parse(by_app.process).is_some()) {
        return None;
    }
    let name = if process == ROUTER { routed_to(rest) } else { DynoName::parse(process) };
    let at = front.split(' ').rev().take(WORDS_IN_FRONT).find_map(time::of_text);
    let evidence =
        if at.is_some() || is_bracketed || front.trim().is_empty() { Evidence::Sure } else { Evidence::Weak };
    Some((name?, at, evidence))
}

/// A line with `writer[process]` or `writer process -` in it.
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
        let is_bracketed = it.starts_with('[');
        let (opening, closing) = if is_bracketed { ("[", "]") } else { (" ", " -") };
        let it = it.strip_prefix(opening)?;
        let end = it.bytes().take(LONGEST_NAME).position(|byte| matches!(byte, b' ' | b']'))?;
        let rest = it[end..].strip_prefix(closing)?;
        (end > 0).then_some(Written { front, process: &it[..end], rest, is_bracketed })
    })
}

/// The dyno of a line of the router. What stands in front of it comes from anybody, quotes and all; behind it nothing does.
fn routed_to(line: &str) -> Option<DynoName> {
    line.rsplit(' ').find_map(|field| field.strip_prefix("dyno=")).and_then(DynoName::parse)
}
