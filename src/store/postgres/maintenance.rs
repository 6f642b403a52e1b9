//! The task that writes for other replicas what this one heard and counted, reads the same from them, and deletes what is old.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, warn};

use super::Postgres;
use crate::shutdown::Stop;
use crate::store::{CHANGES_INTERVAL, Counters, Error, Exchange, LONGEST_WAIT, WrittenCounters};
use crate::util::rounds::{RoundsOfTask, after_rest};

/// How often old rows are looked for.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The task.
pub(crate) struct Maintenance<E> {
    store: Arc<Postgres>,
    exchange: E,
    rounds: MaintenanceRounds,
    /// When the next round is due that nobody asks for.
    regular_at: Instant,
    clean_up_at: Instant,
    steps_read_at: Option<Instant>,
    /// What this process received, as it was written last.
    written_own: Option<Value>,
    written: WrittenCounters,
    /// Whether the log says that a table cannot be used.
    has_warned: bool,
}

/// What requests wait for.
#[derive(Debug)]
pub(crate) struct MaintenanceRounds {
    /// What the others heard.
    pub(crate) heard: RoundsOfTask,
    /// The counters of all replicas.
    pub(crate) counters: RoundsOfTask<Arc<Counters>>,
}

impl<E: Exchange> Maintenance<E> {
    pub(crate) fn new(store: Arc<Postgres>, exchange: E, rounds: MaintenanceRounds) -> Self {
        let now = Instant::now();
        Self {
            store,
            exchange,
            rounds,
            regular_at: now,
            clean_up_at: now,
            steps_read_at: None,
            written_own: None,
            written: WrittenCounters::default(),
            has_warned: false,
        }
    }

    /// Works until the service is asked to end. What is counted until `work_is_done` is written, too.
    pub(crate) async fn run(mut self, stop: Stop, work_is_done: impl Future<Output = ()>) {
        loop {
            let began = Instant::now();
            let worked = self.round().await;
            let is_failing = worked.is_err();
            self.note(worked);
            tokio::select! {
                biased;
                _ = stop.requested() => break,
                () = sleep_until(self.regular_at) => {}
                () = self.rounds.heard.wanted() => {}
                () = self.rounds.counters.wanted() => {}
                // What fails is tried again with the next regular round.
                () = sleep_until(after_rest(began).max(began + CHANGES_INTERVAL)), if !is_failing => {}
            }
        }
        self.store.write_steps(&self.exchange).await.ok();
        self.write_counters().await.ok();
        // Without the database, the others find out in two minutes.
        self.store.deregister().await.ok();
        work_is_done.await;
        timeout(LONGEST_WAIT, self.write_counters()).await.ok();
    }

    /// Writes what has changed, and reads what is due or asked for. When nothing has changed and nothing is asked for, there is
    /// no statement between two regular rounds.
    async fn round(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let is_regular = self.regular_at <= began;
        if is_regular {
            self.regular_at = began + self.store.timing().renewal();
        }
        let must_read = is_regular || self.rounds.heard.are_wanted();
        // First of all: a process that knows of no other need not wait before it takes a turn.
        let told = self.tell(is_regular, must_read).await;
        if is_regular {
            self.store.examine_writes().await;
        }
        told.inspect_err(|_| self.rounds.counters.failed())?;
        self.count().await.inspect_err(|_| self.rounds.counters.failed())?;
        if is_regular {
            // The first alert does not wait for a connection.
            self.store.alerts.connect_if_free().await?;
            if self.clean_up_at <= began {
                self.clean_up_at = began + CLEANUP_INTERVAL;
                self.store.delete_old().await?;
            }
        }
        self.store.write_steps(&self.exchange).await?;
        if must_read {
            self.exchange.learn_reports(self.store.latest_reports().await?);
            self.store.read_steps(&self.exchange, &mut self.steps_read_at).await?;
            self.rounds.heard.done(began, ());
            self.has_warned = false;
        }
        Ok(())
    }

    /// Says what this process heard, if that has changed, and now and then that it is there.
    async fn tell(&mut self, is_regular: bool, must_read: bool) -> Result<(), Error> {
        let own = self.exchange.own();
        if is_regular {
            let (mark, others) = self.store.register(&own).await?;
            self.written.registered(mark);
            self.exchange.learn(others);
        } else {
            if self.written_own.as_ref() != Some(&own) {
                self.written.registered(self.store.tell(&own).await?);
            }
            if must_read {
                self.exchange.learn(self.store.others().await?);
            }
        }
        self.written_own = Some(own);
        Ok(())
    }

    /// Writes the counters that have changed, and reads those of all replicas if somebody asks for them.
    async fn count(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        let are_wanted = self.rounds.counters.are_wanted();
        self.write_counters().await?;
        if are_wanted {
            self.rounds.counters.done(began, Arc::new(self.store.counter_sums().await?));
        } else {
            self.rounds.counters.work_again();
        }
        Ok(())
    }

    async fn write_counters(&mut self) -> Result<(), Error> {
        self.store.write_counters(&mut self.written, &self.exchange.counters()).await
    }

    fn note(&mut self, worked: Result<(), Error>) {
        let Err(error) = worked else { return };
        self.rounds.heard.failed();
        match error {
            // Nobody else may use this table.
            Error::Altered(_) | Error::Denied(_) if !std::mem::replace(&mut self.has_warned, true) => {
                warn!("what replicas tell one another cannot be kept: {error}; {}", error.remedy());
            }
            // The writer of alerts and the keepers of turns tell it.
            error => debug!("{error}"),
        }
    }
}
