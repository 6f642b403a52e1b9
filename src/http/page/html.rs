//! The page, made on the server. It works without scripts and loads nothing from elsewhere.

use std::time::Duration;

use jiff::Timestamp;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::app::{app, outcomes};
use super::overview::overview;
use super::times::Offset;
use crate::http::status::Status;
use crate::restart::{AppName, DryRun, DynoRecord};
use crate::util::text::{human, printable};

/// How often the page loads itself again, in seconds.
const REFRESH: u32 = 15;

/// The colours have a contrast of at least 4.5 to 1 to their background, in light and dark.
const STYLE: &str = include_str!("style.css");

/// A convenience: without scripts, the browser loads the whole page again.
const SCRIPT: &str = include_str!("refresh.js");

/// How many dynos a dry run names.
const MOST_IN_DRY_RUN: usize = 40;

/// What the answer to a wrong URL or button is cut to: it may name all apps.
const LONGEST_REFUSAL: usize = 1_000;

/// What the page shows.
pub(super) struct Shown {
    /// All apps, or the one that the reader chose.
    pub(super) status: Status,
    pub(super) offset: Offset,
    /// Beside a chosen app: how many of the others need attention. `None` where all are shown.
    pub(super) others: Option<usize>,
}

/// What a button led to.
pub(super) enum Notice {
    None,
    /// An app is restarted.
    Triggered(AppName),
    /// What a pass would restart.
    DryRun(Box<DryRun>),
    /// Nothing was done, and why.
    Refused(String),
}

/// What the forms, the style and the script of a page need to be accepted.
pub(super) struct Secrets<'a> {
    /// Proves that a form came from this page.
    pub(super) token: &'a str,
    /// Allows the style and the script; new in each response.
    pub(super) nonce: &'a str,
}

/// What every part of the page needs.
pub(super) struct Context<'a> {
    pub(super) now: Timestamp,
    pub(super) offset: Offset,
    pub(super) token: &'a str,
    /// The app that the reader chose of several.
    chosen: Option<&'a AppName>,
}

impl Context<'_> {
    pub(super) fn clock(&self, time: Timestamp) -> String {
        self.offset.clock(time, self.now)
    }

    pub(super) fn time(&self, time: Timestamp) -> Markup {
        html! { time datetime=(time.to_string()) { (self.clock(time)) } }
    }

    pub(super) fn since(&self, time: Timestamp) -> String {
        human(Duration::try_from(self.now.duration_since(time)).unwrap_or_default())
    }

    /// The URL of the page of an app, or of all.
    pub(super) fn link(&self, app: Option<&AppName>) -> String {
        let app = app.map(|app| format!("&app={app}")).unwrap_or_default();
        format!("/{}", format!("{app}{}", self.offset.parameter()).replacen('&', "?", 1))
    }

    /// The URL of this page, without what a button led to.
    fn here(&self) -> String {
        self.link(self.chosen)
    }
}

pub(super) fn page(shown: &Shown, notice: &Notice, secrets: &Secrets<'_>) -> Markup {
    let Shown { status, offset, others } = shown;
    let chosen = others.and(status.apps.first()).map(|app| &app.status.app);
    let context = Context { now: status.now, offset: *offset, token: secrets.token, chosen };
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
                title {
                    (if status.ok { "ok" } else { "act" }) " – "
                    @if let Some(app) = chosen { (app) " – " }
                    "dyno-restarter"
                }
            }
            body {
                header {
                    h1 { "dyno-restarter" }
                    @if let Some(others) = others {
                        p #others data-live {
                            a href=(context.link(None)) { "All apps" }
                            @match others {
                                0 => {}
                                1 => span.act-text { " – another one needs a person" }
                                more => span.act-text { " – " (more) " others need attention" }
                            }
                        }
                    }
                    p #summary data-live .summary.ok[status.ok].act[!status.ok] role="status" {
                        span aria-hidden="true" { (if status.ok { "✓ " } else { "▲ " }) }
                        (status.summary)
                    }
                    p #no-news .act-text hidden { "The restarter does not answer. This page is out of date." }
                    (self::notice(&context, notice))
                }
                main {
                    @match &*status.apps {
                        [app] => (self::app(&context, app, status.database.as_ref())),
                        apps => (overview(&context, apps)),
                    }
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
                a href=(context.here()) { "Close" }
            }
            Notice::Refused(why) => p.notice role="alert" {
                (printable(why, LONGEST_REFUSAL)) " " a href=(context.here()) { "Back" }
            }
            Notice::DryRun(dry_run) => section.notice aria-label="Dry run" role="status" {
                p {
                    "Dry run over " (dry_run.report.app) ": nothing was restarted."
                    @if let Some(end) = &dry_run.report.end { " Its dynos cannot be listed: " (end) "." }
                }
                ul { (outcomes(&DynoRecord::all(&dry_run.report.dynos), MOST_IN_DRY_RUN, "would be restarted")) }
                p { a href=(context.here()) { "Back" } }
            }
        }
    }
}

fn requests(context: &Context<'_>, status: &Status) -> Markup {
    html! {
        section #requests data-live aria-label="Requests that led to nothing" {
            h2 { "Requests that led to nothing" }
            @if status.alerts.is_empty() {
                p { @if status.database.is_some() { "None in the last day." } @else { "None since the start." } }
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
            @if let Some(app) = context.chosen { input type="hidden" name="app" value=(app); }
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

pub(super) fn alerts(count: u64) -> String {
    if count == 1 { "1 alert".to_owned() } else { format!("{count} alerts") }
}
