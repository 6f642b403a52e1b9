//! Who uses the store, and what in it is old.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::types::Type;
use tracing::{debug, warn};

use super::{Postgres, column};
use crate::shutdown::Stop;
use crate::store::{Error, Exchange};

/// What goes when it is old, in small steps, so that no statement takes long. Whatever people may look for is kept for 30 days.
const OLD: [&str; 7] = [
    "DELETE FROM dyno_restarter.seen WHERE id IN (
        SELECT id FROM dyno_restarter.seen WHERE seen_at < now() - interval '1 hour' LIMIT 500) RETURNING 1",
    "DELETE FROM dyno_restarter.requests WHERE id IN (
        SELECT id FROM dyno_restarter.requests WHERE accepted_at < now() - interval '30 days' LIMIT 500) RETURNING 1",
    "DELETE FROM dyno_restarter.passes WHERE id IN (
        SELECT id FROM dyno_restarter.passes WHERE ended_at < now() - interval '30 days' LIMIT 500) RETURNING 1",
    "DELETE FROM dyno_restarter.reports WHERE (app, dyno, kind) IN (
        SELECT app, dyno, kind FROM dyno_restarter.reports WHERE changed_at < now() - interval '30 days' LIMIT 500) RETURNING 1",
    "DELETE FROM dyno_restarter.drain_steps WHERE (app, began_at, replica) IN (
        SELECT app, began_at, replica FROM dyno_restarter.drain_steps WHERE changed_at < now() - interval '30 days' LIMIT 500) RETURNING 1",
    // Of an app that is not watched any more.
    "DELETE FROM dyno_restarter.turns WHERE app IN (
        SELECT app FROM dyno_restarter.turns WHERE holder IS NULL AND renewed_at < now() - interval '30 days' LIMIT 500) RETURNING 1",
    "DELETE FROM dyno_restarter.replicas WHERE id IN (
        SELECT id FROM dyno_restarter.replicas WHERE seen_at < now() - interval '1 day' LIMIT 500) RETURNING 1",
];

/// How many rows of other replicas are read, and how long one of them may be, in characters.
const MOST_REPLICAS: i64 = 20;
const LARGEST: i32 = 200_000;

/// How many steps a cleanup makes in each table. Other statements run in between.
const MOST_STEPS: usize = 20;

/// How often old rows are looked for.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(10 * 60);

impl Postgres {
    /// Says now and then that this process is there and what it heard, learns what the others heard, and deletes what is old,
    /// until the service is asked to end.
    pub(crate) async fn maintain(&self, stop: Stop, exchange: &dyn Exchange) {
        let (mut clean_up_at, mut read_steps_at, mut is_told) = (Instant::now(), None, false);
        loop {
            let maintained = async {
                exchange.learn(self.register(exchange.own()).await?);
                // The first alert does not wait for a connection.
                self.alerts.session().await?.reuse();
                if clean_up_at <= Instant::now() {
                    clean_up_at = Instant::now() + CLEANUP_INTERVAL;
                    self.delete_old().await?;
                }
                exchange.learn_reports(self.latest_reports().await?);
                self.write_steps(exchange).await?;
                self.read_steps(exchange, &mut read_steps_at).await
            };
            match maintained.await {
                Ok(()) => is_told = false,
                // Nobody else may use this table.
                Err(error @ Error::Altered(_)) if !std::mem::replace(&mut is_told, true) => {
                    warn!("what replicas tell one another cannot be kept: {error}; {}", error.remedy());
                }
                // The writer of alerts and the keepers of turns tell it.
                Err(error) => debug!("{error}"),
            }
            tokio::select! {
                biased;
                _ = stop.requested() => break,
                () = tokio::time::sleep(self.timing.renewal()) => {}
            }
        }
        self.write_steps(exchange).await.ok();
        // Without the database, the others find out in two minutes.
        self.deregister().await.ok();
    }

    /// Says that this process is there, and what it heard. Returns what other processes of this program heard in the last day.
    /// Those that said so within the last hour may still be there: see [`Contact::saw_others`](crate::store::Contact::saw_others).
    /// One that ends in an orderly way says so, with [`Postgres::deregister`].
    async fn register(&self, heard: Value) -> Result<Vec<Value>, Error> {
        let statement = "WITH me AS (
                INSERT INTO dyno_restarter.replicas (id, heard) VALUES ($1, $2)
                ON CONFLICT (id) DO UPDATE SET seen_at = now(), heard = $2)
            SELECT CASE WHEN seen_at > now() - interval '1 hour' THEN seen_at::text END, id,
                CASE WHEN length(heard::text) <= $3 THEN heard END
            FROM dyno_restarter.replicas
            WHERE id <> $1 AND seen_at > now() - interval '1 day'
            ORDER BY seen_at DESC LIMIT $4";
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&heard as _, Type::JSONB),
            (&LARGEST as _, Type::INT4),
            (&MOST_REPLICAS as _, Type::INT8),
        ];
        let rows = self.query(statement, &parameters).await?;
        let mut others = Vec::new();
        for row in &rows {
            others.extend(column::<Option<String>>(row, 0)?.map(|seen_at| (column(row, 1), seen_at)));
        }
        let others = others.into_iter().map(|(id, seen_at)| Ok((id?, seen_at))).collect::<Result<Vec<_>, Error>>()?;
        self.contact().saw_others(others, Instant::now(), &self.timing);
        rows.iter().filter_map(|row| column(row, 2).transpose()).collect()
    }

    /// Says that this process ends. What it heard stays.
    async fn deregister(&self) -> Result<(), Error> {
        let statement = "UPDATE dyno_restarter.replicas SET seen_at = now() - interval '1 hour' WHERE id = $1";
        self.query(statement, &[(&self.id, Type::TEXT)]).await.map(drop)
    }

    /// Deletes what is old, or a part of it.
    async fn delete_old(&self) -> Result<(), Error> {
        for statement in OLD {
            for _ in 0..MOST_STEPS {
                if self.query(statement, &[]).await?.is_empty() {
                    break;
                }
            }
        }
        Ok(())
    }
}
