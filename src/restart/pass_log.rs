//! What passes tell the log. Alerts may come every few seconds; the log says a thing once.

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::time::Duration;

use tracing::{Level, debug, event, info, warn};

use super::event::Note;
use super::report::{End, Outcome, Report, Skip};
use crate::heroku::{AppName, DynoName};
use crate::util::text::{human, list};

/// How many dynos that an app does not have are named in the log, in one pass.
const MOST_UNKNOWN: usize = 20;

/// How many dynos are remembered. On Fir each instance has a new name, so the old ones must be forgotten some time.
const MOST_REMEMBERED: usize = 2_000;

/// What an app's passes have told the log.
#[derive(Debug, Default)]
pub(super) struct PassLog {
    /// Why each dyno was left alone the last time.
    skips: HashMap<DynoName, Discriminant<Skip>>,
    unknown: usize,
}

impl PassLog {
    pub(super) fn write(&mut self, app: &AppName, notes: &[Note]) {
        for note in notes {
            self.write_note(app, note);
        }
    }

    fn write_note(&mut self, app: &AppName, note: &Note) {
        match note {
            Note::Plan { dynos, asked, forced } => {
                let in_turn = if dynos.len() > 1 { ", in turn" } else { "" };
                let force = if *forced { " (force=true)" } else { "" };
                info!(event = "plan", %app, "restarting {} of {app}{in_turn}: alerts asked for {asked}{force}", list(dynos));
            }
            Note::Outcome(dyno, outcome) => self.write_outcome(app, dyno, outcome),
            Note::GaveUp(dyno, skip) => {
                self.skips.insert(dyno.clone(), discriminant(skip));
                warn!(
                    event = "gave_up",
                    %app,
                    %dyno,
                    "giving up on {dyno} of {app}, left alone: {skip}. Find the leak, or use a larger dyno size"
                );
            }
            Note::Hold(dyno, failure) => {
                warn!(
                    event = "held",
                    %app,
                    %dyno,
                    "{dyno} of {app} is not up after its restart: {failure}. Automatic restarts are on hold"
                );
            }
            Note::HoldEnded(dyno, why) => {
                info!(event = "hold_ended", %app, %dyno, "alerts restart dynos of {app} again: {dyno} {why}");
            }
            Note::ReArmed(dyno) => {
                info!(event = "re_armed", %app, %dyno, "{dyno} of {app} may be restarted again");
            }
            Note::Retry(error, pause) => {
                let pause = human(Duration::from_secs(1).max(*pause));
                warn!(event = "retry", %app, "{error}; trying {app} again in {pause}");
            }
            Note::AnswerLost(dyno, error) => {
                warn!(%app, %dyno, "restarting {dyno} of {app}: {error}; looking whether it took effect");
            }
            Note::NotRestarted(dyno) => {
                warn!(%app, %dyno, "{dyno} of {app} is still unchanged after a restart whose answer was lost; trying again");
            }
            Note::Unreadable(count) => warn_of_unreadable(app, *count),
            Note::EmptyList => {
                warn!(%app, "Heroku lists no dynos of {app}, and listed some a moment ago; asking again");
            }
        }
    }

    /// The report in one line, as a warning or an error where a person should act.
    pub(super) fn write_report(&mut self, report: &Report) {
        let app = &report.app;
        self.unknown = 0;
        self.skips.retain(|dyno, _| matches!(report.dynos.get(dyno), None | Some(Outcome::Skipped(_))));
        if self.skips.len() > MOST_REMEMBERED {
            self.skips.clear();
        }
        let (outcome, level) = match &report.end {
            Some(End::Failed(_)) => ("failed", Level::ERROR),
            Some(End::Api(cause)) if !cause.is_transient() => ("api_error", Level::ERROR),
            Some(End::Api(_)) => ("api_error", Level::WARN),
            Some(End::Short { .. }) => ("short", Level::WARN),
            Some(End::Stopped { .. }) => ("stopped", Level::WARN),
            None if report.was_held_back() => ("held_back", Level::WARN),
            None if report.was_refused() => ("refused", Level::WARN),
            None => ("done", Level::INFO),
        };
        // The level of an event is a constant of its place in the code.
        macro_rules! write_at {
            ($level:expr) => {
                event!(
                    $level,
                    event = "pass",
                    %app,
                    outcome,
                    restarted = report.names("restarted"),
                    failed = report.names("failed"),
                    skipped = report.names("skipped"),
                    took_s = report.took.as_secs(),
                    ended_early = report.end.as_ref().map(tracing::field::display),
                    alerts = report.alerts,
                    "{report}"
                )
            };
        }
        match level {
            Level::ERROR => write_at!(Level::ERROR),
            Level::WARN => write_at!(Level::WARN),
            _ => write_at!(Level::INFO),
        }
    }

    fn write_outcome(&mut self, app: &AppName, dyno: &DynoName, outcome: &Outcome) {
        let word = outcome.word();
        let is_news = match outcome {
            Outcome::Failed(_) => {
                return warn!(event = "dyno", %app, %dyno, outcome = word, "{dyno} of {app}: {outcome}");
            }
            Outcome::Skipped(Skip::Unknown) => {
                self.unknown += 1;
                self.unknown <= MOST_UNKNOWN
            }
            Outcome::Skipped(skip) => {
                let kind = discriminant(skip);
                self.skips.insert(dyno.clone(), kind) != Some(kind)
            }
            _ => true,
        };
        if is_news {
            info!(event = "dyno", %app, %dyno, outcome = word, "{dyno} of {app}: {outcome}");
        } else {
            debug!(event = "dyno", %app, %dyno, outcome = word, "{dyno} of {app}: {outcome}");
        }
    }
}

/// Says that there are records that cannot be read, if there are.
pub(super) fn warn_of_unreadable(app: &AppName, unreadable: usize) {
    if unreadable > 0 {
        warn!(%app, "{unreadable} records in Heroku's list of {app} cannot be read; those dynos are left alone");
    }
}
