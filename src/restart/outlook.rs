//! What comes of an alert, as far as that is known when it arrives.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::target::Receipt;
use crate::heroku::DynoName;
use crate::util::text::{clock_time, human};

/// A trigger that was taken.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Tells later whether the pass could act on it.
    pub receipt: Receipt,
    /// What comes of it now.
    pub outlook: Outlook,
}

/// What comes of a trigger now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// A pass begins now.
    Begins,
    /// A pass begins after this time: the last calls restarted nothing, so they are spaced out.
    BeginsIn(Duration),
    /// A pass begins when the one under way has ended.
    Follows,
    /// A pass that waits already is for this alert, too.
    Joins,
    /// The alert waits in the database for the restarter that makes the passes.
    Kept,
    /// The database is away: the alert is lost if this process ends before it is back or has acted on the alert.
    InMemoryOnly,
    /// A pass looks whether the dyno is up, and restarts nothing unless it is.
    Held(Hold),
}

/// Automatic restarts of an app are paused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The dyno that we restarted and that is not up.
    pub dyno: DynoName,
    /// When it was restarted.
    pub since: Timestamp,
}

impl fmt::Display for Outlook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begins => f.write_str("a pass begins"),
            Self::BeginsIn(time) => {
                write!(
                    f,
                    "a pass begins in {}, because the dynos were just listed and none was restarted",
                    human(*time)
                )
            }
            Self::Follows => f.write_str("a pass begins when the one under way has ended"),
            Self::Kept => f.write_str("it waits in the database for the restarter that makes the passes over this app"),
            Self::InMemoryOnly => f.write_str("it cannot be written to the database now, so it is kept in memory only"),
            Self::Joins => f.write_str("joins the pass that is about to begin"),
            Self::Held(Hold { dyno, since }) => {
                write!(f, "held: {dyno} is not up after its restart at {}; force=true overrides", clock_time(*since))
            }
        }
    }
}
