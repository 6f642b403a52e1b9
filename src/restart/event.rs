//! What a rollout is told, what it answers, and what it has to tell a person.

use std::time::Duration;

use jiff::Timestamp;

use super::fleet::Look;
use super::our_dyno::HoldEnd;
use super::report::{Failure, Outcome, Report, Skip};
use crate::heroku::{DynoName, Error, ProcessType};

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The pass begins, or the time has come until which it waited.
    Time,
    /// The dynos were listed, or could not be.
    Looked(Result<Look, Error>),
    /// The restart that was asked for was answered, or was not.
    Restarted(Result<(), Error>),
    /// The restart was not asked for, because the last look was too long ago, or because it is not known whether another
    /// restarter makes the passes. It may be known after this time.
    Postponed(Duration),
    /// How many dynos of a process type the app is scaled to, or why the API did not answer.
    Formation(ProcessType, Result<usize, Error>),
    /// The service was asked to end, at this time.
    StopRequested(Timestamp),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// List the dynos.
    Look,
    /// Restart this dyno.
    Restart(DynoName),
    /// Ask how many dynos of this type the app is scaled to.
    AskFormation(ProcessType),
    /// Wait until this time, or until the service is asked to end.
    WaitUntil(Timestamp),
    /// The pass is over.
    Done(Report),
}

/// Something to tell a person about the pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// These dynos are due, and will be restarted in turn.
    Plan {
        /// In their order.
        dynos: Vec<DynoName>,
        /// What the alerts asked for together.
        asked: String,
        /// Whether any of it is forced.
        forced: bool,
    },
    /// What became of a dyno.
    Outcome(DynoName, Outcome),
    /// A dyno was restarted too often and is left alone. Told once.
    GaveUp(DynoName, Skip),
    /// A dyno that an earlier pass restarted is down: automatic restarts are on hold.
    Hold(DynoName, Failure),
    /// A hold is over.
    HoldEnded(DynoName, HoldEnd),
    /// A dyno that was given up on may be restarted again.
    ReArmed(DynoName),
    /// A call failed, and is repeated after a pause.
    Retry(Error, Duration),
    /// The answer to a restart was lost.
    AnswerLost(DynoName, Error),
    /// A restart whose answer was lost did not happen, and is asked for again.
    NotRestarted(DynoName),
    /// This many records of the list are invalid.
    Unreadable(usize),
    /// The list is empty, although dynos were listed a moment ago. It is asked for again.
    EmptyList,
}

impl Note {
    /// Whether it still matters when the pass has ended: why the pass was made, and what alerts lead to from now on.
    pub(super) fn outlasts_pass(&self) -> bool {
        matches!(self, Self::Plan { .. } | Self::GaveUp(..) | Self::Hold(..) | Self::HoldEnded(..) | Self::ReArmed(_))
    }
}
