//! One report of a dyno.

use std::fmt;

use jiff::Timestamp;

use super::settings::Settings;
use crate::heroku::DynoName;
use crate::logplex::{Code, MEGABYTE};

/// A dyno is reported once more.
#[derive(Debug)]
pub(super) struct Symptom {
    pub(super) dyno: DynoName,
    pub(super) at: Timestamp,
    pub(super) cause: Cause,
}

/// What for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    Error(Code),
    Memory { total: u64, quota: Option<u64> },
}

/// What a dyno is reported for. Each is counted by itself: one and the same spike may be reported for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CauseKind {
    /// An error of the platform.
    Error,
    /// More memory than it should use.
    Memory,
}

impl Cause {
    pub(super) fn is_trouble(self, settings: &Settings) -> bool {
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
