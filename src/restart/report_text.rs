//! A report in words: one line for the pass, one phrase for each dyno.

use std::fmt;

use super::our_dyno::HoldEnd;
use super::report::{End, Failure, Outcome, Report, Skip};
use crate::heroku::DynoName;
use crate::util::text::{clock_time, human, list};

/// What a pass did with dynos, in the order in which the report says it.
const VERBS: [&str; 6] = [
    "restarted",
    "restarted without confirmation",
    "restarted, then replaced by a deploy",
    "failed",
    "left alone",
    "did not get to",
];

impl Report {
    /// What became of the dynos, those with the same outcome together: `left alone web.2 and web.3 (why)`.
    fn phrases(&self) -> Vec<String> {
        let mut groups: Vec<((usize, String), Vec<&DynoName>)> = Vec::new();
        for (dyno, outcome) in &self.dynos {
            let key = (outcome.verb(), outcome.reason());
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, dynos)) => dynos.push(dyno),
                None => groups.push((key, vec![dyno])),
            }
        }
        groups.sort_by_key(|((verb, _), _)| *verb);
        groups.into_iter().map(|((verb, reason), dynos)| format!("{} {}{reason}", VERBS[verb], list(dynos))).collect()
    }
}

impl Outcome {
    /// Its place in [`VERBS`].
    fn verb(&self) -> usize {
        match self {
            Self::Restarted { .. } => 0,
            Self::Unconfirmed => 1,
            Self::Deployed { .. } => 2,
            Self::Failed(_) => 3,
            Self::Skipped(_) => 4,
            Self::Due => 5,
        }
    }

    /// The reason in parentheses, where there is one.
    fn reason(&self) -> String {
        match self {
            Self::Failed(failure) => format!(" ({failure})"),
            Self::Skipped(skip) => format!(" ({skip})"),
            _ => String::new(),
        }
    }
}

fn version(release: Option<u64>) -> String {
    release.map(|version| format!(" (v{version})")).unwrap_or_default()
}

impl fmt::Display for Report {
    /// The whole pass in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.phrases();
        let told = match (told.is_empty(), &self.end) {
            (false, _) => told.join("; "),
            (true, None) => "restarted nothing, because no dynos of PROCESS_TYPES are listed".to_owned(),
            (true, Some(_)) => "restarted nothing".to_owned(),
        };
        let alerts = if self.alerts == 1 { "1 alert".to_owned() } else { format!("{} alerts", self.alerts) };
        write!(f, "pass over {} ({alerts}, {}): {told}", self.app, human(self.took))?;
        self.end.as_ref().map_or(Ok(()), |end| write!(f, "; ended early: {end}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restarted { took, renamed: None, .. } => write!(f, "restarted, up again after {}", human(*took)),
            Self::Restarted { took, renamed: Some(name), .. } => {
                write!(f, "restarted, up again as {name} after {}", human(*took))
            }
            Self::Unconfirmed => f.write_str("the restart was accepted but not seen to happen; it still runs"),
            Self::Deployed { release } => write!(f, "restarted, then replaced by a deploy{}", version(*release)),
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
                write!(f, "started {} before the alert, MIN_AGE is {}", human(*age), human(*min_age))
            }
            Self::BeganLater { .. } => f.write_str("it came up after the alert arrived"),
            Self::Late { ago, age: Some(age) } => {
                let (ago, started, is_older) = (human(*ago), human(*age), ago > age);
                let which = if is_older {
                    "but this process started only"
                } else {
                    "while this process replaced another; it started"
                };
                write!(f, "the trouble was {ago} ago, {which} {started} ago")
            }
            Self::Late { ago, age: None } => {
                write!(f, "the trouble was {} ago, longer than Heroku lets a process run", human(*ago))
            }
            Self::GivenUp { restarts, window, re_armed_in, until } => {
                let (window, re_armed_in, until) = (human(*window), human(*re_armed_in), clock_time(*until));
                write!(
                    f,
                    "{restarts} restarts within {window} did not help; alerts count again in {re_armed_in}, at {until}"
                )
            }
            Self::Held(dyno) => write!(f, "automatic restarts are on hold: {dyno} is not up after its restart"),
            Self::NotWatched => f.write_str("its process type is not in PROCESS_TYPES"),
            Self::Unknown => f.write_str("Heroku lists no such dyno"),
            Self::Gone => f.write_str("it went away during the pass"),
            Self::Replaced => f.write_str("it was restarted meanwhile, by Heroku or by hand"),
            Self::RestartedBy(restarter) => write!(f, "it was restarted meanwhile, by the restarter {restarter}"),
            Self::Deployed { release } => write!(f, "a deploy{} replaced it meanwhile", version(*release)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crashed { after } => write!(f, "it crashed within {} of its restart", human(*after)),
            Self::DownAgain { after } => {
                write!(f, "it came up, and was down again {} after its restart", human(*after))
            }
            Self::NotUp { within } => write!(f, "it was not up {} after its restart", human(*within)),
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
                "{dyno} did not come up, so the others are left running. Automatic restarts are on hold until it is up, \
                 is scaled away, or the window of GIVE_UP_AFTER has passed; force=true overrides"
            ),
            Self::Short { running, needed } => {
                write!(
                    f,
                    "only {running} dynos are up and {needed} are needed, and the restarter did not stop the others"
                )
            }
            Self::Api(cause) => {
                write!(f, "{cause}")?;
                cause.remedy().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
            }
            Self::Stopped { waiting, trouble } => {
                f.write_str("the restarter is being shut down")?;
                if let Some(trouble) = trouble {
                    write!(f, " while calls to Heroku fail ({trouble})")?;
                }
                waiting.as_ref().map_or(Ok(()), |waiting| {
                    write!(f, ", and alerts that waited are dropped: they asked for {waiting}")
                })
            }
        }
    }
}

impl fmt::Display for HoldEnd {
    /// What became of the dyno.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "is up",
            Self::Deployed => "was replaced by a deploy",
            Self::ScaledAway => "was scaled away",
            Self::WindowPassed => "failed longer ago than the window of GIVE_UP_AFTER",
        })
    }
}
