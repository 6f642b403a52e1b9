//! The counters of all replicas. Each process has rows of its own, and the sum of all rows is the same for everybody.

use tokio_postgres::types::Type;

use super::{Postgres, column};
use crate::store::{Counters, Error, WrittenCounters};
use crate::util::ordered::CollectOrdered;

impl Postgres {
    /// Writes how far the counters of this process have come since it started, as far as that is not written.
    pub(super) async fn write_counters(&self, written: &mut WrittenCounters, counters: &Counters) -> Result<(), Error> {
        let rows = written.to_write(counters);
        let Some(mark) = written.mark().filter(|_| !rows.is_empty()) else { return Ok(()) };
        // What is not sent is certainly not written.
        self.turns.session().await?.reuse();
        let before = written.attempt(&rows);
        // If the row of this process is gone, so are its counters: see `replicas::OLD`. The lock keeps it there. An earlier
        // statement may be carried out after a later one.
        let statement = "WITH me AS (
                SELECT id FROM dyno_restarter.replicas WHERE id = $1 AND mark = $2 FOR KEY SHARE),
            written AS (
                INSERT INTO dyno_restarter.counters (replica, series, value)
                SELECT id, series, value FROM me, unnest($3, $4) AS new (series, value)
                ON CONFLICT (replica, series) DO UPDATE SET value = greatest(counters.value, excluded.value))
            SELECT id FROM me";
        let (series, values): (Vec<&str>, Vec<i64>) = rows.iter().map(|(series, value)| (&**series, value)).unzip();
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&mark as _, Type::INT8),
            (&series as _, Type::TEXT_ARRAY),
            (&values as _, Type::INT8_ARRAY),
        ];
        if self.query_early(statement, &parameters).await?.is_empty() {
            written.not_written(before);
        } else {
            written.written(rows);
        }
        Ok(())
    }

    /// How far the counters of all processes have come together, those that are gone, too.
    pub(super) async fn counter_sums(&self) -> Result<Counters, Error> {
        // Somebody may have written the largest number by hand.
        let statement = "SELECT series, least(sum(value), $1)::bigint FROM dyno_restarter.counters GROUP BY series";
        let rows = self.query_early(statement, &[(&i64::MAX, Type::INT8)]).await?;
        rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).try_collect_ordered()
    }
}
