//! Which dynos of an app a person should look at first.

use crate::drain::Memory;
use crate::http::status::AppOverview;
use crate::restart::{DynoName, DynoStatus};

/// How much attention a dyno needs, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Attention {
    /// It is not up, on hold, or given up on.
    Down,
    /// Its log reports trouble.
    Reported,
    /// Its process type is watched.
    Watched,
    /// None.
    Unwatched,
}

impl Attention {
    pub(super) fn of(dyno: &DynoStatus, overview: &AppOverview) -> Self {
        let status = &overview.status;
        let is_held = status.holds.iter().any(|hold| hold.dyno == dyno.name);
        let is_given_up = status.given_up.iter().any(|given_up| given_up.dyno == dyno.name);
        match dyno {
            _ if is_held || is_given_up || dyno.is_watched && dyno.state != "up" => Self::Down,
            _ if is_reported(&dyno.name, overview) => Self::Reported,
            _ if dyno.is_watched => Self::Watched,
            _ => Self::Unwatched,
        }
    }
}

/// Whether the log of the last 24 hours reports trouble of this dyno.
pub(super) fn is_reported(dyno: &DynoName, AppOverview { drain, .. }: &AppOverview) -> bool {
    let is_over_quota = |memory: &Memory| memory.quota.is_some_and(|quota| memory.total > quota);
    drain.day.dyno(dyno).any(|step| step.reports > 0) || drain.memory.get(dyno).is_some_and(is_over_quota)
}
