//! What is kept in PostgreSQL, if `DATABASE_URL` is set: alerts that were accepted, what is remembered of each app, and who
//! may make passes over it. Without it, nothing here runs.
//!
//! - `url`: where the database is, and how the connection is encrypted;
//! - `contact`: whether a process may act although the database is away;
//! - `error`: why the store could not do something;
//! - `postgres`: the connections, the tables, and one function for each statement;
//! - this file: what the rest of the service says to the store. It is plain data: JSON, names and numbers.
//!
//! The store knows nothing of dynos and decides nothing. `restart` decides, for example, when a turn may be taken.
//!
//! No decision depends on the clock of the database: it may jump, and then only ten minutes of delivery ids or a few days of
//! old rows are wrong.

mod contact;
mod counters;
mod error;
mod postgres;
mod url;

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use ring::digest;
use serde_json::Value;

pub use contact::Contact;
pub(crate) use counters::{Counters, WrittenCounters};
pub(crate) use error::Error;
pub(crate) use postgres::{MOST_TAKEN, Maintenance, MaintenanceRounds, Postgres};
pub(crate) use url::DatabaseUrl;

/// Where the store is, and who uses it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database.
    pub(crate) url: DatabaseUrl,
    /// What this process is called, for people: the name of its dyno. Heroku sets `DYNO`.
    pub(crate) dyno: Option<String>,
    /// Intervals and time limits.
    pub timing: Timing,
}

/// Intervals and time limits of turns and of the database. Only tests use other values than the default ones.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A process may take a turn that was not renewed for this long.
    pub lease: Duration,
    /// The holder asks for no restart in the last part of that time, because a call to Heroku may take this long.
    pub longest_call: Duration,
    /// How long the answer to an alert waits for the database.
    pub answer: Duration,
    /// How often to look for alerts that other replicas accepted, and for turns that are free.
    pub poll: Duration,
    /// A database that takes no writes may take those of others. After this long, a process that knows of no other acts all the
    /// same.
    pub silence: Duration,
}

impl Default for Timing {
    /// A turn is taken 25 s after its last renewal, and polls add 4 s at most: 29 s after SIGKILL, of the 35 s that are
    /// allowed. A call to Heroku takes 10 s at most.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(25),
            longest_call: Duration::from_secs(10),
            answer: Duration::from_secs(1),
            poll: Duration::from_secs(2),
            silence: Duration::from_secs(10 * 60),
        }
    }
}

impl Timing {
    /// How long a holder may rely on its turn, from the start of the renewal.
    pub(crate) fn trust(&self) -> Duration {
        self.lease.saturating_sub(self.longest_call)
    }

    /// How often a turn is renewed.
    pub(crate) fn renewal(&self) -> Duration {
        self.lease / 3
    }
}

/// A process writes what others show when it changes, at most this often.
pub(crate) const CHANGES_INTERVAL: Duration = Duration::from_secs(1);

/// Who asks for the status is shown what is not older than this, without a statement of its own.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(1);

/// How long a request waits for the database, at the longest. Then it is shown what is known.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Identifies a delivery. Equal for the same delivery on every replica.
pub(crate) type DeliveryId = [u8; 32];

/// The id of a delivery. Each part is preceded by its length, so that different ids never become the same bytes.
pub(crate) fn delivery_id<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> DeliveryId {
    let mut digest = digest::Context::new(&digest::SHA256);
    for part in parts {
        digest.update(&part.len().to_be_bytes());
        digest.update(part);
    }
    let mut id = DeliveryId::default();
    id.copy_from_slice(digest.finish().as_ref());
    id
}

/// Alerts of one app, merged, as they are written.
#[derive(Clone, Debug)]
pub(crate) struct NewRequest {
    pub(crate) app: String,
    pub(crate) asked: Value,
    pub(crate) alerts: i64,
    pub(crate) senders: Vec<String>,
    /// The deliveries that they came with.
    pub(crate) ids: Vec<DeliveryId>,
}

/// The same, as they are read.
#[derive(Clone, Debug)]
pub(crate) struct StoredRequest {
    pub(crate) id: i64,
    pub(crate) app: String,
    pub(crate) asked: Value,
    pub(crate) alerts: i64,
    pub(crate) senders: Vec<String>,
}

/// The reports of one kind about one dyno that count. Times are in microseconds since 1970, as Heroku writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredReports {
    pub(crate) dyno: String,
    /// `errors` or `memory`.
    pub(crate) kind: String,
    pub(crate) times: Vec<i64>,
    /// The time of the last report that led to a restart.
    pub(crate) done: Option<i64>,
}

/// What a replica heard of the log of an app in ten minutes.
#[derive(Clone, Debug)]
pub(crate) struct DrainStep {
    pub(crate) app: String,
    /// When they began, in seconds since 1970.
    pub(crate) began_at: i64,
    pub(crate) heard: Value,
}

/// Who has the turn of an app, and when it was renewed last: two rows are equal only if nobody renewed it in between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRow {
    /// `None` when it was given back.
    pub holder: Option<String>,
    /// Grows whenever the turn changes hands.
    pub term: i64,
    /// Grows with each write of the holder.
    pub beat: i64,
}

/// A turn that was taken, and what its last holder left.
#[derive(Clone, Debug)]
pub(crate) struct TakenTurn {
    pub(crate) app: String,
    pub(crate) term: i64,
    /// What is remembered of the app.
    pub(crate) history: Option<Value>,
    /// The pass that was not finished.
    pub(crate) pass: Option<Value>,
}

/// Names the term of a turn that this process holds. Every write of a holder names it, and fails when it is over.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) app: String,
    pub(crate) number: i64,
    /// The beat of the last write.
    beat: AtomicI64,
}

impl Term {
    /// A term that has just begun.
    pub(crate) fn new(app: String, number: i64) -> Self {
        Self { app, number, beat: AtomicI64::new(0) }
    }

    /// The beat of the next write. To be asked for when the connection is free, so that beats grow in the order in which
    /// statements are sent. A write that was given up may arrive late, and must not undo a later one.
    fn next_beat(&self) -> i64 {
        self.beat.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A turn that is to be renewed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Renewal<'a> {
    pub(crate) term: &'a Term,
    /// The status of the app, if it has changed.
    pub(crate) status: Option<&'a Value>,
}

/// What replicas tell one another about requests other than alerts, and their counters.
pub(crate) trait Exchange: Send + Sync {
    /// What this process received.
    fn own(&self) -> Value;

    /// What other processes received in the last day.
    fn learn(&self, others: Vec<Value>);

    /// How far the counters of this process have come since it started. None of them ever goes back.
    fn counters(&self) -> Counters;

    /// The reports that count, each with the app.
    fn learn_reports(&self, reports: Vec<(String, StoredReports)>);

    /// What this process heard of logs and that is not written yet, or a part of it.
    fn take_steps(&self) -> Vec<DrainStep>;

    /// These could not be written.
    fn put_back_steps(&self, steps: Vec<DrainStep>);

    /// What other processes heard of logs, each with the name of the process.
    fn learn_steps(&self, steps: Vec<(String, DrainStep)>);
}

/// What the holder of a turn writes into its row.
#[derive(Clone, Debug)]
pub(crate) struct TurnState {
    /// What is remembered of the app.
    pub(crate) history: Value,
    /// What a successor needs to go on with the pass, if there is one.
    pub(crate) pass: Option<Value>,
    /// The status of the app, for the pages of the other replicas.
    pub(crate) status: Value,
}

/// A report on a pass.
#[derive(Clone, Debug)]
pub(crate) struct NewPass {
    pub(crate) report: Value,
    /// Whether the pass restarted a dyno.
    pub(crate) restarted: bool,
}

/// The report on a pass that some process made.
#[derive(Clone, Debug)]
pub(crate) struct StoredPassRow {
    pub(crate) app: String,
    pub(crate) id: i64,
    /// `None` if it is too large.
    pub(crate) report: Option<Value>,
}

/// The end of a pass.
#[derive(Clone, Debug)]
pub(crate) struct FinishedPass {
    /// The requests that it served.
    pub(crate) requests: Vec<i64>,
    /// Whether it could not act on them: then the same deliveries count again.
    pub(crate) was_lost: bool,
    pub(crate) history: Value,
    /// Its report, and those on passes before it that could not be written.
    pub(crate) passes: Vec<NewPass>,
    /// The status of the app now.
    pub(crate) status: Value,
}
