//! What happened, in words: to which app and dyno, and what to do next. Pure.

use std::time::Duration;

use jiff::Timestamp;

use super::composer::ObstacleChange;
use crate::drain::{MEGABYTE, MemoryAround, Silence};
use crate::heroku::{AppName, DynoName, Error};
use crate::restart::{End, Failure, Note, Outcome, Report};
use crate::util::text::{human, list, printable};

/// Finds the memory of a dyno around its restart: its name before and after, and when it was up again.
pub(super) type MemoryLookup<'a> = dyn Fn(&DynoName, &DynoName, Timestamp) -> MemoryAround + 'a;

/// How many dynos a sentence names. The log names all.
const MOST_NAMED: usize = 20;

/// The longest text about one event. Several fit into one message.
const LONGEST_TEXT: usize = 1_500;

/// What alerts asked for, and the messages of the API, are cut to this length.
const LONGEST_QUOTE: usize = 300;

/// What a person should know of a pass, if there is anything. Why it ended early is a part of it only where that is new.
pub(super) fn pass(
    report: &Report,
    notes: &[Note],
    obstacle: ObstacleChange,
    memory: &MemoryLookup<'_>,
) -> Option<String> {
    let app = &report.app;
    let mut sentences = ends_of_restrictions(notes, obstacle);
    let now = report.dynos.iter().filter_map(|(dyno, outcome)| match outcome {
        Outcome::Failed(failure) => Some((dyno, failure)),
        _ => None,
    });
    sentences.extend(failures(app, &earlier_failures(notes).chain(now).collect::<Vec<_>>()));
    sentences.extend(restarted(report, notes, memory));
    sentences.extend(unconfirmed(report));
    sentences.extend(gave_up(app, notes));
    let is_told = !sentences.is_empty();
    let end = report.end.as_ref().filter(|end| is_told || obstacle.is_new || matches!(end, End::Stopped { .. }));
    sentences.extend(end.and_then(|end| ended(app, end)));
    if end.is_some() {
        let due = dynos(report, |outcome| matches!(outcome, Outcome::Due));
        sentences.extend((!due.is_empty()).then(|| format!("Not restarted: {}.", named(due))));
    }
    (!sentences.is_empty()).then(|| about(app, &sentences))
}

/// What a person should know of a look apart from a pass, if there is anything.
pub(super) fn look(app: &AppName, notes: &[Note], obstacle: ObstacleChange) -> Option<String> {
    let mut sentences = ends_of_restrictions(notes, obstacle);
    sentences.extend(failures(app, &earlier_failures(notes).collect::<Vec<_>>()));
    (!sentences.is_empty()).then(|| about(app, &sentences))
}

/// Heroku refused to list the dynos, apart from a pass.
pub(super) fn cannot_watch(app: &AppName, cause: &Error) -> String {
    about(app, &[format!("Its dynos cannot be restarted. {}", with_remedy(cause))])
}

/// Alerts came too late for a pass.
pub(super) fn dropped(app: &AppName, asked: &str) -> String {
    about(app, &[stopped(Some(asked))])
}

/// The drain of an app is silent.
pub(super) fn silence(Silence { app, lasts }: &Silence) -> String {
    let lasts = human(*lasts);
    let sentence = format!(
        "Its log drain has been silent for {lasts}. Unless the app had nothing to log, trouble is not noticed any more. Look \
         for the drain with `heroku drains -a {app}`, and for rejected ones in the log of the restarter."
    );
    about(app, &[sentence])
}

/// The sentences about an app, in one line. `<` and `>` could be a link or a mention in a chat.
fn about(app: &AppName, sentences: &[String]) -> String {
    let text = format!("{app}: {}", sentences.join(" "));
    printable(&text, LONGEST_TEXT).replace('<', "‹").replace('>', "›")
}

/// Heroku can be used again, a hold has ended, or a dyno may be restarted again.
fn ends_of_restrictions(notes: &[Note], obstacle: ObstacleChange) -> Vec<String> {
    let api = obstacle.api_is_back.then(|| "Heroku accepts the calls of the restarter again.".to_owned());
    let of_dynos = notes.iter().filter_map(|note| match note {
        Note::HoldEnded(dyno, why) => Some(format!("Alerts restart dynos again: {dyno} {why}.")),
        Note::ReArmed(dyno) => Some(format!("Alerts restart {dyno} again: the window of GIVE_UP_AFTER has passed.")),
        _ => None,
    });
    api.into_iter().chain(of_dynos).collect()
}

/// The dynos that earlier passes restarted and that are down.
fn earlier_failures(notes: &[Note]) -> impl Iterator<Item = (&DynoName, &Failure)> {
    notes.iter().filter_map(|note| match note {
        Note::Hold(dyno, failure) => Some((dyno, failure)),
        _ => None,
    })
}

/// The dynos that are not up since their restarts.
fn failures(app: &AppName, failed: &[(&DynoName, &Failure)]) -> Vec<String> {
    let mut sentences: Vec<String> =
        failed.iter().take(MOST_NAMED).map(|(dyno, failure)| failed_text(dyno, failure)).collect();
    let on_hold = failed.iter().find(|(_, failure)| !matches!(failure, Failure::Refused(_)));
    sentences.extend(on_hold.map(|(dyno, _)| {
        format!(
            "Automatic restarts are on hold until it is up. Look at `heroku logs -a {app} -d {dyno}`; an alert with \
             force=true restarts dynos in spite of the hold."
        )
    }));
    sentences
}

fn failed_text(dyno: &DynoName, failure: &Failure) -> String {
    match failure {
        Failure::Crashed { after } => format!("{dyno} crashed within {} of its restart.", human(*after)),
        Failure::DownAgain { after } => {
            format!("{dyno} was up after its restart, and was down again {} after it.", human(*after))
        }
        Failure::NotUp { within } => format!("{dyno} is not up {} after its restart.", human(*within)),
        Failure::Refused(_) => format!("{dyno} was not restarted and still runs."),
        Failure::NotSeenUp => format!("{dyno} was restarted, but not seen up before the pass ended."),
        Failure::Unknown => {
            format!("The answer to the restart of {dyno} was lost, and whether it was restarted is unknown.")
        }
    }
}

/// Which dynos were restarted, how long that took, and why.
fn restarted(report: &Report, notes: &[Note], memory: &MemoryLookup<'_>) -> Option<String> {
    let up_again = |took: &Duration| human((*took).max(Duration::from_secs(1)));
    let restarted: Vec<String> = report
        .dynos
        .iter()
        .filter_map(|(dyno, outcome)| match outcome {
            Outcome::Restarted { took, at, renamed } => {
                let name = renamed.as_ref().map(|name| format!(" as {name}")).unwrap_or_default();
                let memory = memory_text(memory(dyno, renamed.as_ref().unwrap_or(dyno), *at));
                Some(format!("{dyno} (up again{name} after {}{memory})", up_again(took)))
            }
            Outcome::Deployed { .. } => Some(format!("{dyno} (a deploy then replaced it)")),
            _ => None,
        })
        .collect();
    let alerts = if report.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", report.alerts) };
    let why = notes.iter().find_map(|note| match note {
        Note::Plan { asked, forced, .. } => {
            let force = if *forced { ", with force=true" } else { "" };
            Some(format!(" asked for {}{force}", printable(asked, LONGEST_QUOTE)))
        }
        _ => None,
    });
    let why = why.map_or_else(|| format!(" It was for {alerts}."), |asked| format!(" {alerts}{asked}."));
    (!restarted.is_empty()).then(|| format!("Restarted {}.{why}", named(restarted)))
}

/// The memory before and after a restart, as far as it is known.
fn memory_text(MemoryAround { before, after }: MemoryAround) -> String {
    let megabytes = |bytes: u64| format!("{} MB", bytes / MEGABYTE);
    match (before, after) {
        (Some(before), Some(after)) if before > after => {
            format!(", memory {} before and {} now", megabytes(before), megabytes(after))
        }
        (_, Some(after)) => format!(", memory {} now", megabytes(after)),
        (Some(before), None) => format!(", memory {} before", megabytes(before)),
        (None, None) => String::new(),
    }
}

fn unconfirmed(report: &Report) -> Option<String> {
    let dynos = dynos(report, |outcome| matches!(outcome, Outcome::Unconfirmed));
    let app = &report.app;
    (!dynos.is_empty()).then(|| {
        format!(
            "Heroku accepted the restart of {}, but nothing has changed since. Look at `heroku ps -a {app}`.",
            named(dynos)
        )
    })
}

/// Dynos that restarts do not help.
fn gave_up(app: &AppName, notes: &[Note]) -> Vec<String> {
    let given_up: Vec<_> = notes
        .iter()
        .filter_map(|note| match note {
            Note::GaveUp(dyno, skip) => Some(format!("Gave up on {dyno}: {skip}.")),
            _ => None,
        })
        .collect();
    let more = given_up.len().saturating_sub(MOST_NAMED);
    let has_any = !given_up.is_empty();
    let mut sentences: Vec<String> = given_up.into_iter().take(MOST_NAMED).collect();
    sentences.extend((more > 0).then(|| format!("Gave up on {more} more.")));
    let advice = || format!("Find the leak, or use a larger dyno size: `heroku ps:type -a {app}`.");
    sentences.extend(has_any.then(advice));
    sentences
}

/// Why the pass ended early, and what to do about it.
fn ended(app: &AppName, end: &End) -> Option<String> {
    match end {
        // The sentence about the dyno says it.
        End::Failed(_) => None,
        End::Short { running, needed } => Some(format!(
            "The pass ended early: only {running} dynos are up and {needed} are needed, and the restarter did not stop the \
             others. Look at `heroku ps -a {app}`."
        )),
        End::Api(cause) if cause.is_transient() => Some(format!(
            "Heroku's API failed for 15 minutes, and the alerts are not acted on: {} Send them again, or restart the dynos \
             by hand.",
            with_remedy(cause)
        )),
        End::Api(cause) => Some(format!("Its dynos cannot be restarted. {}", with_remedy(cause))),
        End::Stopped { waiting, .. } => Some(stopped(waiting.as_deref())),
    }
}

fn stopped(waiting: Option<&str>) -> String {
    let waiting = waiting
        .map(|asked| format!(" Alerts that waited are dropped: they asked for {}.", printable(asked, LONGEST_QUOTE)));
    format!(
        "The restarter was shut down before all was done.{} If the trouble lasts, send the alert again.",
        waiting.unwrap_or_default()
    )
}

fn with_remedy(cause: &Error) -> String {
    let said = printable(&cause.to_string(), LONGEST_QUOTE);
    let remedy = cause.remedy().map(|remedy| format!(" What to do: {remedy}."));
    format!("{said}.{}", remedy.unwrap_or_default())
}

fn dynos(report: &Report, is_wanted: impl Fn(&Outcome) -> bool) -> Vec<&DynoName> {
    report.dynos.iter().filter(|(_, outcome)| is_wanted(outcome)).map(|(dyno, _)| dyno).collect()
}

/// The first of these, and how many more there are.
fn named<T: ToString>(items: Vec<T>) -> String {
    let more = items.len().saturating_sub(MOST_NAMED);
    let more = (more > 0).then(|| format!("{more} more"));
    list(items.into_iter().take(MOST_NAMED).map(|item| item.to_string()).chain(more))
}
