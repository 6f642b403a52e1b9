//! Why the store could not do something, and what to do about it.

use std::time::Duration;

/// Why the store could not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The database refuses connections. It is down for everybody, unless a pooler on this machine has ended.
    #[error("the database of DATABASE_URL is down: {0}")]
    Down(String),
    /// There is no connection.
    #[error("cannot connect to the database of DATABASE_URL: {0}")]
    Connect(String),
    /// The database was connected, and does not answer in time.
    #[error("the database of DATABASE_URL did not answer within {0:?}")]
    TimedOut(Duration),
    /// The user or the password is wrong.
    #[error("the database rejected the user or the password of DATABASE_URL")]
    Rejected,
    /// The database takes no writes: a standby, or a primary that became one.
    #[error("the database of DATABASE_URL is read-only, as after a failover")]
    ReadOnly,
    /// The user lacks a right. At Heroku, that of a database that is larger than its plan allows may not write:
    /// <https://devcenter.heroku.com/articles/heroku-postgres-over-plan-capacity>.
    #[error("the user of DATABASE_URL may not write to the database: {0}")]
    Denied(String),
    /// The disk is full, or a limit of the plan is reached.
    #[error("the database of DATABASE_URL is full: {0}")]
    Full(String),
    /// The tables are of a newer version of this program.
    #[error("the tables in the database are of version {found}, and this program knows version {known}")]
    NewerSchema {
        /// The version that the database has.
        found: i32,
        /// The version that this program makes.
        known: i32,
    },
    /// The tables are not as this program made them.
    #[error("the tables in the database were changed by hand: {0}")]
    Altered(String),
    /// Anything else.
    #[error("the database of DATABASE_URL reported an error: {0}")]
    Statement(String),
}

impl Error {
    /// Whether the database answered, with this error.
    pub(crate) fn is_answer(&self) -> bool {
        !matches!(self, Self::Down(_) | Self::Connect(_) | Self::TimedOut(_) | Self::Rejected)
    }

    /// What a person should do about it.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Down(_) | Self::Connect(_) | Self::TimedOut(_) => {
                "see `heroku pg:info` and status.heroku.com; the service tries again by itself"
            }
            Self::Rejected => "set DATABASE_URL to the current credentials; `heroku addons:attach` keeps it current",
            Self::ReadOnly => "see `heroku pg:info`; the service tries again by itself",
            Self::Denied(_) => {
                "see `heroku pg:info`: a database that is larger than its plan allows takes no writes; choose a larger plan, or give the user its rights back"
            }
            Self::Full(_) => "see `heroku pg:info`, and choose a larger plan",
            Self::NewerSchema { .. } => "deploy the newest version of the restarter",
            Self::Altered(_) => {
                "undo the change, or `DROP SCHEMA dyno_restarter CASCADE` while the restarter is stopped: it makes new tables"
            }
            Self::Statement(_) => "see `heroku pg:info`",
        }
    }
}
