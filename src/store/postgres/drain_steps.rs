//! What log drains delivered to each replica, in steps of ten minutes. A replica writes its own rows only, each as a whole, so
//! that it does not matter if one is written twice.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::Type;

use super::{Postgres, column};
use crate::store::{DrainStep, Error, Exchange};

/// How far back a process reads that has just started.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How much is read at once: what was written within this time.
const PIECE: Duration = Duration::from_secs(60 * 60);

/// A row may be seen this long after the time that it has.
const OVERLAP: Duration = Duration::from_secs(60);

/// How many rows are read at once, and how long one of them may be, in characters. One on 200 dynos has 15,000.
const MOST: i64 = 5_000;
const LARGEST: i32 = 50_000;

impl Postgres {
    /// Writes what this process heard since the last time.
    pub(super) async fn write_steps(&self, exchange: &dyn Exchange) -> Result<(), Error> {
        let steps = exchange.take_steps();
        if steps.is_empty() {
            return Ok(());
        }
        let statement = "INSERT INTO dyno_restarter.drain_steps (app, began_at, replica, heard)
            SELECT app, began_at, $1, heard FROM unnest($2, $3, $4) AS new (app, began_at, heard)
            ON CONFLICT (app, began_at, replica) DO UPDATE SET heard = excluded.heard, changed_at = now()";
        let apps: Vec<&str> = steps.iter().map(|step| &*step.app).collect();
        let began_at: Vec<i64> = steps.iter().map(|step| step.began_at).collect();
        let heard: Vec<_> = steps.iter().map(|step| &step.heard).collect();
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&apps as _, Type::TEXT_ARRAY),
            (&began_at as _, Type::INT8_ARRAY),
            (&heard as _, Type::JSONB_ARRAY),
        ];
        let written = self.query(statement, &parameters).await;
        if written.is_err() {
            exchange.put_back_steps(steps);
        }
        written.map(drop)
    }

    /// Reads what others wrote since `read_at`, the start of the last time that this succeeded; at first, that of a day.
    pub(super) async fn read_steps(&self, exchange: &dyn Exchange, read_at: &mut Option<Instant>) -> Result<(), Error> {
        let began = Instant::now();
        let mut ago = read_at.map_or(DAY, |at| at.elapsed()) + OVERLAP;
        while !ago.is_zero() {
            exchange.learn_steps(self.steps_written(ago).await?);
            ago = ago.saturating_sub(PIECE);
        }
        *read_at = Some(began);
        Ok(())
    }

    /// What others wrote this long ago, and in the hour since then.
    async fn steps_written(&self, ago: Duration) -> Result<Vec<(String, DrainStep)>, Error> {
        let statement = "SELECT replica, app, began_at, heard FROM dyno_restarter.drain_steps
            WHERE replica <> $1 AND length(heard::text) <= $4
                AND changed_at BETWEEN now() - make_interval(secs => $2) AND now() - make_interval(secs => $2 - $3)
            ORDER BY changed_at DESC LIMIT $5";
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&ago.as_secs_f64() as _, Type::FLOAT8),
            (&PIECE.as_secs_f64() as _, Type::FLOAT8),
            (&LARGEST as _, Type::INT4),
            (&MOST as _, Type::INT8),
        ];
        let rows = self.query(statement, &parameters).await?;
        let step = |row| {
            let step = DrainStep { app: column(row, 1)?, began_at: column(row, 2)?, heard: column(row, 3)? };
            Ok((column(row, 0)?, step))
        };
        rows.iter().map(step).collect()
    }
}
