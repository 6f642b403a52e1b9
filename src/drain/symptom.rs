//! One report of a dyno.

use std::fmt;

use jiff::Timestamp;

use super::detector::Complaint;
use super::settings::{MEGABYTE, Settings};
use crate::heroku::DynoName;
use crate::logplex::Code;

/// A dyno is reported once more.
#[derive(Debug)]
pub(super) struct Report {
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

impl Cause {
    pub(super) fn is_trouble(self, settings: &Settings) -> bool {
        match self {
            Self::Error(_) => true,
            Self::Memory { total, quota } => settings.memory_limit.is_some_and(|limit| limit.is_reached(total, quota)),
        }
    }

    pub(super) fn complaint(self) -> Complaint {
        match self {
            Self::Error(_) => Complaint::Error,
            Self::Memory { .. } => Complaint::Memory,
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
