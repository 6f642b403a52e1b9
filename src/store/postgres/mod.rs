//! The store in PostgreSQL: two connections, and one function for each thing that is written or read.
//!
//! - `connection`: one connection; `tls`: how it is encrypted; `schema`: the tables;
//! - `requests`: alerts that were accepted; `reports`: what log drains count; `drain_steps`: what they delivered;
//! - `turns`: who may make passes, and the passes; `replicas`: who uses the store, and what is old; `counters`: the counters of
//!   all replicas; `maintenance`: the task that uses these; `writes`: whether they can be written;
//!   `examine`: what `dyno-restarter check` says.
//!
//! Alerts have a connection of their own, so that an answer never waits for anything else.

mod connection;
mod counters;
mod drain_steps;
mod examine;
mod maintenance;
mod replicas;
mod reports;
mod requests;
mod schema;
mod tls;
mod turns;
mod writes;

pub(crate) use maintenance::{Maintenance, MaintenanceRounds};
pub(crate) use requests::MOST_TAKEN;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;
use tracing::{info, warn};

use connection::{Connection, begin, bounded, fault};

use super::{Contact, Error, Settings, Timing};

/// How long a write of alerts may take. Their senders wait for less: see `restart::acceptance`.
const WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long any other statement may take.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The store.
pub(crate) struct Postgres {
    alerts: Connection,
    turns: Connection,
    /// This process, as other replicas see it: the name of its dyno, and a random part that makes it unique.
    id: String,
    timing: Timing,
    contact: Mutex<Contact>,
    /// Why the tables cannot be written, although the database answers.
    problem: Mutex<Option<Error>>,
}

impl Postgres {
    /// Does not connect yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(settings: &Settings) -> Result<Self, rustls::Error> {
        let tls = tls::connector(settings.url.verifies)?;
        let connection = || Connection::new(&settings.url.config, &tls);
        let dyno = settings.dyno.as_deref().unwrap_or("restarter");
        // On Fir, names have no number: `web-12a34bcd56-7efgh`.
        let number = settings.dyno.as_ref().and_then(|dyno| dyno.rsplit_once('.')?.1.parse::<u32>().ok());
        let is_first = number.map(|number| number == 1);
        Ok(Self {
            alerts: connection(),
            turns: connection(),
            id: format!("{dyno}/{:08x}", fastrand::u32(..)),
            timing: settings.timing,
            contact: Mutex::new(Contact::new(is_first, settings.url.is_local, Instant::now())),
            problem: Mutex::default(),
        })
    }

    /// How other replicas call this process.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn contact(&self) -> MutexGuard<'_, Contact> {
        self.contact.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the database answered not long ago. Replicas ask it every few seconds.
    pub(crate) fn answers(&self) -> bool {
        self.answered_at().is_some_and(|at| at.elapsed() < self.timing.lease)
    }

    /// When the database answered last.
    pub(crate) fn answered_at(&self) -> Option<Instant> {
        self.contact().answered_at()
    }

    /// Whether this process may act although the database is away: see [`Contact::is_alone`].
    pub(crate) fn is_alone(&self) -> bool {
        self.contact().is_alone(Instant::now(), &self.timing)
    }

    /// Whether this process acts when the database is down: see [`Contact::is_designated`].
    pub(crate) fn is_designated(&self) -> bool {
        self.contact().is_designated()
    }

    /// Notes whether the database answered a statement that began at `began`.
    fn note_contact<T>(&self, result: &Result<T, Error>, began: Instant) {
        let (now, mut contact) = (Instant::now(), self.contact());
        if let Err(error) = result {
            contact.failed(matches!(error, Error::Down(_)), began, now);
        }
        if result.as_ref().err().is_none_or(Error::is_answer) {
            contact.answered(now);
        }
    }

    /// Notes that something was written that turns need.
    fn note_written(&self) {
        self.contact().wrote(Instant::now());
    }

    /// Why the tables cannot be written, although the database answers.
    pub(crate) fn problem(&self) -> Option<Error> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes whether the tables can be written, and logs when that changes.
    fn note_problem(&self, tried: Result<(), Error>) {
        let error = tried.err();
        if error.as_ref().is_some_and(|error| !error.is_answer() || matches!(error, Error::Statement(_))) {
            return;
        }
        let before =
            std::mem::replace(&mut *self.problem.lock().unwrap_or_else(PoisonError::into_inner), error.clone());
        match error {
            Some(error) if before.as_ref() != Some(&error) => {
                warn!(
                    event = "database_problem",
                    "the tables in the database cannot be written: {error}; {}",
                    error.remedy()
                );
            }
            None if before.is_some() => info!("the tables in the database can be written again"),
            _ => {}
        }
    }

    /// Intervals and time limits.
    pub(crate) fn timing(&self) -> Timing {
        self.timing
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The value of a `LIMIT`.
fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A column with JSON that somebody may have written by hand. What cannot be read is `null`: whoever uses it logs that it is not
/// valid, and the rows beside it count.
fn json_column(row: &Row, at: usize) -> Option<Value> {
    row.try_get(at).unwrap_or(Some(Value::Null))
}

/// A column of a row.
fn column<T: FromSqlOwned>(row: &Row, at: usize) -> Result<T, Error> {
    row.try_get(at).map_err(|error| Error::Altered(error.to_string()))
}
