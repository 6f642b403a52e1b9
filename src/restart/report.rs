//! What a pass did, dyno by dyno. `report_text` says it in words.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::heroku::{AppName, DynoName, Error, State};

/// What a pass did. It names every dyno considered and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The app.
    pub app: AppName,
    /// When the pass began, by our clock.
    pub began_at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How many alerts it answers.
    pub alerts: u64,
    /// Who sent them: the names of the keys, the first few.
    pub senders: BTreeSet<Arc<str>>,
    /// How many API calls it made.
    pub calls: u32,
    /// How many restarts it asked for that were accepted, or whose answer was lost.
    pub restarts: u32,
    /// What became of each dyno considered.
    pub dynos: BTreeMap<DynoName, Outcome>,
    /// Why it ended before its time, if it did.
    pub end: Option<End>,
}

/// What a pass would restart now.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// What would become of each dyno.
    pub report: Report,
    /// How old the list is on which it stands.
    pub age: Duration,
}

/// What became of one dyno.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Restarted, and up again.
    Restarted {
        /// From the answer to the restart until it was seen up.
        took: Duration,
        /// When it was seen up, by our clock.
        at: Timestamp,
        /// What it is called now, where that changed (Fir).
        renamed: Option<DynoName>,
    },
    /// The API accepted the restart, but the dyno never changed. Nothing is down.
    Unconfirmed,
    /// Restarted, and a deploy replaced the new instance before it was up.
    Deployed {
        /// The version of the release that runs now.
        release: Option<u64>,
    },
    /// Left alone.
    Skipped(Skip),
    /// Restarted, and not up again; or the API refused to restart it.
    Failed(Failure),
    /// Due, but the pass ended before its turn. In a dry run: what a pass would restart.
    Due,
}

/// Why a dyno was left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Skip {
    /// It is not running.
    NotUp(State),
    /// Its process was too young when the alert arrived.
    Young {
        /// How old it was.
        age: Duration,
        /// How old it had to be.
        min_age: Duration,
    },
    /// Its process began after the alert arrived, or was still booting after our restart.
    BeganLater {
        /// How long after.
        by: Duration,
    },
    /// The alert is about a process that is gone.
    Late {
        /// How long ago the trouble was.
        ago: Duration,
        /// How long ago the process that runs now began, if that decided.
        age: Option<Duration>,
    },
    /// It was restarted too often: restarts do not help.
    GivenUp {
        /// How many restarts
        restarts: usize,
        /// within this window are too many.
        window: Duration,
        /// How long it takes until alerts count again.
        re_armed_in: Duration,
        /// When alerts count again.
        until: Timestamp,
    },
    /// This dyno of the app was restarted by us and is not up: automatic restarts are on hold.
    Held(DynoName),
    /// The alert named it, but its process type is not watched.
    NotWatched,
    /// The alert named it, but the app has no such dyno.
    Unknown,
    /// It went away during the pass: the app was scaled down.
    Gone,
    /// Heroku, or a person, replaced it during the pass.
    Replaced,
    /// Another replica, or this one on its own, restarted it during the pass: its name.
    RestartedBy(String),
    /// A deploy replaced it during the pass.
    Deployed {
        /// The version of the release that runs now.
        release: Option<u64>,
    },
}

/// What went wrong with a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// It crashed.
    Crashed {
        /// How long after its restart that was seen.
        after: Duration,
    },
    /// It was up, and is down again.
    DownAgain {
        /// How long after its restart that was seen.
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        /// What the alerts asked for on which nothing was done.
        waiting: Option<String>,
        /// The last error, if calls to Heroku were failing.
        #[serde(default)]
        trouble: Option<String>,
    },
}

impl Report {
    /// Whether the pass restarted no dyno at all.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.restarts == 0
    }

    /// The dynos of which [`Outcome::word`] says this, separated by commas.
    pub(super) fn names(&self, word: &str) -> String {
        let dynos = self.dynos.iter().filter(|(_, outcome)| outcome.word() == word);
        dynos.map(|(dyno, _)| dyno.as_str()).collect::<Vec<_>>().join(",")
    }

    /// Whether Heroku refused to restart a dyno.
    pub(super) fn was_refused(&self) -> bool {
        self.dynos.values().any(Outcome::is_refused)
    }

    /// Whether dynos that an alert asks for were left alone because restarts do not help.
    pub(super) fn was_held_back(&self) -> bool {
        let held_back = |outcome: &Outcome| matches!(outcome, Outcome::Skipped(Skip::Held(_) | Skip::GivenUp { .. }));
        self.dynos.values().any(held_back)
    }
}

impl Skip {
    /// One word for a script.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::NotUp(_) => "not_up",
            Self::Young { .. } => "young",
            Self::BeganLater { .. } => "began_later",
            Self::Late { .. } => "late",
            Self::GivenUp { .. } => "given_up",
            Self::Held(_) => "held",
            Self::NotWatched => "not_watched",
            Self::Unknown => "unknown",
            Self::Gone => "gone",
            Self::Replaced | Self::RestartedBy(_) => "replaced",
            Self::Deployed { .. } => "deployed",
        }
    }
}

impl Failure {
    /// One word for a script.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Crashed { .. } => "crashed",
            Self::DownAgain { .. } => "down_again",
            Self::NotUp { .. } => "timed_out",
            Self::Refused(_) => "refused",
            Self::NotSeenUp => "not_seen_up",
            Self::Unknown => "unknown",
        }
    }
}

impl Outcome {
    /// Whether Heroku refused to restart the dyno.
    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Failed(Failure::Refused(_)))
    }

    /// One word for a script.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Restarted { .. } => "restarted",
            Self::Unconfirmed => "unconfirmed",
            Self::Deployed { .. } => "deployed",
            Self::Skipped(_) => "skipped",
            Self::Failed(_) => "failed",
            Self::Due => "due",
        }
    }
}
