//! The tables. They are made and changed here at the first connection, forward only, by one process at a time.

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::column;
use super::connection::{CONNECT_TIMEOUT, begin, fault, single_statement};
use crate::store::Error;

/// Each entry leads from one version to the next. Entries are added and never changed.
const MIGRATIONS: [&str; 4] = [
    "
    -- Alerts that were accepted, merged as they came in.
    CREATE TABLE dyno_restarter.requests (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        app text NOT NULL,
        asked jsonb NOT NULL,
        alerts bigint NOT NULL,
        senders text[] NOT NULL,
        -- The deliveries that they came with, as in `seen`.
        ids bytea[] NOT NULL,
        accepted_at timestamptz NOT NULL DEFAULT now(),
        -- Who has it: a random number of the process that holds the turn.
        taken bigint,
        done_at timestamptz
    );
    CREATE INDEX requests_waiting ON dyno_restarter.requests (app) WHERE done_at IS NULL;
    CREATE INDEX requests_done ON dyno_restarter.requests (done_at) WHERE done_at IS NOT NULL;

    -- Deliveries of the last minutes.
    CREATE TABLE dyno_restarter.seen (
        id bytea PRIMARY KEY,
        seen_at timestamptz NOT NULL DEFAULT now()
    );
    CREATE INDEX seen_by_age ON dyno_restarter.seen (seen_at);

    -- Who makes the passes over each app, what is remembered of the app, and the pass under way.
    CREATE TABLE dyno_restarter.turns (
        app text PRIMARY KEY,
        holder text,
        term bigint NOT NULL,
        beat bigint NOT NULL,
        renewed_at timestamptz NOT NULL DEFAULT now(),
        history jsonb,
        pass jsonb
    );

    -- The passes of the last days.
    CREATE TABLE dyno_restarter.passes (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        app text NOT NULL,
        ended_at timestamptz NOT NULL DEFAULT now(),
        report jsonb NOT NULL
    );
    CREATE INDEX passes_by_age ON dyno_restarter.passes (app, ended_at);

    -- The reports of log drains that count, of each dyno: times in microseconds since 1970.
    CREATE TABLE dyno_restarter.reports (
        app text NOT NULL,
        dyno text NOT NULL,
        kind text NOT NULL,
        times bigint[] NOT NULL,
        done bigint,
        changed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (app, dyno, kind)
    );

    -- The processes of this program.
    CREATE TABLE dyno_restarter.replicas (
        id text PRIMARY KEY,
        seen_at timestamptz NOT NULL DEFAULT now()
    );
",
    "
    -- What the holder of the turn sees and does, for the pages of the others.
    ALTER TABLE dyno_restarter.turns ADD COLUMN status jsonb;

    -- What this replica heard: log drains, and requests that led to nothing.
    ALTER TABLE dyno_restarter.replicas ADD COLUMN heard jsonb;

    -- A pass is kept once, also if the answer to the first attempt was lost.
    DELETE FROM dyno_restarter.passes AS again USING dyno_restarter.passes AS first
        WHERE again.app = first.app AND again.report->>'began_at' = first.report->>'began_at' AND again.id > first.id;
    CREATE UNIQUE INDEX passes_once ON dyno_restarter.passes (app, (report->>'began_at'));
    -- Those that restarted a dyno are shown for longer than the others.
    ALTER TABLE dyno_restarter.passes ADD COLUMN restarted boolean NOT NULL DEFAULT false;
    CREATE INDEX passes_latest ON dyno_restarter.passes (app, id);
    CREATE INDEX passes_restarted ON dyno_restarter.passes (app, id) WHERE restarted;

    -- What is old is found by age.
    DROP INDEX dyno_restarter.passes_by_age;
    CREATE INDEX passes_by_age ON dyno_restarter.passes (ended_at);
    DROP INDEX dyno_restarter.requests_done;
    CREATE INDEX requests_by_age ON dyno_restarter.requests (accepted_at);
",
    "
    -- What each replica heard of the log of an app in ten minutes, for the picture of the last 24 hours.
    CREATE TABLE dyno_restarter.drain_steps (
        app text NOT NULL,
        -- In seconds since 1970.
        began_at bigint NOT NULL,
        replica text NOT NULL,
        heard jsonb NOT NULL,
        changed_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (app, began_at, replica)
    );
    CREATE INDEX drain_steps_changed ON dyno_restarter.drain_steps (changed_at);
",
    "
    -- How far the counters of each process have come, in whole numbers, so that their sum does not depend on the order. Those of
    -- all processes that are gone are added up, with an empty name.
    CREATE TABLE dyno_restarter.counters (
        replica text NOT NULL,
        series text NOT NULL,
        value bigint NOT NULL,
        PRIMARY KEY (replica, series)
    );
    -- A random number, another one for each row. A process that finds another one than before was not heard of for a day: its row
    -- was deleted, and its counters were added to those of the processes that are gone.
    ALTER TABLE dyno_restarter.replicas ADD COLUMN mark bigint;
",
];

/// The number of the advisory lock: `dynorest` in ASCII.
const LOCK: i64 = 0x6479_6e6f_7265_7374;

/// What the database says of tables that are not there.
const MISSING: [SqlState; 2] = [SqlState::INVALID_SCHEMA_NAME, SqlState::UNDEFINED_TABLE];

/// Makes the tables, or changes those of an older version.
///
/// # Errors
/// When they are of a newer version.
pub(super) async fn prepare(client: &mut Client) -> Result<(), Error> {
    if single_statement(client, CONNECT_TIMEOUT, version(client)).await? == Some(latest()) {
        return Ok(());
    }
    let transaction = begin(client, CONNECT_TIMEOUT).await?;
    let lock = [(&LOCK as _, Type::INT8)];
    transaction.query_typed("SELECT pg_advisory_xact_lock($1)", &lock).await.map_err(|error| fault(&error))?;
    let first = "CREATE SCHEMA IF NOT EXISTS dyno_restarter;
        CREATE TABLE IF NOT EXISTS dyno_restarter.version (version integer NOT NULL)";
    transaction.batch_execute(first).await.map_err(|error| fault(&error))?;
    let found = not_newer(version(transaction.client()).await?)?.unwrap_or_default();
    let known = usize::try_from(found).unwrap_or_default();
    for migration in &MIGRATIONS[known..] {
        transaction.batch_execute(migration).await.map_err(|error| fault(&error))?;
    }
    let version =
        format!("DELETE FROM dyno_restarter.version; INSERT INTO dyno_restarter.version VALUES ({})", MIGRATIONS.len());
    transaction.batch_execute(&version).await.map_err(|error| fault(&error))?;
    transaction.commit().await.map_err(|error| fault(&error))
}

/// The version of the tables, if there are any.
///
/// # Errors
/// When it is a newer one.
pub(super) async fn check(client: &Client) -> Result<Option<i32>, Error> {
    not_newer(single_statement(client, CONNECT_TIMEOUT, version(client)).await?)
}

/// A version that this program knows.
fn not_newer(found: Option<i32>) -> Result<Option<i32>, Error> {
    match found {
        Some(found) if found > latest() => Err(Error::NewerSchema { found, known: latest() }),
        found => Ok(found),
    }
}

fn latest() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// The version of the tables; `None` when there are none. It is one statement.
async fn version(client: &Client) -> Result<Option<i32>, Error> {
    let rows = client.query_typed("SELECT version FROM dyno_restarter.version", &[]).await;
    let rows = match rows {
        Err(error) if MISSING.iter().any(|code| error.code() == Some(code)) => return Ok(None),
        rows => rows.map_err(|error| fault(&error))?,
    };
    rows.first().map(|row| column(row, 0)).transpose()
}
