//! Alerts that were accepted, and the deliveries that they came with.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use super::connection::single_statement;
use super::{Postgres, WRITE_TIMEOUT, begin, bounded, column, fault, json_column, limit};
use crate::store::{DeliveryId, Error, NewRequest, StoredRequest, Term};
use crate::util::ordered::CollectOrdered;

/// How many requests are taken at once.
pub(crate) const MOST_TAKEN: usize = 500;

impl Postgres {
    /// Writes deliveries, each with its ids, in one commit. `merge` is given which of them are new, and says what they ask for.
    /// Returns which are new.
    pub(crate) async fn accept(
        &self,
        deliveries: &[Vec<DeliveryId>],
        merge: impl FnOnce(&[bool]) -> Vec<NewRequest>,
    ) -> Result<Vec<bool>, Error> {
        let mut session = self.alerts.session().await?;
        bounded(WRITE_TIMEOUT, async move {
            let ids: Vec<&[u8]> = deliveries.iter().flatten().map(<[u8; 32]>::as_slice).collect();
            let is_new = if ids.is_empty() {
                let is_new = vec![true; deliveries.len()];
                single_statement(&session, WRITE_TIMEOUT, write(&session, merge(&is_new))).await?;
                is_new
            } else {
                let transaction = begin(&mut session, WRITE_TIMEOUT).await?;
                let is_new = which_are_new(deliveries, note_seen(transaction.client(), ids).await?);
                write(transaction.client(), merge(&is_new)).await?;
                transaction.commit().await.map_err(|error| fault(&error))?;
                is_new
            };
            session.reuse();
            Ok(is_new)
        })
        .await
    }

    /// Takes the requests that wait for the holder of these turns, each with its number. Those that were taken with the same
    /// number are not returned again.
    pub(crate) async fn take_requests(&self, terms: &[(&Term, i64)]) -> Result<Vec<StoredRequest>, Error> {
        // This commit does not wait for the disk: a mark that a crash of the database loses is made again.
        let statement = "WITH waiting AS (
                SELECT id, mine.number FROM dyno_restarter.requests
                JOIN unnest($2, $3, $4) AS mine (app, term, number) USING (app)
                JOIN dyno_restarter.turns ON turns.app = mine.app AND turns.holder = $1 AND turns.term = mine.term
                WHERE done_at IS NULL AND taken IS DISTINCT FROM mine.number
                ORDER BY id LIMIT $5
                -- One that another session locks comes later, and does not keep the others waiting.
                FOR NO KEY UPDATE OF requests SKIP LOCKED)
            UPDATE dyno_restarter.requests SET taken = waiting.number FROM waiting WHERE requests.id = waiting.id
            RETURNING requests.id, app, asked, alerts, senders, set_config('synchronous_commit', 'off', true)";
        let apps: Vec<&str> = terms.iter().map(|(term, _)| &*term.app).collect();
        let (terms, numbers): (Vec<i64>, Vec<i64>) = terms.iter().map(|(term, number)| (term.number, number)).unzip();
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&apps as _, Type::TEXT_ARRAY),
            (&terms as _, Type::INT8_ARRAY),
            (&numbers as _, Type::INT8_ARRAY),
            (&limit(MOST_TAKEN) as _, Type::INT8),
        ];
        let request = |row| {
            let (id, app, asked) = (column(row, 0)?, column(row, 1)?, json_column(row, 2).unwrap_or_default());
            let senders = column::<Vec<Option<String>>>(row, 4)?.into_iter().flatten().collect();
            Ok(StoredRequest { id, app, asked, alerts: column(row, 3)?, senders })
        };
        self.query_early(statement, &parameters).await?.iter().map(request).collect()
    }
}

/// Notes ids; returns those that were not seen within the last ten minutes, which is how long memory keeps them, too. Two
/// transactions wait for each other on the same id, in one order.
pub(super) async fn note_seen(client: &Client, ids: Vec<&[u8]>) -> Result<BTreeSet<Vec<u8>>, Error> {
    let statement = "INSERT INTO dyno_restarter.seen (id) SELECT DISTINCT id FROM unnest($1) AS id ORDER BY id
        ON CONFLICT (id) DO UPDATE SET seen_at = now() WHERE seen.seen_at < now() - interval '10 minutes'
        RETURNING id";
    let parameters = [(&ids as _, Type::BYTEA_ARRAY)];
    let rows = client.query_typed(statement, &parameters).await.map_err(|error| fault(&error))?;
    rows.iter().map(|row| column(row, 0)).try_collect_ordered()
}

/// A delivery is new if all of its ids are, and none came earlier in the same batch.
fn which_are_new(deliveries: &[Vec<DeliveryId>], mut new: BTreeSet<Vec<u8>>) -> Vec<bool> {
    let is_new = |ids: &Vec<DeliveryId>| ids.iter().filter(|id| new.remove(id.as_slice())).count() == ids.len();
    deliveries.iter().map(is_new).collect()
}

/// Writes requests, in one statement however many apps they are about.
pub(super) async fn write(client: &Client, requests: Vec<NewRequest>) -> Result<(), Error> {
    if requests.is_empty() {
        return Ok(());
    }
    // PostgreSQL has no arrays of arrays of different lengths. So all senders are in one array, and all ids in another, and each
    // row has a part of both.
    let statement = "INSERT INTO dyno_restarter.requests (app, asked, alerts, senders, ids)
        SELECT app, asked, alerts, ($4)[first_sender:last_sender], ($7)[first_id:last_id]
        FROM unnest($1, $2, $3, $5, $6, $8, $9)
            AS new (app, asked, alerts, first_sender, last_sender, first_id, last_id)";
    let apps: Vec<&str> = requests.iter().map(|request| &*request.app).collect();
    let asked: Vec<&Value> = requests.iter().map(|request| &request.asked).collect();
    let alerts: Vec<i64> = requests.iter().map(|request| request.alerts).collect();
    let senders: Vec<&str> = requests.iter().flat_map(|request| &request.senders).map(String::as_str).collect();
    let ids: Vec<&[u8]> = requests.iter().flat_map(|request| &request.ids).map(<[u8; 32]>::as_slice).collect();
    let (first_senders, last_senders) = parts(requests.iter().map(|request| request.senders.len()));
    let (first_ids, last_ids) = parts(requests.iter().map(|request| request.ids.len()));
    let parameters = [
        (&apps as _, Type::TEXT_ARRAY),
        (&asked as _, Type::JSONB_ARRAY),
        (&alerts as _, Type::INT8_ARRAY),
        (&senders as _, Type::TEXT_ARRAY),
        (&first_senders as _, Type::INT4_ARRAY),
        (&last_senders as _, Type::INT4_ARRAY),
        (&ids as _, Type::BYTEA_ARRAY),
        (&first_ids as _, Type::INT4_ARRAY),
        (&last_ids as _, Type::INT4_ARRAY),
    ];
    client.query_typed(statement, &parameters).await.map(drop).map_err(|error| fault(&error))
}

/// Where the parts of an array of these lengths begin and end. The first element has the number 1.
fn parts(lengths: impl Iterator<Item = usize>) -> (Vec<i32>, Vec<i32>) {
    let mut end = 0;
    let part = |length| {
        let first = end + 1;
        end += i32::try_from(length).unwrap_or_default();
        (first, end)
    };
    lengths.map(part).unzip()
}
