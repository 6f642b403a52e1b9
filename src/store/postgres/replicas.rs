//! Who uses the store, and what in it is old.

use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::{Postgres, column};
use crate::store::Error;

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
    // The counters of processes that are gone are added up in the same statement, so that their sum never changes. A process that
    // comes back finds another row of its own: see `WrittenCounters`.
    "WITH gone AS (
        DELETE FROM dyno_restarter.replicas WHERE id IN (
            SELECT id FROM dyno_restarter.replicas WHERE seen_at < now() - interval '1 day' LIMIT 500
            FOR UPDATE SKIP LOCKED) RETURNING id),
    deleted AS (
        DELETE FROM dyno_restarter.counters USING gone WHERE replica = gone.id RETURNING series, value),
    kept AS (
        INSERT INTO dyno_restarter.counters (replica, series, value)
        SELECT '', series, sum(value) FROM deleted GROUP BY series ORDER BY series
        ON CONFLICT (replica, series) DO UPDATE SET value = counters.value + excluded.value)
    SELECT 1 FROM gone",
];

/// How many rows of other replicas are read, and how long one of them may be, in characters.
const MOST_REPLICAS: i64 = 20;
const LARGEST: i32 = 2_000_000;

/// How many steps a cleanup makes in each table. Other statements run in between.
const MOST_STEPS: usize = 20;

/// What other processes of this program heard in the last day. Those that said so within the last hour may still be there: see
/// [`Contact::saw_others`](crate::store::Contact::saw_others).
const OTHERS: &str = "SELECT CASE WHEN seen_at > now() - interval '1 hour' THEN seen_at::text END AS seen_at, id,
        CASE WHEN length(heard::text) <= $2 THEN heard END AS heard
    FROM dyno_restarter.replicas
    WHERE id <> $1 AND seen_at > now() - interval '1 day'
    ORDER BY replicas.seen_at DESC LIMIT $3";

impl Postgres {
    /// Says that this process is there, and what it heard. Returns the mark of its row, and what others heard. One that ends in
    /// an orderly way says so, with [`Postgres::deregister`].
    pub(super) async fn register(&self, heard: &Value) -> Result<(i64, Vec<Value>), Error> {
        let statement = format!(
            "WITH me AS (
                INSERT INTO dyno_restarter.replicas (id, heard, mark) VALUES ($1, $4, $5)
                ON CONFLICT (id) DO UPDATE SET seen_at = now(), heard = $4 RETURNING mark)
            SELECT others.*, mark FROM me LEFT JOIN ({OTHERS}) AS others ON true"
        );
        let mark = fastrand::i64(..);
        let own = [(heard as _, Type::JSONB), (&mark as _, Type::INT8)];
        let rows = self.query(&statement, &self.about_others(&own)).await?;
        self.note_written();
        let mark = rows.first().map(|row| column(row, 3)).transpose()?.unwrap_or(mark);
        Ok((mark, self.saw(&rows)?))
    }

    /// The same between two times, without what others heard.
    pub(super) async fn tell(&self, heard: &Value) -> Result<i64, Error> {
        let statement = "INSERT INTO dyno_restarter.replicas (id, heard, mark) VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET seen_at = now(), heard = $2 RETURNING mark";
        let mark = fastrand::i64(..);
        let parameters = [(&self.id as _, Type::TEXT), (heard as _, Type::JSONB), (&mark as _, Type::INT8)];
        let rows = self.query(statement, &parameters).await?;
        Ok(rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or(mark))
    }

    /// What others heard.
    pub(super) async fn others(&self) -> Result<Vec<Value>, Error> {
        let rows = self.query(OTHERS, &self.about_others(&[])).await?;
        self.saw(&rows)
    }

    /// The parameters of [`OTHERS`], and those that follow.
    fn about_others<'a>(&'a self, rest: &[(&'a (dyn ToSql + Sync), Type)]) -> Vec<(&'a (dyn ToSql + Sync), Type)> {
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&self.id, Type::TEXT), (&LARGEST, Type::INT4), (&MOST_REPLICAS, Type::INT8)];
        parameters.extend_from_slice(rest);
        parameters
    }

    /// Notes which others are there. Returns what they heard.
    fn saw(&self, rows: &[Row]) -> Result<Vec<Value>, Error> {
        let mut others = Vec::new();
        for row in rows {
            if let Some(seen_at) = column::<Option<String>>(row, 0)? {
                others.push((column(row, 1)?, seen_at));
            }
        }
        self.contact().saw_others(others, Instant::now(), &self.timing);
        rows.iter().filter_map(|row| column(row, 2).transpose()).collect()
    }

    /// Says that this process ends. What it heard stays.
    pub(super) async fn deregister(&self) -> Result<(), Error> {
        let statement = "UPDATE dyno_restarter.replicas SET seen_at = now() - interval '1 hour' WHERE id = $1";
        self.query(statement, &[(&self.id, Type::TEXT)]).await.map(drop)
    }

    /// Deletes what is old, or a part of it.
    pub(super) async fn delete_old(&self) -> Result<(), Error> {
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
