//! The reports of log drains that count. All replicas count together: each batch of a log may come to another one.

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::requests::{note_seen, write};
use super::{Postgres, begin, bounded, column, fault};
use crate::store::{DeliveryId, Error, NewRequest, StoredReports};

impl Postgres {
    /// Counts the reports of a batch about these dynos in one commit. `count` is given what is counted already, and returns
    /// what is counted then, and what is to be restarted. Returns whether the batch is new.
    pub(crate) async fn count_reports(
        &self,
        app: &str,
        dynos: &[String],
        batch: Option<DeliveryId>,
        count: impl FnOnce(Vec<StoredReports>) -> (Vec<StoredReports>, Option<NewRequest>),
    ) -> Result<bool, Error> {
        bounded(self.timing.answer, async {
            let mut session = self.alerts.session().await?;
            let transaction = begin(&mut session, self.timing.answer).await?;
            let client = transaction.client();
            lock(client, app).await?;
            let ids: Vec<&[u8]> = batch.iter().map(<[u8; 32]>::as_slice).collect();
            let is_new = ids.is_empty() || !note_seen(client, ids).await?.is_empty();
            if is_new {
                let (reports, request) = count(read(client, app, dynos).await?);
                for reports in &reports {
                    write_reports(client, app, reports).await?;
                }
                write(client, request.into_iter().collect()).await?;
            }
            transaction.commit().await.map_err(|error| fault(&error))?;
            session.reuse();
            Ok(is_new)
        })
        .await
    }
}

impl Postgres {
    /// The reports of which some were counted within the last hour, each with the app.
    pub(super) async fn latest_reports(&self) -> Result<Vec<(String, StoredReports)>, Error> {
        let statement = "SELECT dyno, kind, times, done, app FROM dyno_restarter.reports
            WHERE changed_at > now() - interval '1 hour' ORDER BY changed_at DESC LIMIT 500";
        let rows = self.query(statement, &[]).await?;
        rows.iter().map(|row| Ok((column(row, 4)?, stored_reports(row)?))).collect()
    }
}

/// Until the end of the transaction, no other replica counts for this app.
async fn lock(client: &Client, app: &str) -> Result<(), Error> {
    let statement = "SELECT pg_advisory_xact_lock(hashtextextended('dyno-restarter reports of ' || $1, 0))";
    client.query_typed(statement, &[(&app, Type::TEXT)]).await.map(drop).map_err(|error| fault(&error))
}

async fn read(client: &Client, app: &str, dynos: &[String]) -> Result<Vec<StoredReports>, Error> {
    let statement = "SELECT dyno, kind, times, done FROM dyno_restarter.reports WHERE app = $1 AND dyno = ANY ($2)";
    let parameters = [(&app as _, Type::TEXT), (&dynos as _, Type::TEXT_ARRAY)];
    let rows = client.query_typed(statement, &parameters).await.map_err(|error| fault(&error))?;
    rows.iter().map(stored_reports).collect()
}

fn stored_reports(row: &Row) -> Result<StoredReports, Error> {
    Ok(StoredReports { dyno: column(row, 0)?, kind: column(row, 1)?, times: column(row, 2)?, done: column(row, 3)? })
}

async fn write_reports(client: &Client, app: &str, reports: &StoredReports) -> Result<(), Error> {
    let statement = "INSERT INTO dyno_restarter.reports (app, dyno, kind, times, done) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (app, dyno, kind) DO UPDATE SET times = $4, done = $5, changed_at = now()";
    let parameters = [
        (&app as _, Type::TEXT),
        (&reports.dyno as _, Type::TEXT),
        (&reports.kind as _, Type::TEXT),
        (&reports.times as _, Type::INT8_ARRAY),
        (&reports.done as _, Type::INT8),
    ];
    client.query_typed(statement, &parameters).await.map(drop).map_err(|error| fault(&error))
}
