//! One app on the page: what happens now, its dynos, the buttons, the last 24 hours, its passes. However many dynos it has, the
//! page stays small: those that need attention are shown, and the others are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use maud::{Markup, html};

use super::attention::Attention;
use super::html::{Context, alerts};
use super::picture::picture;
use crate::drain::{DrainStatus, MEGABYTE, Memory};
use crate::http::status::AppOverview;
use crate::restart::{AppName, AppStatus, DatabaseStatus, DynoRecord, DynoStatus, PassRecord, TurnStatus};
use crate::util::text::{human, list, printable};

/// How many dynos have a row.
const MOST_ROWS: usize = 40;

/// How many dynos of one pass are named.
const MOST_OUTCOMES: usize = 8;

/// How many dynos that are on hold, given up on or reported have a sentence each.
const MOST_SENTENCES: usize = 5;

/// A sentence about a pass is cut to this length. A row of the database may have been changed by hand.
const LONGEST_SENTENCE: usize = 500;

/// The same for the name of a dyno.
const LONGEST_NAME: usize = 100;

/// All there is to say of an app.
pub(super) fn app(context: &Context<'_>, overview: &AppOverview, database: Option<&DatabaseStatus>) -> Markup {
    let AppOverview { status, drain, passes, passes_problem, .. } = overview;
    html! {
        section aria-label=(status.app) {
            h2 { (status.app) }
            div id={ "now-" (status.app) } data-live {
                @if let Some(database) = database { (replicas(context, status, database)) }
                (now(context, overview))
                (dynos(context, overview))
            }
            (buttons(context, &status.app))
            div id={ "day-" (status.app) } data-live { (picture(overview, context.offset, context.now)) }
            div id={ "past-" (status.app) } data-live {
                (log_drain(context, drain))
                h3 { "Passes" }
                @if passes.is_empty() {
                    p { @if database.is_some() { "No pass yet." } @else { "No pass since the start." } }
                }
                @if let Some(problem) = passes_problem { p.act-text { (problem) } }
                @for report in passes { (pass(context, report)) }
            }
        }
    }
}

/// Who makes the passes, and how old the copy is of what other restarters wrote into the database.
fn replicas(context: &Context<'_>, status: &AppStatus, database: &DatabaseStatus) -> Markup {
    html! {
        @match (status.turn, &status.turn_holder) {
            (None, _) => {},
            (Some(TurnStatus::Ours), _) => p { "This restarter makes the passes over " (status.app) "." },
            (Some(TurnStatus::Others), None) => p { "No restarter makes the passes over " (status.app) " yet." },
            (Some(TurnStatus::Others), Some(holder)) => {
                p { "The restarter " (holder) " makes the passes over " (status.app) "." }
            }
            (Some(TurnStatus::Alone), _) => p.act-text {
                "This restarter makes the passes over " (status.app) " without the database."
            },
            (Some(TurnStatus::Unknown), _) => p.act-text { "No restarter can make passes over " (status.app) " now." },
            (Some(TurnStatus::DatabaseAway), holder) => p.act-text {
                @if let Some(answered_at) = database.answered_at {
                    "What other restarters did and saw is shown as of " (context.time(answered_at))
                    "; the database does not answer."
                } @else {
                    "The database has not answered since the start, so what other restarters did is not shown."
                }
                @if let Some(holder) = holder { " The restarter " (holder) " made the passes then." }
            },
        }
    }
}

/// What happens now, and what is on hold.
fn now(context: &Context<'_>, AppOverview { status, .. }: &AppOverview) -> Markup {
    html! {
        @if let Some(pass) = &status.pass {
            p.busy {
                strong { "A pass is under way" } " since " (context.time(pass.began_at)) " for "
                (alerts(pass.alerts)) " about " (pass.asked) @if pass.forced { " (with force)" }
                ". It waits for: "
                (printable(&pass.waits_for.text(context.now, |time| context.clock(time)), LONGEST_SENTENCE)) "."
            }
            @if !pass.dynos.is_empty() {
                ul { (outcomes(&pass.dynos, MOST_ROWS, "in this pass")) }
            }
        }
        @if let Some(waiting) = &status.waiting {
            p { (alerts(waiting.alerts)) " about " (waiting.asked) " wait" @if waiting.alerts == 1 { "s" } " for the next pass." }
        }
        @if let Some(trouble) = &status.trouble {
            p.act-text {
                "Calls to Heroku have failed since " (context.time(trouble.since)) ": " (trouble.error)
                @if let Some(next) = trouble.next_call { "; next try " (context.time(next)) }
                @if let Some(gives_up) = trouble.gives_up_at { ", gives up " (context.time(gives_up)) }
                "."
            }
        }
        @for hold in status.holds.iter().take(MOST_SENTENCES) {
            p.act-text {
                strong { "Automatic restarts are on hold: " } (hold) ", at " (context.time(hold.restarted_at))
                ". Alerts count again when it is up, and at " (context.time(hold.until)) " at the latest."
            }
        }
        (more(status.holds.len(), "hold automatic restarts, too"))
        @for given_up in status.given_up.iter().take(MOST_SENTENCES) {
            p.act-text {
                strong { "Restarts do not help " (given_up.dyno) "." } " Alerts about it count again at "
                (context.time(given_up.until)) "."
            }
        }
        (more(status.given_up.len(), "are not helped by restarts, either"))
    }
}

/// How many more dynos there are than have a sentence.
fn more(all: usize, what: &str) -> Markup {
    html! {
        @if all > MOST_SENTENCES { p.act-text { (all - MOST_SENTENCES) " more dynos " (what) "." } }
    }
}

fn dynos(context: &Context<'_>, overview: &AppOverview) -> Markup {
    let AppOverview { status, drain, .. } = overview;
    let has_memory = !drain.memory.is_empty();
    let mut dynos: Vec<&DynoStatus> = status.dynos.iter().collect();
    if dynos.len() > MOST_ROWS {
        dynos.sort_by_key(|dyno| Attention::of(dyno, overview));
    }
    let rest = dynos.split_off(dynos.len().min(MOST_ROWS));
    html! {
        @match status.looked_at {
            None => p { "Its dynos have not been listed yet." },
            Some(at) => {
                div.scroll tabindex="0" role="region" aria-label={ "Dynos of " (status.app) } {
                    table {
                        caption { "Dynos, as Heroku listed them at " (context.time(at)) " (" (context.since(at)) " ago)" }
                        thead {
                            tr {
                                th scope="col" { "dyno" } th scope="col" { "state" } th scope="col" { "age" }
                                th scope="col" { "size" }
                                @if has_memory { th scope="col" { "memory" } }
                                th scope="col" { "an alert now would" }
                            }
                        }
                        tbody { @for dyno in dynos { (row(dyno, has_memory, drain.memory.get(&dyno.name))) } }
                    }
                }
                @if !rest.is_empty() { p { (rest.len()) " more dynos: " (counted(&rest)) "." } }
            }
        }
    }
}

/// Dynos by their type and state.
fn counted(dynos: &[&DynoStatus]) -> String {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    for dyno in dynos {
        *counts.entry((&dyno.process_type, &dyno.state)).or_default() += 1;
    }
    list(counts.into_iter().map(|((process_type, state), count)| format!("{count} {process_type} {state}")))
}

fn row(dyno: &DynoStatus, has_memory: bool, memory: Option<&Memory>) -> Markup {
    let is_up = dyno.state == "up";
    html! {
        tr {
            th scope="row" { (dyno.name) }
            td.act-text[dyno.is_watched && !is_up] { span aria-hidden="true" { (if is_up { "● " } else { "✕ " }) } (dyno.state) }
            td { (dyno.age_seconds.map_or_else(|| "unknown".to_owned(), |age| human(Duration::from_secs(age)))) }
            td { (dyno.size.as_deref().unwrap_or("unknown")) }
            @if has_memory { td { (memory_use(memory)) } }
            td { @if dyno.is_due { "restart it" } @else { "leave it alone: " (dyno.reason.as_deref().unwrap_or("")) } }
        }
    }
}

fn memory_use(memory: Option<&Memory>) -> Markup {
    html! {
        @if let Some(Memory { total, quota, .. }) = memory {
            @match quota {
                Some(quota) => {
                    meter min="0" max=(quota) high=(quota.saturating_sub(1)) value=(total) {}
                    " " (total / MEGABYTE) " of " (quota / MEGABYTE) " MB"
                }
                None => { (total / MEGABYTE) " MB" },
            }
        } @else { "not logged yet" }
    }
}

fn buttons(context: &Context<'_>, app: &AppName) -> Markup {
    html! {
        form method="post" action="/" {
            input type="hidden" name="token" value=(context.token);
            input type="hidden" name="app" value=(app);
            input type="hidden" name="offset" value=(context.offset.value());
            button name="action" value="dry_run" { "Dry run" span.sr { " of " (app) } }
            button name="action" value="restart" { "Restart now" span.sr { " " (app) } }
            label { input type="checkbox" name="force" value="true"; " even dynos that are young, on hold or given up on" }
        }
    }
}

fn log_drain(context: &Context<'_>, drain: &DrainStatus) -> Markup {
    html! {
        @match drain.heard_at {
            None => p { "Log drain: never heard since the start." },
            Some(at) => p {
                "Log drain: last heard " (context.time(at)) @if let Some(key) = &drain.key { ", key " (key) } "."
                @if drain.reports.is_empty() { " No reports count towards TOLERANCE." }
                @for reports in drain.reports.iter().take(MOST_SENTENCES) {
                    " " (reports.dyno) " has " (reports.count) " of " (drain.tolerance) " reports (" (reports.what)
                    ") within " (human(Duration::from_secs(drain.tolerance_seconds))) "."
                }
                @if drain.reports.len() > MOST_SENTENCES {
                    " " (drain.reports.len() - MOST_SENTENCES) " more have some."
                }
            }
        }
    }
}

fn pass(context: &Context<'_>, pass: &PassRecord) -> Markup {
    html! {
        details id={ "pass-" (pass.app) "-" (pass.began_at.as_microsecond()) } {
            summary {
                (context.time(pass.began_at)) " – " (alerts(pass.alerts))
                @if !pass.senders.is_empty() { " from key " (printable(&pass.senders.join(", "), LONGEST_SENTENCE)) }
                ": " (in_short(pass))
            }
            ul {
                (outcomes(&pass.dynos, MOST_OUTCOMES, "due, not restarted"))
                @if let Some(end) = &pass.ended_early { li { "It ended early: " (printable(end, LONGEST_SENTENCE)) } }
                li { "It took " (human(Duration::from_secs(pass.took_seconds))) " and " (pass.calls) @if pass.calls == 1 { " call." } @else { " calls." } }
            }
        }
    }
}

/// What became of dynos: those that failed first, if there are too many.
pub(super) fn outcomes(dynos: &[DynoRecord], most: usize, due: &str) -> Markup {
    let mark = |outcome: &str| match outcome {
        "restarted" => "✓",
        "failed" => "✕",
        _ => "–",
    };
    let mut dynos: Vec<&DynoRecord> = dynos.iter().collect();
    if dynos.len() > most {
        dynos.sort_by_key(|record| (record.outcome != "failed", record.outcome == "skipped"));
    }
    let rest = dynos.split_off(dynos.len().min(most));
    html! {
        @for DynoRecord { dyno, outcome, detail } in dynos {
            li {
                span aria-hidden="true" { (mark(outcome)) " " } (printable(dyno, LONGEST_NAME)) ": "
                @if outcome == "due" { (due) } @else { (printable(detail, LONGEST_SENTENCE)) }
            }
        }
        @if !rest.is_empty() { li { (rest.len()) " more: " (counts(rest)) } }
    }
}

/// How many dynos have which outcome.
fn counts<'a>(dynos: impl IntoIterator<Item = &'a DynoRecord>) -> String {
    let words = ["restarted", "unconfirmed", "deployed", "failed", "due", "skipped"];
    let said =
        ["restarted", "restarted without confirmation", "replaced by a deploy", "failed", "not reached", "left alone"];
    let mut counts = [0; 6];
    // In words of another version of this program.
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for DynoRecord { outcome, .. } in dynos {
        match words.iter().position(|word| word == outcome) {
            Some(at) => counts[at] += 1,
            None => *others.entry(outcome).or_default() += 1,
        }
    }
    let known = counts.into_iter().zip(said).filter(|(count, _)| *count > 0);
    let others = others.into_iter().map(|(word, count)| (count, word));
    known
        .chain(others)
        .map(|(count, said)| format!("{count} {}", printable(said, LONGEST_NAME)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn in_short(pass: &PassRecord) -> String {
    let counts = counts(&pass.dynos);
    match (&pass.ended_early, counts.is_empty()) {
        (Some(end), true) => format!("ended early: {}", printable(end, LONGEST_SENTENCE)),
        (Some(_), false) => format!("{counts}; ended early"),
        (None, true) => "nothing to do".to_owned(),
        (None, false) => counts,
    }
}
