//! Who may make passes over an app, what is remembered of the app, and the pass under way.

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::{Postgres, TIMEOUT, bounded, column, fault};
use crate::store::{Error, FinishedPass, TakenTurn, Term, TurnRow};

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

    /// What is remembered of an app, by its last holder.
    pub(crate) async fn history(&self, app: &str) -> Result<Option<Value>, Error> {
        let read = "SELECT history FROM dyno_restarter.turns WHERE app = $1";
        let rows = self.query(read, &[(&app, Type::TEXT)]).await?;
        rows.first().map_or(Ok(None), |row| column(row, 0))
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

    /// Renews the turn. Whether this process still has it.
    pub(crate) async fn renew_turn(&self, term: &Term) -> Result<bool, Error> {
        let statement = "UPDATE dyno_restarter.turns SET beat = beat + 1, renewed_at = now()
            WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term";
        self.write_as_holder(statement, term, &[]).await
    }

    /// Writes what is remembered of the app and the pass under way, if there is one, and renews the turn. Whether this process
    /// still has it.
    pub(crate) async fn write_ahead(&self, term: &Term, history: &Value, pass: Option<&Value>) -> Result<bool, Error> {
        let statement = "UPDATE dyno_restarter.turns
            SET beat = beat + 1, renewed_at = now(), history = $4, pass = $5
            WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term";
        self.write_as_holder(statement, term, &[(history, Type::JSONB), (&pass, Type::JSONB)]).await
    }

    /// Ends a pass: what it served is done, and its report is kept. Whether this process still has the turn.
    pub(crate) async fn finish_pass(&self, term: &Term, pass: &FinishedPass) -> Result<bool, Error> {
        let statement = "WITH held AS (
                UPDATE dyno_restarter.turns SET beat = beat + 1, renewed_at = now(), history = $4, pass = NULL
                WHERE app = $1 AND holder = $2 AND term = $3 RETURNING term),
            done AS (
                UPDATE dyno_restarter.requests SET done_at = now()
                WHERE id = ANY ($5) AND EXISTS (SELECT FROM held) RETURNING ids),
            forgotten AS (
                DELETE FROM dyno_restarter.seen WHERE $6 AND id IN (SELECT unnest(ids) FROM done)),
            kept AS (
                INSERT INTO dyno_restarter.passes (app, report) SELECT $1, $7 FROM held)
            SELECT term FROM held";
        let FinishedPass { requests, was_lost, history, report } = pass;
        let parameters: Parameters<'_> =
            &[(history, Type::JSONB), (requests, Type::INT8_ARRAY), (was_lost, Type::BOOL), (report, Type::JSONB)];
        self.write_as_holder(statement, term, parameters).await
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
        let result = match self.turns.session().await {
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
        self.note_contact(&result);
        result
    }
}
