//! One report that a dyno has a problem.

use std::fmt;

use jiff::Timestamp;

use super::settings::Settings;
use crate::heroku::DynoName;
use crate::logplex::{Code, MEGABYTE};

/// One report that a dyno has a problem.
#[derive(Debug)]
pub(super) struct Symptom {
    pub(super) dyno: DynoName,
    pub(super) at: Timestamp,
    pub(super) cause: Cause,
}

/// The problem.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    Error(Code),
    Memory { total: u64, quota: Option<u64> },
}

/// What the threshold counts separately: one spike may show up both as an error and as a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CauseKind {
    Error,
    Memory,
}

impl CauseKind {
    /// One word for a row or a script.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Error => "errors",
            Self::Memory => "memory",
        }
    }
}

impl Cause {
    /// Whether it counts. The parser reports only the errors that count, but every measurement of memory.
    pub(super) fn counts(self, settings: &Settings) -> bool {
        match self {
            Self::Error(_) => true,
            Self::Memory { total, quota } => settings.memory_limit.is_some_and(|limit| limit.is_reached(total, quota)),
        }
    }

    pub(super) fn kind(self) -> CauseKind {
        match self {
            Self::Error(_) => CauseKind::Error,
            Self::Memory { .. } => CauseKind::Memory,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(code) => write!(f, "Error {code}"),
            Self::Memory { total, quota: None } => write!(f, "it uses {} MB", total / MEGABYTE),
            Self::Memory { total, quota: Some(quota) } => {
                write!(f, "it uses {} of {} MB", total / MEGABYTE, quota / MEGABYTE)
            }
        }
    }
}
