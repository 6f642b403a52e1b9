//! The page, made on the server. It works without scripts and loads nothing from elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::picture::picture;
use super::times::Offset;
use crate::drain::MEGABYTE;
use crate::drain::{DrainStatus, Memory};
use crate::http::status::{AppOverview, Status};
use crate::restart::{AppName, DryRun, DynoName, DynoStatus, Outcome, Report, TurnStatus};
use crate::util::text::human;

/// How often the page loads itself again, in seconds.
const REFRESH: u32 = 15;

/// The colours have a contrast of at least 4.5 to 1 to their background, in light and dark.
const STYLE: &str = include_str!("style.css");

/// A convenience: without scripts, the browser loads the whole page again.
const SCRIPT: &str = include_str!("refresh.js");

/// What a button led to.
pub(super) enum Notice {
    None,
    /// An app is restarted.
    Triggered(AppName),
    /// What a pass would restart.
    DryRun(Box<DryRun>),
    /// Nothing was done, and why.
    Refused(&'static str),
}

/// What the forms, the style and the script of a page need to be accepted.
pub(super) struct Secrets<'a> {
    /// Proves that a form came from this page.
    pub(super) token: &'a str,
    /// Allows the style and the script; new in each response.
    pub(super) nonce: &'a str,
}

/// What every part of the page needs.
struct Context<'a> {
    now: Timestamp,
    offset: Offset,
    token: &'a str,
}

impl Context<'_> {
    fn clock(&self, time: Timestamp) -> String {
        self.offset.clock(time, self.now)
    }

    fn time(&self, time: Timestamp) -> Markup {
        html! { time datetime=(time.to_string()) { (self.clock(time)) } }
    }

    fn since(&self, time: Timestamp) -> String {
        human(Duration::try_from(self.now.duration_since(time)).unwrap_or_default())
    }
}

pub(super) fn page(status: &Status, offset: Offset, notice: &Notice, secrets: &Secrets<'_>) -> Markup {
    let context = Context { now: status.now, offset, token: secrets.token };
    // A page that shows what a button led to stays until its reader leaves it.
    let is_result = matches!(notice, Notice::DryRun(_) | Notice::Refused(_));
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // In front of the script, which names the tag.
                style nonce=(secrets.nonce) { (PreEscaped(STYLE)) }
                @if !is_result {
                    noscript { meta http-equiv="refresh" content=(REFRESH); }
                    script nonce=(secrets.nonce) defer { (PreEscaped(SCRIPT)) }
                }
                title { (if status.ok { "ok" } else { "act" }) " – dyno-restarter" }
            }
            body {
                header {
                    h1 { "dyno-restarter" }
                    p #summary data-live .summary.ok[status.ok].act[!status.ok] role="status" {
                        span aria-hidden="true" { (if status.ok { "✓ " } else { "▲ " }) }
                        (status.summary)
                    }
                    p #no-news .act-text hidden { "The restarter does not answer. What you see is not fresh." }
                    (self::notice(&context, notice))
                }
                main {
                    @for app in &status.apps { (self::app(&context, app)) }
                    (requests(&context, status))
                }
                footer {
                    (clock_form(&context))
                    p #clock data-live {
                        "Version " (status.version) ", started " (context.time(status.started_at)) ". Times are in "
                        (offset.name()) ". It is " (context.time(status.now)) "."
                        @if !is_result { " The page loads itself again every " (REFRESH) " s." }
                    }
                }
            }
        }
    }
}

fn notice(context: &Context<'_>, notice: &Notice) -> Markup {
    html! {
        @match notice {
            Notice::None => {}
            Notice::Triggered(app) => p.notice role="status" {
                "A restart of " (app) " was asked for. Its pass appears below. "
                a href=(home(context.offset)) { "Close" }
            }
            Notice::Refused(why) => p.notice role="alert" { (why) " " a href=(home(context.offset)) { "Back" } }
            Notice::DryRun(dry_run) => section.notice aria-label="Dry run" role="status" {
                p {
                    "Dry run over " (dry_run.report.app) ": nothing was restarted."
                    @if let Some(end) = &dry_run.report.end { " Its dynos cannot be listed: " (end) "." }
                }
                ul {
                    @for (dyno, outcome) in &dry_run.report.dynos {
                        li { (dyno) ": " @if *outcome == Outcome::Due { "would be restarted" } @else { (outcome) } }
                    }
                }
                p { a href=(home(context.offset)) { "Back" } }
            }
        }
    }
}

fn home(offset: Offset) -> String {
    format!("/{}", offset.parameter().replacen('&', "?", 1))
}

fn app(context: &Context<'_>, overview: &AppOverview) -> Markup {
    let AppOverview { status, drain, passes, .. } = overview;
    html! {
        section aria-label=(status.app) {
            h2 { (status.app) }
            div id={ "now-" (status.app) } data-live { (now(context, overview)) (dynos(context, overview)) }
            (buttons(context, &status.app))
            div id={ "day-" (status.app) } data-live { (picture(overview, context.offset, context.now)) }
            div id={ "past-" (status.app) } data-live {
                (log_drain(context, drain))
                h3 { "Passes" }
                @if passes.is_empty() {
                    p { "No pass since the start." }
                }
                @for report in passes { (pass(context, report)) }
            }
        }
    }
}

/// What happens now, and what is on hold.
fn now(context: &Context<'_>, AppOverview { status, .. }: &AppOverview) -> Markup {
    html! {
        @match status.turn {
            None | Some(TurnStatus::DatabaseAway) => {},
            Some(TurnStatus::Ours) => p { "This restarter makes the passes over " (status.app) "." },
            Some(TurnStatus::Others) => p { "Another restarter makes the passes over " (status.app) "." },
        }
        @if let Some(pass) = &status.pass {
            p.busy {
                strong { "A pass is under way" } " since " (context.time(pass.began_at)) " for "
                (alerts(pass.alerts)) " about " (pass.asked) @if pass.forced { " (with force)" }
                ". It waits for: " (pass.waits_for.text(context.now, |time| context.clock(time))) "."
            }
            @if !pass.dynos.is_empty() {
                ul {
                    @for (dyno, outcome) in &pass.dynos {
                        li { (dyno) ": " @if *outcome == Outcome::Due { "in this pass" } @else { (outcome) } }
                    }
                }
            }
        }
        @if let Some(waiting) = &status.waiting {
            p { (alerts(waiting.alerts)) " about " (waiting.asked) " wait" @if waiting.alerts == 1 { "s" } " for the next pass." }
        }
        @if let Some(trouble) = &status.trouble {
            p.act-text {
                "Heroku does not answer as it should since " (context.time(trouble.since)) ": " (trouble.error)
                @if let Some(next) = trouble.next_call { "; next try " (context.time(next)) }
                @if let Some(gives_up) = trouble.gives_up_at { ", gives up " (context.time(gives_up)) }
                "."
            }
        }
        @for hold in &status.holds {
            p.act-text {
                strong { "Automatic restarts are on hold: " } (hold) ", at " (context.time(hold.restarted_at))
                ". Alerts count again when it is up, and at " (context.time(hold.until)) " at the latest."
            }
        }
        @for given_up in &status.given_up {
            p.act-text {
                strong { "Restarts do not help " (given_up.dyno) "." } " Alerts about it count again at "
                (context.time(given_up.until)) "."
            }
        }
    }
}

fn dynos(context: &Context<'_>, AppOverview { status, drain, .. }: &AppOverview) -> Markup {
    let has_memory = !drain.memory.is_empty();
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
                        tbody { @for dyno in &status.dynos { (row(dyno, has_memory, drain.memory.get(&dyno.name))) } }
                    }
                }
            }
        }
    }
}

fn row(dyno: &DynoStatus, has_memory: bool, memory: Option<&Memory>) -> Markup {
    let is_up = dyno.state == "up";
    html! {
        tr {
            th scope="row" { (dyno.name) }
            td { span aria-hidden="true" { (if is_up { "● " } else { "✕ " }) } (dyno.state) }
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
                @for reports in &drain.reports {
                    " " (reports.dyno) " has " (reports.count) " of " (drain.tolerance) " reports (" (reports.what)
                    ") within " (human(Duration::from_secs(drain.tolerance_seconds))) "."
                }
            }
        }
    }
}

fn pass(context: &Context<'_>, report: &Report) -> Markup {
    let verb = |outcome: &Outcome| match outcome {
        Outcome::Restarted { .. } => "✓",
        Outcome::Failed(_) => "✕",
        _ => "–",
    };
    let detail = |(dyno, outcome): (&DynoName, &Outcome)| {
        html! { li { span aria-hidden="true" { (verb(outcome)) " " } (dyno) ": " (outcome) } }
    };
    html! {
        details id={ "pass-" (report.app) "-" (report.began_at.as_microsecond()) } {
            summary {
                (context.time(report.began_at)) " – " (alerts(report.alerts))
                @if !report.senders.is_empty() {
                    " from key " (report.senders.iter().map(|sender| &**sender).collect::<Vec<_>>().join(", "))
                }
                ": " (outcome_in_short(report))
            }
            ul {
                @for line in &report.dynos { (detail(line)) }
                @if let Some(end) = &report.end { li { "It ended early: " (end) } }
                li { "It took " (human(report.took)) " and " (report.calls) " calls." }
            }
        }
    }
}

fn outcome_in_short(report: &Report) -> String {
    let count = |word: &str| report.dynos.values().filter(|outcome| outcome.word() == word).count();
    let words = ["restarted", "unconfirmed", "deployed", "failed", "due", "skipped"];
    let said =
        ["restarted", "restarted without confirmation", "replaced by a deploy", "failed", "not reached", "left alone"];
    let parts = words.iter().zip(said).filter(|(word, _)| count(word) > 0);
    let parts: Vec<_> = parts.map(|(word, said)| format!("{} {said}", count(word))).collect();
    match (&report.end, parts.is_empty()) {
        (Some(end), true) => format!("ended early: {end}"),
        (Some(_), false) => format!("{}; ended early", parts.join(", ")),
        (None, true) => "nothing to do".to_owned(),
        (None, false) => parts.join(", "),
    }
}

fn requests(context: &Context<'_>, status: &Status) -> Markup {
    html! {
        section #requests data-live aria-label="Requests that led to nothing" {
            h2 { "Requests that led to nothing" }
            @if status.alerts.is_empty() {
                p { "None since the start." }
            } @else {
                ul {
                    @for alert in &status.alerts {
                        li {
                            (context.time(alert.at)) " – " (alert.outcome)
                            @if let Some(app) = &alert.app { " (" (app) ")" }
                            @if !alert.key.is_empty() { ", key " (alert.key) }
                            ": " (alert.reason)
                            @if alert.count > 1 { " (" (alert.count) " times)" }
                        }
                    }
                }
            }
        }
    }
}

fn clock_form(context: &Context<'_>) -> Markup {
    html! {
        form method="get" action="/" {
            label for="offset" { "Your clock: " }
            select id="offset" name="offset" {
                @for offset in Offset::all() {
                    option value=(offset.value()) selected[offset == context.offset] { (offset.name()) }
                }
            }
            " " button { "Show my time" }
        }
    }
}

fn alerts(count: u64) -> String {
    if count == 1 { "1 alert".to_owned() } else { format!("{count} alerts") }
}
