//! Whether the tables can be written: all that the service writes is tried on no rows. A right that was taken away, a database
//! that became read-only and a column that is missing show before an alert needs them.

use std::fmt::Write;

use tokio_postgres::Client;

use super::connection::fault;
use super::{Postgres, TIMEOUT, bounded};
use crate::store::Error;

/// The tables, and the columns that are written.
const TABLES: [(&str, &str); 8] = [
    ("requests", "app, asked, alerts, senders, ids, accepted_at, taken, done_at"),
    ("seen", "id, seen_at"),
    ("turns", "app, holder, term, beat, renewed_at, history, pass, status"),
    ("passes", "app, ended_at, report, restarted"),
    ("reports", "app, dyno, kind, times, done, changed_at"),
    ("replicas", "id, seen_at, heard, mark"),
    ("drain_steps", "app, began_at, replica, heard, changed_at"),
    ("counters", "replica, series, value"),
];

impl Postgres {
    /// Notes whether the tables can be written. What is not answered says nothing about that.
    pub(super) async fn examine_writes(&self) {
        let tried = match self.turns.session().await {
            Ok(session) => {
                let trying = async {
                    try_writes(&session).await?;
                    session.reuse();
                    Ok(())
                };
                bounded(TIMEOUT, trying).await
            }
            Err(error) => Err(error),
        };
        self.note_problem(tried);
    }
}

/// Tries all writes on no rows. Nothing is changed.
pub(super) async fn try_writes(client: &Client) -> Result<(), Error> {
    // Together they are one transaction. A table that somebody locks for long is not waited for.
    let mut statements =
        format!("SET LOCAL statement_timeout = {}; SET LOCAL lock_timeout = 500;", TIMEOUT.as_millis());
    for (table, columns) in TABLES {
        let same = |column: &str| format!("{0} = {0}", column.trim());
        let same: Vec<_> = columns.split(',').map(same).collect();
        // Writing to a text does not fail.
        write!(
            statements,
            "INSERT INTO dyno_restarter.{table} ({columns}) SELECT {columns} FROM dyno_restarter.{table} WHERE false;
            UPDATE dyno_restarter.{table} SET {} WHERE false;
            DELETE FROM dyno_restarter.{table} WHERE false;",
            same.join(", ")
        )
        .ok();
    }
    client.batch_execute(&statements).await.map_err(|error| fault(&error))
}
