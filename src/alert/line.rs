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

/// The dynos that the lines of a text are about, with the time that stands in front.
pub(super) fn dynos(text: &str) -> impl Iterator<Item = (DynoName, Option<Timestamp>)> {
    text.lines().filter_map(dyno)
}

/// Of a line in one of the forms in which it gets around: `<134>1 TIME host heroku web.1 - ...`, `TIME heroku[web.1]: ...`,
/// or a line of the router with nothing in front.
fn dyno(line: &str) -> Option<(DynoName, Option<Timestamp>)> {
    let Some((front, process, rest)) = written_by(&PLATFORM, line) else {
        let bare = line.trim_start();
        let is_routers = bare.starts_with("at=") || bare.starts_with("sock=");
        return is_routers.then(|| routed_to(bare)).flatten().map(|name| (name, None));
    };
    if written_by(&APP, front).is_some_and(|(_, process, _)| DynoName::parse(process).is_some()) {
        return None;
    }
    let name = if process == ROUTER { routed_to(rest) } else { DynoName::parse(process) };
    Some((name?, front.split(' ').rev().take(WORDS_IN_FRONT).find_map(time::of_text)))
}

/// Where `writer[process]` or `writer process -` stands: what is in front of it, the process, and the rest.
fn written_by<'a>(writer: &Finder<'_>, line: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    writer.find_iter(line.as_bytes()).find_map(|at| {
        let (front, it) = (&line[..at], &line[at + writer.needle().len()..]);
        if front.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@')) {
            return None;
        }
        let (opening, closing) = if it.starts_with('[') { ("[", "]") } else { (" ", " -") };
        let it = it.strip_prefix(opening)?;
        let end = it.bytes().take(LONGEST_NAME).position(|byte| matches!(byte, b' ' | b']'))?;
        let rest = it[end..].strip_prefix(closing)?;
        (end > 0).then_some((front, &it[..end], rest))
    })
}

/// The dyno of a line of the router. Values may be quoted, and what is quoted comes from anybody; behind `dyno=` nothing
/// does, so the last one is the router's.
fn routed_to(line: &str) -> Option<DynoName> {
    let mut is_quoted = false;
    let fields = line.split(|c| {
        is_quoted ^= c == '"';
        c == ' ' && !is_quoted
    });
    fields.filter_map(|field| field.strip_prefix("dyno=")).last().and_then(DynoName::parse)
}
