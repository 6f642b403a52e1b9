//! The picture: the last 24 hours, one lane for each dyno. What happened is told by shape, not by colour alone, and in words
//! for a screen reader.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::attention::{Attention, is_reported};
use super::times::Offset;
use crate::drain::{STEP, Step};
use crate::http::status::AppOverview;
use crate::logplex::MEGABYTE;
use crate::restart::{DynoName, WhatHappened};
use crate::util::ordered::CollectOrdered;

/// The size of the picture, in its own units. The style knows these, too: on a phone, the names are on the right.
const LEFT: i64 = 90;
const WIDTH: i64 = 870;
const LANE: i64 = 34;
const AXIS: i64 = 22;

/// How many dynos the picture shows, and how much text all lanes may take. More would make the page too large.
const MOST_LANES: usize = 30;
const MOST_BYTES: usize = 30_000;

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// The times of the picture.
struct Scale {
    now: Timestamp,
}

/// What there is to show of a dyno.
struct Lane<'a> {
    dyno: &'a DynoName,
    drawn: Markup,
    /// For a screen reader.
    words: String,
}

impl Scale {
    /// Where a time is, from left to right; `None` if it is not in the last 24 hours.
    fn x(&self, at: Timestamp) -> Option<i64> {
        let ago = self.now.duration_since(at).max(SignedDuration::ZERO);
        (ago <= DAY).then(|| LEFT + WIDTH - WIDTH * ago.as_secs() / DAY.as_secs())
    }
}

pub(super) fn picture(overview: &AppOverview, offset: Offset, now: Timestamp) -> Markup {
    let scale = Scale { now };
    let (lanes, more) = lanes(&scale, overview);
    let height = (0..).zip(&lanes).map(|(at, _)| AXIS + LANE * (at + 1)).last().unwrap_or(AXIS);
    let view_box = format!("0 0 {} {height}", LEFT + WIDTH + 10);
    let words: Vec<&str> = lanes.iter().map(|lane| &*lane.words).collect();
    html! {
        @if !lanes.is_empty() {
            figure {
                figcaption { "The last 24 hours" }
                div.scroll tabindex="0" role="region" aria-label={ "Picture of " (overview.status.app) } {
                    svg viewBox=(view_box) role="img" aria-label={ "The last 24 hours. " (words.join(" ")) } {
                        g.plot { (axis(&scale, offset, height)) }
                        @for (at, lane) in (0..).zip(&lanes) {
                            g transform={ "translate(0 " (AXIS + LANE * at) ")" } {
                                text.name x="0" y="21" { (lane.dyno) }
                                g.plot { (lane.drawn) }
                            }
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
                @if more > 0 { p { (more) " more dynos are not shown." } }
            }
        }
    }
}

/// The dynos for which there is room, those that need attention first, in order of their names; and how many more there are.
fn lanes<'a>(scale: &Scale, overview: &'a AppOverview) -> (Vec<Lane<'a>>, usize) {
    let reported = overview.drain.day.dynos().map(|(dyno, _)| dyno).filter(|dyno| is_reported(dyno, overview));
    let mut dynos: BTreeMap<&DynoName, Attention> = reported.map(|dyno| (dyno, Attention::Reported)).collect_ordered();
    let watched = overview.status.dynos.iter().filter(|dyno| dyno.is_watched);
    dynos.extend(watched.map(|dyno| (&dyno.name, Attention::of(dyno, overview))));
    let all = dynos.len();
    let mut dynos: Vec<_> = dynos.into_iter().collect();
    dynos.sort_by_key(|(_, attention)| *attention);
    let (mut lanes, mut bytes): (Vec<Lane<'_>>, _) = (Vec::new(), 0);
    for (dyno, _) in dynos.into_iter().take(MOST_LANES) {
        let lane = Lane { dyno, drawn: lane(scale, overview, dyno), words: in_words(overview, dyno) };
        bytes += lane.drawn.0.len() + lane.words.len();
        if bytes > MOST_BYTES && !lanes.is_empty() {
            break;
        }
        lanes.push(lane);
    }
    lanes.sort_by_key(|lane| lane.dyno);
    let more = all - lanes.len();
    (lanes, more)
}

/// The hours, every three.
fn axis(scale: &Scale, offset: Offset, height: i64) -> Markup {
    let last = scale.now.as_second().div_euclid(3600) * 3600;
    let times = (0..=24).step_by(3).filter_map(|hours| Timestamp::from_second(last - hours * 3600).ok());
    html! {
        @for time in times {
            @if let Some(x) = scale.x(time) {
                line.grid x1=(x) x2=(x) y1="16" y2=(height) {}
                text.hour x=(x) y="12" text-anchor="middle" { (offset.hour(time)) }
            }
        }
    }
}

fn lane(scale: &Scale, overview: &AppOverview, dyno: &DynoName) -> Markup {
    let steps: Vec<&Step> = overview.drain.day.dyno(dyno).collect();
    let marks = |what: WhatHappened| {
        let events = overview.status.events.iter().filter(|event| event.dyno == *dyno && event.what == what);
        events.filter_map(|event| Some(mark(what, scale.x(event.at)?, mark_y(what)))).collect::<String>()
    };
    html! {
        line.grid x1=(LEFT) x2=(LEFT + WIDTH) y1=(LANE - 2) y2=(LANE - 2) {}
        (drawn("reports", &reports(scale, &steps)))
        (memory(scale, &steps))
        @for what in [WhatHappened::Began, WhatHappened::Failed, WhatHappened::Restarted] {
            (drawn(class(what), &marks(what)))
        }
    }
}

fn drawn(class: &str, path: &str) -> Markup {
    html! { @if !path.is_empty() { path class=(class) d=(path) {} } }
}

/// A bar for each step with reports. Each begins relative to the end of the one before, which is shorter to write.
fn reports(scale: &Scale, steps: &[&Step]) -> String {
    let most = steps.iter().map(|step| step.reports).max().unwrap_or_default().max(1);
    let mut path = String::new();
    let mut pen: Option<(i64, i64)> = None;
    for step in steps.iter().filter(|step| step.reports > 0) {
        let Some(x) = scale.x(step.at) else { continue };
        let height = 4 + 16 * i64::from(step.reports) / i64::from(most);
        // Writing into a string cannot fail.
        match pen {
            None => write!(path, "M{} {}v-{height}", x + 2, LANE - 2),
            Some((before, down)) => write!(path, "m{} {down}v-{height}", x - before),
        }
        .ok();
        pen = Some((x, height));
    }
    path
}

/// The curve of the memory, and the quota above it. A gap in the measurements is a gap in the curve.
fn memory(scale: &Scale, steps: &[&Step]) -> Markup {
    let most = steps.iter().filter_map(|step| step.memory.max(step.quota)).max().unwrap_or(1);
    let y = |bytes: u64| {
        let megabytes = |bytes: u64| i64::try_from(bytes / MEGABYTE).unwrap_or(i64::MAX / LANE);
        LANE - 2 - (LANE - 6) * megabytes(bytes) / megabytes(most).max(1)
    };
    let quota = steps.iter().rev().find_map(|step| step.quota);
    let mut path = String::new();
    let mut before: Option<(Timestamp, i64, i64)> = None;
    for step in steps {
        let (Some(x), Some(y)) = (scale.x(step.at), step.memory.map(y)) else { continue };
        match before {
            None => write!(path, "M{x} {y}"),
            Some((at, was_x, was_y)) => {
                let is_next = step.at.duration_since(at).as_secs() <= 2 * STEP;
                write!(path, "{}{} {}", if is_next { 'l' } else { 'm' }, x - was_x, y - was_y)
            }
        }
        .ok();
        before = Some((step.at, x, y));
    }
    html! {
        (drawn("memory", &path))
        @if let Some(quota) = quota { line.quota x1=(LEFT) x2=(LEFT + WIDTH) y1=(y(quota)) y2=(y(quota)) {} }
    }
}

/// How far down in its lane a mark is. A process begins seconds after its restart, so the two marks are one above the other.
fn mark_y(what: WhatHappened) -> i64 {
    match what {
        WhatHappened::Began => 8,
        WhatHappened::Failed => 15,
        WhatHappened::Restarted => 21,
    }
}

fn class(what: WhatHappened) -> &'static str {
    match what {
        WhatHappened::Began => "began",
        WhatHappened::Restarted => "restarted",
        WhatHappened::Failed => "failed",
    }
}

/// A circle, a triangle or a cross, as a piece of a path.
fn mark(what: WhatHappened, x: i64, y: i64) -> String {
    match what {
        WhatHappened::Began => format!("M{x} {}a4 4 0 1 1-.1 0z", y - 4),
        WhatHappened::Restarted => format!("M{x} {}l6 11h-12z", y - 7),
        WhatHappened::Failed => format!("M{} {}l10 10m0-10l-10 10", x - 5, y - 5),
    }
}

fn sample(what: WhatHappened) -> Markup {
    html! { svg.sample viewBox="0 0 16 16" aria-hidden="true" { (drawn(class(what), &mark(what, 8, 8))) } }
}

fn sample_bar() -> Markup {
    html! { svg.sample viewBox="0 0 16 16" aria-hidden="true" { (drawn("reports", "M8 15v-13")) } }
}

fn sample_line() -> Markup {
    html! { svg.sample viewBox="0 0 16 16" aria-hidden="true" { (drawn("memory", "M0 13L6 9L16 4")) line.quota x1="0" x2="16" y1="2" y2="2" {} } }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A lane in words.
fn in_words(overview: &AppOverview, dyno: &DynoName) -> String {
    let count = |what: WhatHappened| {
        overview.status.events.iter().filter(|event| event.dyno == *dyno && event.what == what).count()
    };
    let reports: u64 = overview.drain.day.dyno(dyno).map(|step| u64::from(step.reports)).sum();
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
