//! What a pass did, dyno by dyno, in words.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use tracing::{error, info, warn};

use crate::heroku::{AppName, DynoName, Error, State};
use crate::util::text::{human, list};

/// What a pass did. It names every dyno considered and what became of it.
#[derive(Debug)]
pub struct Report {
    /// The app.
    pub app: AppName,
    /// When the pass began, by our clock.
    pub began_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How many alerts it answers.
    pub alerts: u64,
    /// What became of each dyno considered.
    pub dynos: BTreeMap<DynoName, Outcome>,
    /// Why it ended before its time, if it did.
    pub end: Option<End>,
}

/// What became of one dyno.
#[derive(Debug)]
pub enum Outcome {
    /// Restarted, and up again.
    Restarted {
        /// From the answer to the restart until it was seen up.
        took: Duration,
        /// What it is called now, where that changed (Fir).
        renamed: Option<DynoName>,
    },
    /// The API accepted the restart, but the dyno never changed. Nothing is down.
    Unconfirmed,
    /// Left alone.
    Skipped(Skip),
    /// Restarted, and not up again; or the API refused to restart it.
    Failed(Failure),
    /// Due, but the pass ended before its turn. In a dry run: what a pass would restart.
    Due,
}

/// Why a dyno was left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is not running.
    NotUp(State),
    /// It started only just.
    Young {
        /// How long ago.
        age: Duration,
        /// What it must be older than.
        min_age: Duration,
    },
    /// The alert tells of a process that is gone.
    Late {
        /// How long ago it happened.
        ago: Duration,
        /// How long ago the one that runs now started, if that is what tells.
        age: Option<Duration>,
    },
    /// It was restarted often enough.
    GivenUp {
        /// So many restarts
        restarts: usize,
        /// within so long are enough.
        window: Duration,
        /// When it may be restarted again.
        re_armed_in: Duration,
    },
    /// This dyno of the app did not come up after its restart.
    Halted(DynoName),
    /// The alert named it, but its process type is not watched.
    NotWatched,
    /// The alert named it, but the app has no such dyno.
    Unknown,
    /// It went away during the pass: the app was scaled down.
    Gone,
    /// Somebody else replaced it during the pass.
    Replaced,
}

/// What went wrong with a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It crashed.
    Crashed {
        /// So long after its restart it was seen.
        after: Duration,
    },
    /// It was not up in time.
    NotUp {
        /// How long it was given.
        within: Duration,
    },
    /// The API refused to restart it; it still runs.
    Refused(String),
    /// It was restarted, and the pass ended before it was seen up.
    NotSeenUp,
    /// The answer to its restart was lost, and the pass ended before it was seen what came of it.
    Unknown,
}

/// Why a pass ended before its time.
#[derive(Clone, Debug)]
pub enum End {
    /// A restarted dyno did not come up: the others are left running.
    Failed(DynoName),
    /// Fewer dynos run than when the pass began, and not because of us.
    Short {
        /// How many run.
        running: usize,
        /// How many must run.
        needed: usize,
    },
    /// The API cannot be used.
    Api(Error),
    /// The service is being shut down.
    Stopped {
        /// What the alerts asked for that waited for the next pass.
        waiting: Option<String>,
    },
}

impl Report {
    /// Whether the pass restarted no dyno at all.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.dynos
            .values()
            .all(|outcome| matches!(outcome, Outcome::Skipped(_) | Outcome::Due | Outcome::Failed(Failure::Refused(_))))
    }

    /// Logs the pass in one line, as a warning or an error where somebody ought to look.
    pub(super) fn log(&self) {
        let app = &self.app;
        match &self.end {
            Some(End::Failed(_)) => error!(%app, "{self}"),
            Some(End::Api(cause)) if !cause.is_transient() => error!(%app, "{self}"),
            Some(_) => warn!(%app, "{self}"),
            None if self.was_held_back() => warn!(%app, "{self}"),
            None => info!(%app, "{self}"),
        }
    }

    /// Whether dynos that an alert complains of were left alone because restarts do not help.
    fn was_held_back(&self) -> bool {
        let held_back = |outcome: &Outcome| matches!(outcome, Outcome::Skipped(Skip::Halted(_) | Skip::GivenUp { .. }));
        self.dynos.values().any(held_back)
    }

    /// The dynos of which `tell` has something to say, with what it says.
    fn told(&self, verb: &str, tell: impl Fn(&Outcome) -> Option<String>) -> Option<String> {
        let told = self.dynos.iter().filter_map(|(name, outcome)| Some(format!("{name}{}", tell(outcome)?)));
        Some(list(told)).filter(|told| !told.is_empty()).map(|told| format!("{verb} {told}"))
    }
}

impl Outcome {
    /// One word for a script.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Restarted { .. } => "restarted",
            Self::Unconfirmed => "unconfirmed",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
            Self::Due => "due",
        }
    }

    /// What a restarted dyno is called now, where that is something else.
    pub(super) fn successor(&self) -> Option<&DynoName> {
        match self {
            Self::Restarted { renamed, .. } => renamed.as_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for Report {
    /// The whole pass in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |is_it: bool| is_it.then(String::new);
        let told = [
            self.told("restarted", |outcome| plain(matches!(outcome, Outcome::Restarted { .. }))),
            self.told("restarted without confirmation", |outcome| plain(matches!(outcome, Outcome::Unconfirmed))),
            self.told("failed", |outcome| match outcome {
                Outcome::Failed(failure) => Some(format!(" ({failure})")),
                _ => None,
            }),
            self.told("left alone", |outcome| match outcome {
                Outcome::Skipped(skip) => Some(format!(" ({skip})")),
                _ => None,
            }),
            self.told("did not get to", |outcome| plain(matches!(outcome, Outcome::Due))),
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        let told = if told.is_empty() { "restarted nothing".to_owned() } else { told.join("; ") };
        let alerts = if self.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", self.alerts) };
        write!(f, "pass over {} ({alerts}, {}): {told}", self.app, human(self.took))?;
        self.end.as_ref().map_or(Ok(()), |end| write!(f, "; ended early: {end}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarted { took, renamed: None } => write!(f, "restarted, up again after {}", human(*took)),
            Self::Restarted { took, renamed: Some(name) } => {
                write!(f, "restarted, up again as {name} after {}", human(*took))
            }
            Self::Unconfirmed => f.write_str("the restart was accepted but not seen to happen; it still runs"),
            Self::Skipped(skip) => write!(f, "left alone: {skip}"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Due => f.write_str("due, not restarted"),
        }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUp(state) => write!(f, "it is {state}, not up"),
            Self::Young { age, min_age } => {
                write!(f, "started {} ago, MIN_AGE is {}", human(*age), human(*min_age))
            }
            Self::Late { ago, age: Some(age) } => {
                let which =
                    if ago > age { "before this process started" } else { "while this process took over, started" };
                write!(f, "the alert is of {} ago, {which} {} ago", human(*ago), human(*age))
            }
            Self::Late { ago, age: None } => {
                write!(f, "the alert is of {} ago, longer than Heroku lets a process run", human(*ago))
            }
            Self::GivenUp { restarts, window, re_armed_in } => {
                let (window, re_armed_in) = (human(*window), human(*re_armed_in));
                write!(f, "{restarts} restarts within {window} did not help; tried again in {re_armed_in}")
            }
            Self::Halted(dyno) => write!(f, "{dyno} has not come up since its restart"),
            Self::NotWatched => f.write_str("its process type is not in PROCESS_TYPES"),
            Self::Unknown => f.write_str("the app has no such dyno"),
            Self::Gone => f.write_str("it went away during the pass"),
            Self::Replaced => f.write_str("it was restarted meanwhile, by Heroku or by hand"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed { after } => write!(f, "it is down: it crashed within {} of its restart", human(*after)),
            Self::NotUp { within } => write!(f, "it is down: not up {} after its restart", human(*within)),
            Self::Refused(why) => write!(f, "not restarted, it still runs: {why}"),
            Self::NotSeenUp => f.write_str("restarted, but the pass ended before it was seen up"),
            Self::Unknown => f.write_str("the answer to its restart was lost; whether it was restarted is unknown"),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(dyno) => write!(
                f,
                "{dyno} did not come up, so the others are left running. Alerts restart nothing more until it is up, or \
                 the window of GIVE_UP_AFTER has passed; force=true overrides"
            ),
            Self::Short { running, needed } => {
                write!(f, "only {running} dynos run where {needed} ran when it began, and not because of us")
            }
            Self::Api(cause) => {
                write!(f, "{cause}")?;
                cause.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
            }
            Self::Stopped { waiting: None } => f.write_str("the restarter is being shut down"),
            Self::Stopped { waiting: Some(waiting) } => {
                write!(
                    f,
                    "the restarter is being shut down, and alerts that waited are dropped: they asked for {waiting}"
                )
            }
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct Line<'a> {
            dyno: &'a DynoName,
            outcome: &'static str,
            detail: String,
        }
        let dynos: Vec<Line<'_>> = self
            .dynos
            .iter()
            .map(|(dyno, outcome)| Line { dyno, outcome: outcome.word(), detail: outcome.to_string() })
            .collect();
        let mut fields = serializer.serialize_struct("Report", 6)?;
        fields.serialize_field("app", &self.app)?;
        fields.serialize_field("began_at", &self.began_at.to_string())?;
        fields.serialize_field("took_seconds", &self.took.as_secs())?;
        fields.serialize_field("alerts", &self.alerts)?;
        fields.serialize_field("dynos", &dynos)?;
        fields.serialize_field("ended_early", &self.end.as_ref().map(ToString::to_string))?;
        fields.end()
    }
}
