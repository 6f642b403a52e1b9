//! Who may make passes over an app, what is remembered of the app, and the pass under way.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use super::connection::{Slot, query};
use super::{Postgres, TIMEOUT, bounded, column, json_column, limit};
use crate::store::{Error, FinishedPass, NewPass, Renewal, StoredPassRow, TakenTurn, Term, TurnRow, TurnState};
use crate::util::ordered::CollectOrdered;

/// How long a report may be that is read, in characters. One on a hundred dynos has 20,000.
const LARGEST: i32 = 100_000;

type Parameters<'a> = &'a [(&'a (dyn ToSql + Sync), Type)];

impl Postgres {
    /// Who has the turns of these apps, by app. Makes the rows that are missing: then nobody has the turn.
    pub(crate) async fn turns(&self, apps: &[&str]) -> Result<BTreeMap<String, TurnRow>, Error> {
        let create = "INSERT INTO dyno_restarter.turns (app, term, beat)
            SELECT app, 0, 0 FROM unnest($1) AS app ON CONFLICT DO NOTHING";
        let turns = self.existing_turns(apps).await?;
        if turns.len() == apps.len() {
            return Ok(turns);
        }
        if let Err(error) = self.query_early(create, &[(&apps, Type::TEXT_ARRAY)]).await {
            // Apps whose rows are there are served all the same.
            return if turns.is_empty() || !error.is_answer() { Err(error) } else { Ok(turns) };
        }
        let turns = self.existing_turns(apps).await?;
        if turns.len() == apps.len() { Ok(turns) } else { Err(Error::Altered("a row of turns vanished".to_owned())) }
    }

    async fn existing_turns(&self, apps: &[&str]) -> Result<BTreeMap<String, TurnRow>, Error> {
        let statement = "SELECT app, holder, term, beat FROM dyno_restarter.turns WHERE app = ANY ($1)";
        let turn = |row: &Row| {
            Ok((column(row, 0)?, TurnRow { holder: column(row, 1)?, term: column(row, 2)?, beat: column(row, 3)? }))
        };
        self.query_early(statement, &[(&apps, Type::TEXT_ARRAY)]).await?.iter().map(turn).try_collect_ordered()
    }

    /// What the holders of these turns wrote: the app, what is remembered of it, and its status.
    pub(crate) async fn histories_and_statuses(
        &self,
        apps: &[&str],
    ) -> Result<Vec<(String, Option<Value>, Option<Value>)>, Error> {
        let statement = "SELECT app, history, status FROM dyno_restarter.turns WHERE app = ANY ($1)";
        let rows = self.query_early(statement, &[(&apps, Type::TEXT_ARRAY)]).await?;
        rows.iter().map(|row| Ok((column(row, 0)?, json_column(row, 1), json_column(row, 2)))).collect()
    }

    /// Takes each of these turns, unless something has happened to it since its row was read. Returns those that were taken.
    pub(crate) async fn take_turns(&self, seen: &[(&str, TurnRow)]) -> Result<Vec<TakenTurn>, Error> {
        // A row that another session locks must not keep the others waiting.
        let statement = "WITH free AS (
                SELECT turns.app FROM dyno_restarter.turns JOIN unnest($2, $3, $4, $5) AS seen (app, holder, term, beat)
                    ON turns.app = seen.app AND turns.holder IS NOT DISTINCT FROM seen.holder
                    AND turns.term = seen.term AND turns.beat = seen.beat
                FOR NO KEY UPDATE OF turns SKIP LOCKED)
            UPDATE dyno_restarter.turns SET holder = $1, term = turns.term % $6 + 1, beat = 0, renewed_at = now()
            FROM free WHERE turns.app = free.app RETURNING turns.app, turns.term, history, pass";
        let apps: Vec<&str> = seen.iter().map(|(app, _)| *app).collect();
        let holders: Vec<Option<&str>> = seen.iter().map(|(_, row)| row.holder.as_deref()).collect();
        let terms: Vec<i64> = seen.iter().map(|(_, row)| row.term).collect();
        let beats: Vec<i64> = seen.iter().map(|(_, row)| row.beat).collect();
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&apps as _, Type::TEXT_ARRAY),
            (&holders as _, Type::TEXT_ARRAY),
            (&terms as _, Type::INT8_ARRAY),
            (&beats as _, Type::INT8_ARRAY),
            // Somebody may have written it by hand.
            (&i64::MAX as _, Type::INT8),
        ];
        let taken = |row| {
            let (app, term) = (column(row, 0)?, column(row, 1)?);
            Ok(TakenTurn { app, term, history: json_column(row, 2), pass: json_column(row, 3) })
        };
        let rows = self.query_early(statement, &parameters).await?;
        self.note_written();
        rows.iter().map(taken).collect()
    }

    /// Renews turns. Returns the apps whose turn this process still has, each with whether it was renewed: it was not if another
    /// session locks its row, which must not keep the others waiting.
    pub(crate) async fn renew_turns(&self, renewals: &[Renewal<'_>]) -> Result<BTreeMap<String, bool>, Error> {
        let statement = "WITH free AS (
                SELECT turns.app, mine.next_beat, mine.status FROM dyno_restarter.turns
                JOIN unnest($2, $3, $4, $5) AS mine (app, term, next_beat, status) USING (app, term)
                WHERE holder = $1 AND beat < mine.next_beat FOR NO KEY UPDATE OF turns SKIP LOCKED),
            renewed AS (
                UPDATE dyno_restarter.turns
                SET beat = next_beat, renewed_at = now(), status = coalesce(free.status, turns.status)
                FROM free WHERE turns.app = free.app RETURNING turns.app)
            SELECT app, app IN (SELECT app FROM renewed) FROM dyno_restarter.turns
                JOIN unnest($2, $3) AS mine (app, term) USING (app, term) WHERE holder = $1";
        let slot = self.turns.early_slot().await;
        let apps: Vec<&str> = renewals.iter().map(|renewal| &*renewal.term.app).collect();
        let terms: Vec<i64> = renewals.iter().map(|renewal| renewal.term.number).collect();
        let beats: Vec<i64> = renewals.iter().map(|renewal| renewal.term.next_beat()).collect();
        let statuses: Vec<Option<&Value>> = renewals.iter().map(|renewal| renewal.status).collect();
        let parameters = [
            (&self.id as _, Type::TEXT),
            (&apps as _, Type::TEXT_ARRAY),
            (&terms as _, Type::INT8_ARRAY),
            (&beats as _, Type::INT8_ARRAY),
            (&statuses as _, Type::JSONB_ARRAY),
        ];
        let rows = self.query_in(slot, statement, &parameters).await?;
        self.note_written();
        rows.iter().map(|row| Ok((column(row, 0)?, column(row, 1)?))).try_collect_ordered()
    }

    /// Writes what is remembered of the app and the pass under way, if there is one, and renews the turn. Whether this process
    /// still has it.
    ///
    /// The state is asked for when other statements have ended: that of a hundred dynos is large, and a hundred passes may wait
    /// here. If nobody needs it any more then, it is `None`, and so is the answer.
    pub(crate) async fn write_state(
        &self,
        term: &Term,
        state: impl FnOnce() -> Option<TurnState>,
    ) -> Result<Option<bool>, Error> {
        let statement = "UPDATE dyno_restarter.turns
            SET beat = $4, renewed_at = now(), history = $5, pass = $6, status = $7
            WHERE app = $1 AND holder = $2 AND term = $3 AND beat < $4 RETURNING term";
        let slot = self.turns.slot().await;
        let Some(TurnState { history, pass, status }) = state() else { return Ok(None) };
        let values = [(&history as _, Type::JSONB), (&pass as _, Type::JSONB), (&status as _, Type::JSONB)];
        self.write_as_holder(slot, statement, term, &values).await.map(Some)
    }

    /// Ends a pass: what it served is done, and its report is kept, with those that could not be written before. Whether this
    /// process still has the turn.
    pub(crate) async fn finish_pass(&self, term: &Term, pass: &FinishedPass) -> Result<bool, Error> {
        let statement = "WITH held AS (
                UPDATE dyno_restarter.turns
                SET beat = $4, renewed_at = now(), history = $5, pass = NULL, status = $10
                WHERE app = $1 AND holder = $2 AND term = $3 AND beat < $4 RETURNING term),
            done AS (
                UPDATE dyno_restarter.requests SET done_at = now()
                WHERE id = ANY ($6) AND EXISTS (SELECT FROM held) RETURNING ids),
            forgotten AS (
                DELETE FROM dyno_restarter.seen WHERE $7 AND id IN (SELECT unnest(ids) FROM done)),
            kept AS (
                INSERT INTO dyno_restarter.passes (app, report, restarted)
                SELECT $1, report, restarted FROM held, unnest($8, $9) AS new (report, restarted)
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
        self.write_as_holder(self.turns.slot().await, statement, term, parameters).await
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

    /// The reports on the latest passes over an app, oldest first: up to `latest` of any passes, and up to `restarted` of passes
    /// that restarted a dyno.
    pub(crate) async fn latest_passes(
        &self,
        app: &str,
        latest: usize,
        restarted: usize,
    ) -> Result<Vec<StoredPassRow>, Error> {
        let statement =
            "SELECT app, id, CASE WHEN length(report::text) <= $4 THEN report END FROM dyno_restarter.passes
            WHERE id IN (
                (SELECT id FROM dyno_restarter.passes WHERE app = $1 ORDER BY id DESC LIMIT $2)
                UNION
                (SELECT id FROM dyno_restarter.passes WHERE app = $1 AND restarted ORDER BY id DESC LIMIT $3))
            ORDER BY id";
        let parameters = [
            (&app as _, Type::TEXT),
            (&limit(latest) as _, Type::INT8),
            (&limit(restarted) as _, Type::INT8),
            (&LARGEST as _, Type::INT4),
        ];
        self.query(statement, &parameters).await?.iter().map(pass_row).collect()
    }

    /// The reports on passes that are newer than the last one known of each app, oldest first: up to `most` of them.
    pub(crate) async fn passes_after(&self, last: &[(&str, i64)], most: usize) -> Result<Vec<StoredPassRow>, Error> {
        let statement =
            "SELECT app, id, CASE WHEN length(report::text) <= $3 THEN report END FROM dyno_restarter.passes
            JOIN unnest($1, $2) AS known (app, last) USING (app) WHERE id > last ORDER BY id LIMIT $4";
        let (apps, last): (Vec<&str>, Vec<i64>) = last.iter().copied().unzip();
        let parameters = [
            (&apps as _, Type::TEXT_ARRAY),
            (&last as _, Type::INT8_ARRAY),
            (&LARGEST as _, Type::INT4),
            (&limit(most) as _, Type::INT8),
        ];
        self.query(statement, &parameters).await?.iter().map(pass_row).collect()
    }

    /// Gives the turn back, with what is remembered of the app and a pass that another process goes on with. Whether this process
    /// still had it. These are asked for when other statements have ended.
    pub(crate) async fn hand_over(
        &self,
        term: &Term,
        history_and_pass: impl FnOnce() -> (Value, Value),
    ) -> Result<bool, Error> {
        let statement = "UPDATE dyno_restarter.turns SET holder = NULL, beat = $4, history = $5, pass = $6
            WHERE app = $1 AND holder = $2 AND term = $3 AND beat < $4 RETURNING term";
        let slot = self.turns.slot().await;
        let (history, pass) = history_and_pass();
        let values = [(&history as _, Type::JSONB), (&pass as _, Type::JSONB)];
        self.write_as_holder(slot, statement, term, &values).await
    }

    /// Gives turns back. One whose row another session locks is left out, and its successor waits.
    pub(crate) async fn give_back_turns(&self, terms: &[&Term]) -> Result<(), Error> {
        let statement = "WITH free AS (
                SELECT turns.app FROM dyno_restarter.turns JOIN unnest($2, $3) AS mine (app, term) USING (app, term)
                WHERE holder = $1 FOR NO KEY UPDATE OF turns SKIP LOCKED)
            UPDATE dyno_restarter.turns SET holder = NULL FROM free WHERE turns.app = free.app";
        let apps: Vec<&str> = terms.iter().map(|term| &*term.app).collect();
        let numbers: Vec<i64> = terms.iter().map(|term| term.number).collect();
        let parameters =
            [(&self.id as _, Type::TEXT), (&apps as _, Type::TEXT_ARRAY), (&numbers as _, Type::INT8_ARRAY)];
        self.query_early(statement, &parameters).await.map(drop)
    }

    /// A statement whose parameters begin with the app, this process, the term, and the beat. Whether it found the turn.
    async fn write_as_holder(
        &self,
        slot: Slot<'_>,
        statement: &str,
        term: &Term,
        rest: Parameters<'_>,
    ) -> Result<bool, Error> {
        let beat = term.next_beat();
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&term.app, Type::TEXT), (&self.id, Type::TEXT), (&term.number, Type::INT8), (&beat, Type::INT8)];
        parameters.extend(rest.iter().map(|(value, of)| (*value, of.clone())));
        let rows = self.query_in(slot, statement, &parameters).await?;
        self.note_written();
        Ok(!rows.is_empty())
    }

    /// One statement, which is one transaction.
    pub(super) async fn query(&self, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        self.query_in(self.turns.slot().await, statement, parameters).await
    }

    /// The same for what keeps the turns: many passes at once must not keep it waiting until a turn is lost.
    pub(super) async fn query_early(&self, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        self.query_in(self.turns.early_slot().await, statement, parameters).await
    }

    async fn query_in(&self, slot: Slot<'_>, statement: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let began = Instant::now();
        let result = match self.turns.open(slot).await {
            // A new connection has a limit of its own: a slow one must not be given up again and again.
            Ok(session) => {
                let querying = async {
                    let rows = query(&session, TIMEOUT, statement, parameters).await?;
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

fn pass_row(row: &Row) -> Result<StoredPassRow, Error> {
    Ok(StoredPassRow { app: column(row, 0)?, id: column(row, 1)?, report: json_column(row, 2) })
}

/// The values of the columns of `passes`.
fn columns(passes: &[NewPass]) -> (Vec<&Value>, Vec<bool>) {
    passes.iter().map(|pass| (&pass.report, pass.restarted)).unzip()
}
