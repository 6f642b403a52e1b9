//! Who may make passes over an app, what is remembered of the app, and the pass under way.

use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::{Postgres, TIMEOUT, bounded, column, fault, limit};
use crate::store::{Error, FinishedPass, NewPass, TakenTurn, Term, TurnRow, TurnState};

/// How long a report may be that is read, in characters. One on a hundred dynos has 20,000.
const LARGEST: i32 = 100_000;

type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

impl Postgres {
    /// Who has the turn of an app. Makes the row if there is none: then nobody has it.
    pub(crate) async fn turn(&self, app: &str) -> Result<TurnRow, Error> {
        let read = "SELECT holder, term, beat FROM dyno_restarter.turns WHERE app = $1";
        let create = "INSERT INTO dyno_restarter.turns (app, term, beat) VALUES ($1, 0, 0) ON CONFLICT DO NOTHING";
        let turn = |row: &Row| Ok(TurnRow { holder: column(row, 0)?, term: column(row, 1)?, beat: column(row, 2)? });
        let app = [(&app as _, Type::TEXT)];
        if let Some(row) = self.query(read, &app).await?.first() {
            return turn(row);
        }
        self.query(create, &app).await?;
        let rows = self.query(read, &app).await?;
        rows.first().map_or_else(|| Err(Error::Altered("a row of turns vanished".to_owned())), turn)
    }

    /// What the holder of a turn wrote down for the others: what is remembered of the app, and what it sees and does.
    pub(crate) async fn history_and_status(&self, app: &str) -> Result<(Option<Value>, Option<Value>), Error> {
        let read = "SELECT history, status FROM dyno_restarter.turns WHERE app = $1";
        let rows = self.query(read, &[(&app, Type::TEXT)]).await?;
        rows.first().map_or(Ok((None, None)), |row| Ok((column(row, 0)?, column(row, 1)?)))
    }

    /// Takes the turn if nothing has happened to it since `seen` was read. `None` if something has.
    pub(crate) async fn take_turn(&self, app: &str, seen: &TurnRow) -> Result<Option<TakenTurn>, Error> {
        let statement = "UPDATE dyno_restarter.turns SET holder = $2, term = term + 1, beat = 0, renewed_at = now()
            WHERE app = $1 AND holder IS NOT DISTINCT FROM $3 AND term = $4 AND beat = $5
            RETURNING term, history, pass";
        let parameters = [
            (&app as _, Type::TEXT),
            (&self.id as _, Type::TEXT),
            (&seen.holder as _, Type::TEXT),
            (&seen.term as _, Type::INT8),
            (&seen.beat as _, Type::INT8),
        ];
        let rows = self.query(statement, &parameters).await?;
        let taken = |row| Ok(TakenTurn { term: column(row, 0)?, history: column(row, 1)?, pass: column(row, 2)? });
        rows.first().map(taken).transpose()
    }

    /// Renews the turn, with what this process sees and does if that has changed. Whether it still has the turn.
    pub(crate) async fn renew_turn(&self, term: &Term, status: Option<&Value>) -> Result<bool, Error> {
        let statement = "UPDATE dyno_restarter.turns
            SET beat = beat + 1, renewed_at = now(), status = coalesce($4, status)
            WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term";
        self.write_as_holder(statement, term, &[(&status, Type::JSONB)]).await
    }

    /// Writes what is remembered of the app and the pass under way, if there is one, and renews the turn. Whether this process
    /// still has it.
    pub(crate) async fn write_state(&self, term: &Term, state: &TurnState) -> Result<bool, Error> {
        let statement = "UPDATE dyno_restarter.turns
            SET beat = beat + 1, renewed_at = now(), history = $4, pass = $5, status = $6
            WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term";
        let TurnState { history, pass, status } = state;
        self.write_as_holder(statement, term, &[(history, Type::JSONB), (pass, Type::JSONB), (status, Type::JSONB)])
            .await
    }

    /// Ends a pass: what it served is done, and its report is kept, with those that could not be written before. Whether this
    /// process still has the turn.
    pub(crate) async fn finish_pass(&self, term: &Term, pass: &FinishedPass) -> Result<bool, Error> {
        let statement = "WITH held AS (
                UPDATE dyno_restarter.turns
                SET beat = beat + 1, renewed_at = now(), history = $4, pass = NULL, status = $9
                WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term),
            done AS (
                UPDATE dyno_restarter.requests SET done_at = now()
                WHERE id = ANY ($5) AND EXISTS (SELECT FROM held) RETURNING ids),
            forgotten AS (
                DELETE FROM dyno_restarter.seen WHERE $6 AND id IN (SELECT unnest(ids) FROM done)),
            kept AS (
                INSERT INTO dyno_restarter.passes (app, report, restarted)
                SELECT $1, report, restarted FROM held, unnest($7, $8) AS new (report, restarted)
                ON CONFLICT DO NOTHING)
            SELECT term FROM held";
        let FinishedPass { requests, was_lost, history, passes, status } = pass;
        let (reports, restarted) = columns(passes);
        let parameters: Parameters<'_> = &[
            (history, Type::JSONB),
            (requests, Type::INT8_ARRAY),
            (was_lost, Type::BOOL),
            (&reports, Type::JSONB_ARRAY),
            (&restarted, Type::BOOL_ARRAY),
            (status, Type::JSONB),
        ];
        self.write_as_holder(statement, term, parameters).await
    }

    /// Writes reports on passes that could not be written when they ended, whoever has the turn now.
    pub(crate) async fn keep_passes(&self, app: &str, passes: &[NewPass]) -> Result<(), Error> {
        let statement = "INSERT INTO dyno_restarter.passes (app, report, restarted)
            SELECT $1, report, restarted FROM unnest($2, $3) AS new (report, restarted)
            ON CONFLICT DO NOTHING";
        let (reports, restarted) = columns(passes);
        let parameters =
            [(&app as _, Type::TEXT), (&reports as _, Type::JSONB_ARRAY), (&restarted as _, Type::BOOL_ARRAY)];
        self.query(statement, &parameters).await.map(drop)
    }

    /// The reports on the latest passes over an app that are newer than this one, oldest first: up to `latest` of any passes,
    /// and up to `restarted` of passes that restarted a dyno. A report that is too large is `None`.
    pub(crate) async fn passes_after(
        &self,
        app: &str,
        last: i64,
        latest: usize,
        restarted: usize,
    ) -> Result<Vec<(i64, Option<Value>)>, Error> {
        let statement = "SELECT id, CASE WHEN length(report::text) <= $5 THEN report END FROM dyno_restarter.passes
            WHERE id IN (
                (SELECT id FROM dyno_restarter.passes WHERE app = $1 AND id > $2 ORDER BY id DESC LIMIT $3)
                UNION
                (SELECT id FROM dyno_restarter.passes WHERE app = $1 AND id > $2 AND restarted ORDER BY id DESC LIMIT $4))
            ORDER BY id";
        let parameters = [
            (&app as _, Type::TEXT),
            (&last as _, Type::INT8),
            (&limit(latest) as _, Type::INT8),
            (&limit(restarted) as _, Type::INT8),
            (&LARGEST as _, Type::INT4),
        ];
        let rows = self.query(statement, &parameters).await?;
        rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).collect()
    }

    /// Gives the turn back, with a pass that another process goes on with. Whether this process still had it.
    pub(crate) async fn give_back(&self, term: &Term, left: Option<(&Value, &Value)>) -> Result<bool, Error> {
        let statement = "UPDATE dyno_restarter.turns
            SET holder = NULL, beat = beat + 1, history = coalesce($4, history), pass = coalesce($5, pass)
            WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term";
        let (history, pass) = left.unzip();
        self.write_as_holder(statement, term, &[(&history, Type::JSONB), (&pass, Type::JSONB)]).await
    }

    async fn write_as_holder(&self, statement: &str, term: &Term, rest: Parameters<'_>) -> Result<bool, Error> {
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&term.app, Type::TEXT), (&self.id, Type::TEXT), (&term.number, Type::INT8)];
        parameters.extend(rest.iter().map(|(value, of)| (*value, of.clone())));
        Ok(!self.query(statement, &parameters).await?.is_empty())
    }

    /// One statement, which is one transaction.
    pub(super) async fn query(&self, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let slot = self.turns.slot().await;
        let began = Instant::now();
        let result = match self.turns.open(slot).await {
            // A new connection has a limit of its own: a slow one must not be given up again and again.
            Ok(session) => {
                let querying = async {
                    let rows = session.query_typed(statement, parameters).await.map_err(|error| fault(&error))?;
                    session.reuse();
                    Ok(rows)
                };
                bounded(TIMEOUT, querying).await
            }
            Err(error) => Err(error),
        };
        self.note_contact(&result, began);
        result
    }
}

/// The values of the columns of `passes`.
fn columns(passes: &[NewPass]) -> (Vec<&Value>, Vec<bool>) {
    passes.iter().map(|pass| (&pass.report, pass.restarted)).unzip()
}
