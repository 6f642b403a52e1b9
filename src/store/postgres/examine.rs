//! What `dyno-restarter check` says about the database. Nothing is changed there.

use tokio_postgres::Client;

use super::connection::{self, CONNECT_TIMEOUT};
use super::writes::try_writes;
use super::{Postgres, bounded, column, schema};
use crate::store::Error;
use crate::util::text::printable;

/// How much of the list of apps and their holders is shown.
const LONGEST_LIST: usize = 2_000;

impl Postgres {
    /// What there is to say of the database, in words that follow its name.
    pub(crate) async fn examine(&self) -> Result<String, Error> {
        let examining = async {
            let client = self.turns.connect_only().await?;
            let server: String = only(&client, "SHOW server_version").await?;
            if schema::check(&client).await?.is_none() {
                return Ok(format!("PostgreSQL {server} answers; the restarter makes its tables when it starts"));
            }
            try_writes(&client).await?;
            let waiting = "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL";
            let waiting: i64 = only(&client, waiting).await?;
            let holders =
                "SELECT coalesce(string_agg(app || ': ' || coalesce(holder, 'nobody'), ', ' ORDER BY app), 'none yet')
                FROM dyno_restarter.turns";
            let holders = printable(&only::<String>(&client, holders).await?, LONGEST_LIST);
            Ok(format!(
                "PostgreSQL {server} answers; accepted alerts that wait: {waiting}; who makes the passes: {holders}"
            ))
        };
        Box::pin(bounded(CONNECT_TIMEOUT, examining)).await
    }
}

async fn only<T: tokio_postgres::types::FromSqlOwned>(client: &Client, query: &str) -> Result<T, Error> {
    let rows = connection::query(client, CONNECT_TIMEOUT, query, &[]).await?;
    rows.first().map_or_else(|| Err(Error::Altered("a table is empty".to_owned())), |row| column(row, 0))
}
