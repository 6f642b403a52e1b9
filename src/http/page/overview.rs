//! Several apps on the page: one line for each, those that need a person first.

use maud::{Markup, html};

use super::html::Context;
use crate::http::status::AppOverview;
use crate::util::text::printable;

/// How many apps have a line.
const MOST_LINES: usize = 150;

/// What there is to do about an app is cut to this length. The page of the app says all of it.
const LONGEST_SENTENCE: usize = 300;

pub(super) fn overview(context: &Context<'_>, apps: &[AppOverview]) -> Markup {
    let mut apps: Vec<&AppOverview> = apps.iter().collect();
    apps.sort_by_key(|app| (app.advice.is_none(), has_all_up(app), app.status.pass.is_none()));
    let more = apps.len().saturating_sub(MOST_LINES);
    html! {
        section #apps data-live aria-label="Apps" {
            h2 { (apps.len()) " apps" }
            ul.apps { @for app in apps.iter().take(MOST_LINES) { (line(context, app)) } }
            @if more > 0 {
                p { (more) " more apps are not listed." }
            }
        }
        @if more > 0 {
            form method="get" action="/" {
                label for="app" { "Another app: " }
                input #app name="app" required;
                input type="hidden" name="offset" value=(context.offset.value());
                " " button { "Show it" }
            }
        }
    }
}

fn line(context: &Context<'_>, app: &AppOverview) -> Markup {
    let name = &app.status.app;
    let (class, sign) = match &app.advice {
        Some(_) => ("act-text", "▲ "),
        None if has_all_up(app) => ("ok-text", "✓ "),
        None => ("act-text", "✕ "),
    };
    html! {
        li {
            span class=(class) aria-hidden="true" { (sign) }
            a href=(context.link(Some(name))) { (name) }
            ": "
            @match &app.advice {
                Some(advice) => (printable(advice, LONGEST_SENTENCE)),
                None => (state(app)),
            }
        }
    }
}

fn has_all_up(app: &AppOverview) -> bool {
    let (up, all) = up_of_watched(app);
    up == all
}

/// How many of the watched dynos are up, and how many there are.
fn up_of_watched(app: &AppOverview) -> (usize, usize) {
    let watched = app.status.dynos.iter().filter(|dyno| dyno.is_watched);
    (watched.clone().filter(|dyno| dyno.state == "up").count(), watched.count())
}

/// How an app is that needs nobody.
fn state(app: &AppOverview) -> String {
    let (status, (up, all)) = (&app.status, up_of_watched(app));
    let up = format!("{up} of {all} watched dynos up");
    match (&status.pass, status.looked_at) {
        (Some(_), _) => format!("dynos are being restarted, {up}"),
        (None, None) => "its dynos have not been listed yet".to_owned(),
        (None, Some(_)) => up,
    }
}
