//! The picture: the last 24 hours, one lane for each dyno. What happened is told by shape, not by colour alone, and in words
//! for a screen reader.

use std::collections::BTreeSet;
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::times::Offset;
use crate::drain::{STEP, Step};
use crate::http::status::AppOverview;
use crate::logplex::MEGABYTE;
use crate::restart::{DynoEvent, DynoName, WhatHappened};

/// The size of the picture, in its own units.
const LEFT: f64 = 90.0;
const WIDTH: f64 = 870.0;
const LANE: f64 = 34.0;
const AXIS: f64 = 22.0;

/// How many dynos the picture shows. More would make the page too large.
const MOST_LANES: usize = 30;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The times of the picture.
struct Scale {
    now: Timestamp,
}

impl Scale {
    /// Where a time is, from left to right; `None` if it is not in the last 24 hours.
    fn x(&self, at: Timestamp) -> Option<f64> {
        let ago = self.now.duration_since(at).max(SignedDuration::ZERO);
        (ago <= DAY).then(|| LEFT + WIDTH * (1.0 - ago.as_secs_f64() / DAY.as_secs_f64()))
    }
}

pub(super) fn picture(overview: &AppOverview, offset: Offset, now: Timestamp) -> Markup {
    let AppOverview { status, drain, .. } = overview;
    let with_news =
        drain.day.dynos().filter(|(_, steps)| steps.iter().any(|step| step.reports > 0)).map(|(dyno, _)| dyno);
    let dynos: BTreeSet<&DynoName> =
        status.dynos.iter().filter(|dyno| dyno.is_watched).map(|dyno| &dyno.name).chain(with_news).collect();
    let shown: Vec<&DynoName> = dynos.iter().copied().take(MOST_LANES).collect();
    let scale = Scale { now };
    let height = AXIS + LANE * u16::try_from(shown.len()).map_or(0.0, f64::from);
    let view_box = format!("0 0 {} {height}", LEFT + WIDTH + 10.0);
    let words: Vec<String> = shown.iter().map(|dyno| in_words(overview, dyno)).collect();
    html! {
        @if !shown.is_empty() {
            figure {
                figcaption { "The last 24 hours" }
                div.scroll tabindex="0" role="region" aria-label={ "Picture of " (status.app) } {
                    svg viewBox=(view_box) role="img" aria-label={ "The last 24 hours. " (words.join(" ")) } {
                        (axis(&scale, offset, height))
                        @for (at, dyno) in (0u16..).zip(&shown) {
                            @let top = AXIS + LANE * f64::from(at);
                            g transform={ "translate(0 " (top) ")" } { (lane(&scale, overview, dyno)) }
                        }
                    }
                }
                p.legend {
                    span { (sample(WhatHappened::Began)) " a process began" }
                    span { (sample(WhatHappened::Restarted)) " we restarted it" }
                    span { (sample(WhatHappened::Failed)) " it did not come up" }
                    span { (sample_bar()) " reports of trouble" }
                    span { (sample_line()) " memory, up to the dashed quota" }
                }
                @if dynos.len() > shown.len() { p { (dynos.len() - shown.len()) " more dynos are not shown." } }
            }
        }
    }
}

/// The hours, every three.
fn axis(scale: &Scale, offset: Offset, height: f64) -> Markup {
    let last = scale.now.as_second().div_euclid(3600) * 3600;
    let times = (0..=24).step_by(3).filter_map(|hours| Timestamp::from_second(last - hours * 3600).ok());
    html! {
        @for time in times {
            @if let Some(x) = scale.x(time) {
                line.grid x1=(format!("{x:.1}")) x2=(format!("{x:.1}")) y1="16" y2=(height) {}
                text.hour x=(format!("{x:.1}")) y="12" text-anchor="middle" { (offset.hour(time)) }
            }
        }
    }
}

fn lane(scale: &Scale, overview: &AppOverview, dyno: &DynoName) -> Markup {
    let steps: Vec<&Step> = overview.drain.day.dyno(dyno).collect();
    let most = steps.iter().map(|step| step.reports).max().unwrap_or_default().max(1);
    let events = overview.status.events.iter().filter(|event| event.dyno == *dyno);
    html! {
        text.name x="0" y="21" { (dyno) }
        line.grid x1=(LEFT) x2=(LEFT + WIDTH) y1=(LANE - 2.0) y2=(LANE - 2.0) {}
        @for step in steps.iter().filter(|step| step.reports > 0) {
            @if let Some(x) = scale.x(step.at) {
                @let height = 4.0 + 16.0 * f64::from(step.reports) / f64::from(most);
                rect.reports x=(format!("{x:.1}")) y=(format!("{:.1}", LANE - 2.0 - height)) width="5" height=(format!("{height:.1}")) {}
            }
        }
        (memory(scale, &steps))
        @for DynoEvent { at, what, .. } in events {
            @if let Some(x) = scale.x(*at) { (mark(*what, x, mark_y(*what))) }
        }
    }
}

/// The curve of the memory, and the quota above it. A gap in the measurements is a gap in the curve.
fn memory(scale: &Scale, steps: &[&Step]) -> Markup {
    let most = steps.iter().filter_map(|step| step.memory.max(step.quota)).max().unwrap_or(1);
    let y = |bytes: u64| {
        // Whole megabytes are exact in this type.
        let megabytes = |bytes: u64| u32::try_from(bytes / MEGABYTE).map_or(0.0, f64::from);
        LANE - 2.0 - (LANE - 6.0) * megabytes(bytes) / megabytes(most).max(1.0)
    };
    let quota = steps.iter().rev().find_map(|step| step.quota);
    let mut path = String::new();
    let mut before: Option<Timestamp> = None;
    for step in steps {
        let (Some(x), Some(bytes)) = (scale.x(step.at), step.memory) else { continue };
        let is_next = before.is_some_and(|before| step.at.duration_since(before).as_secs() <= 2 * STEP);
        // Writing into a string cannot fail.
        write!(path, "{}{x:.1} {:.1}", if is_next { 'L' } else { 'M' }, y(bytes)).ok();
        before = Some(step.at);
    }
    html! {
        @if !path.is_empty() { path.memory d=(path) {} }
        @if let Some(quota) = quota { line.quota x1=(LEFT) x2=(LEFT + WIDTH) y1=(format!("{:.1}", y(quota))) y2=(format!("{:.1}", y(quota))) {} }
    }
}

/// How far down in its lane a mark is. A process begins seconds after its restart, so the two marks are one above the other.
fn mark_y(what: WhatHappened) -> f64 {
    match what {
        WhatHappened::Began => 8.0,
        WhatHappened::Failed => 15.0,
        WhatHappened::Restarted => 21.0,
    }
}

fn mark(what: WhatHappened, x: f64, y: f64) -> Markup {
    html! {
        @match what {
            WhatHappened::Began => circle.began cx=(format!("{x:.1}")) cy=(y) r="4" {},
            WhatHappened::Restarted => path.restarted d=(format!("M{x:.1} {:.1}l6 11h-12z", y - 7.0)) {},
            WhatHappened::Failed => path.failed d=(format!("M{:.1} {:.1}l10 10m0 -10l-10 10", x - 5.0, y - 5.0)) {},
        }
    }
}

fn sample(what: WhatHappened) -> Markup {
    html! { svg.sample viewBox="0 0 16 16" aria-hidden="true" { (mark(what, 8.0, 8.0)) } }
}

fn sample_bar() -> Markup {
    html! { svg.sample viewBox="0 0 16 16" aria-hidden="true" { rect.reports x="5" y="2" width="5" height="13" {} } }
}

fn sample_line() -> Markup {
    html! { svg.sample viewBox="0 0 16 16" aria-hidden="true" { path.memory d="M0 13L6 9L16 4" {} line.quota x1="0" x2="16" y1="2" y2="2" {} } }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A lane in words.
fn in_words(overview: &AppOverview, dyno: &DynoName) -> String {
    let count = |what: WhatHappened| {
        overview.status.events.iter().filter(|event| event.dyno == *dyno && event.what == what).count()
    };
    let reports: u32 = overview.drain.day.dyno(dyno).map(|step| step.reports).sum();
    let (began, restarted, failed) =
        (count(WhatHappened::Began), count(WhatHappened::Restarted), count(WhatHappened::Failed));
    let memory = overview.drain.memory.get(dyno).map_or_else(String::new, |memory| {
        let quota = memory.quota.map_or_else(String::new, |quota| format!(" of {}", quota / MEGABYTE));
        format!(", memory {}{quota} MB now", memory.total / MEGABYTE)
    });
    let reports = usize::try_from(reports).unwrap_or(usize::MAX);
    let (began, restarted) =
        (counted(began, "process began", "processes began"), counted(restarted, "restart", "restarts"));
    let (failed, reports) = (counted(failed, "failure", "failures"), counted(reports, "report", "reports"));
    format!("{dyno}: {began}, {restarted} by us, {failed}, {reports}{memory}.")
}
