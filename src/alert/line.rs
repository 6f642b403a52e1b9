//! The dyno that a line of Heroku's log is about. Only the platform is believed; what an app prints may quote anything.

use jiff::Timestamp;
use memchr::memmem;

use super::time;
use crate::heroku::DynoName;

/// Who writes a line: the platform, or the app itself.
const PLATFORM: &str = "heroku";
const APP: &str = "app";

/// The platform's router tells of a dyno in its line, not in front of it.
const ROUTER: &str = "router";

/// The dynos that the lines of a text are about, with the time that stands in front.
pub(super) fn dynos(text: &str) -> impl Iterator<Item = (DynoName, Option<Timestamp>)> {
    text.lines().filter_map(dyno)
}

/// Of a line in one of the forms in which it gets around: `<134>1 TIME host heroku web.1 - ...`, `TIME heroku[web.1]: ...`,
/// or a line of the router with nothing in front.
fn dyno(line: &str) -> Option<(DynoName, Option<Timestamp>)> {
    let Some((front, process, rest)) = written_by(PLATFORM, line) else {
        let bare = line.trim_start();
        let is_routers = bare.starts_with("at=") || bare.starts_with("sock=");
        return is_routers.then(|| routed_to(bare)).flatten().map(|name| (name, None));
    };
    if written_by(APP, front).is_some_and(|(_, process, _)| DynoName::parse(process).is_some()) {
        return None;
    }
    let name = if process == ROUTER { routed_to(rest) } else { DynoName::parse(process) };
    Some((name?, front.split(' ').rev().find_map(time::of_text)))
}

/// Where `writer[process]` or `writer process -` stands: what is in front of it, the process, and the rest.
fn written_by<'a>(writer: &str, line: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    memmem::find_iter(line.as_bytes(), writer).find_map(|at| {
        let (front, it) = (&line[..at], &line[at + writer.len()..]);
        if front.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@')) {
            return None;
        }
        let (process, rest) = match it.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => it.strip_prefix(' ')?.split_once(" -")?,
        };
        let is_one_word = !process.is_empty() && !process.contains([' ', '[']);
        is_one_word.then_some((front, process, rest))
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
