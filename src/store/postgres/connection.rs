//! One connection to the database, which is made again when it broke.
//!
//! A statement that failed or timed out closes its connection: nobody knows in which state that is. The database ends
//! the statement by itself a moment later: one that waits for a lock would go on waiting, and hold the locks that it has. A
//! request to cancel it would not be reliable: a pooler such as PgBouncer, which may stand in between, can drop it. For poolers,
//! too, no statement is prepared under a name and nothing is set for a session.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Config, Row, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use super::schema;
use crate::store::Error;
use crate::util::text::{printable, with_causes};

/// How long a new connection may take, with TLS and the tables.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much later than this process the database gives up a statement.
const GRACE: Duration = Duration::from_millis(500);

/// Messages of the database are cut to this length, in characters.
const LONGEST_MESSAGE: usize = 200;

/// A connection, or none yet.
pub(super) struct Connection {
    config: Config,
    tls: MakeRustlsConnect,
    client: Mutex<Option<Client>>,
    /// Ordinary statements wait for each other here first, so that an early one waits for one of them at most.
    line: Mutex<()>,
}

/// The place of the connection, which nobody else uses.
pub(super) type Slot<'a> = MutexGuard<'a, Option<Client>>;

/// The connection, in use. When this is dropped, the connection is closed, unless [`Session::reuse`] says that all went well.
pub(super) struct Session<'a> {
    slot: Slot<'a>,
    client: Client,
}

impl Connection {
    pub(super) fn new(config: &Config, tls: &MakeRustlsConnect) -> Self {
        let mut config = config.clone();
        config.connect_timeout(CONNECT_TIMEOUT).keepalives_idle(Duration::from_secs(30));
        Self { config, tls: tls.clone(), client: Mutex::default(), line: Mutex::default() }
    }

    /// Waits until nobody else uses the connection, and makes it if there is none.
    pub(super) async fn session(&self) -> Result<Session<'_>, Error> {
        self.open(self.slot().await).await
    }

    /// Waits until nobody else uses the connection.
    pub(super) async fn slot(&self) -> Slot<'_> {
        let _first_in_line = self.line.lock().await;
        self.client.lock().await
    }

    /// The same, before those that wait for [`Connection::slot`].
    pub(super) async fn early_slot(&self) -> Slot<'_> {
        self.client.lock().await
    }

    /// Makes the connection if there is none, unless somebody uses it.
    pub(super) async fn connect_if_free(&self) -> Result<(), Error> {
        let Ok(slot) = self.client.try_lock() else { return Ok(()) };
        self.open(slot).await?.reuse();
        Ok(())
    }

    /// Makes the connection if there is none.
    pub(super) async fn open<'a>(&'a self, mut slot: Slot<'a>) -> Result<Session<'a>, Error> {
        let client = match slot.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            // It is large, and rare.
            None => Box::pin(bounded(CONNECT_TIMEOUT, self.connect())).await?,
        };
        Ok(Session { slot, client })
    }

    async fn connect(&self) -> Result<Client, Error> {
        let mut client = self.connect_only().await?;
        schema::prepare(&mut client).await?;
        Ok(client)
    }

    /// A connection of its own, whatever tables there are.
    pub(super) async fn connect_only(&self) -> Result<Client, Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await.map_err(|error| refusal(&error))?;
        // It ends when the client is dropped.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!("the connection to the database ended: {}", printable(&with_causes(&error), LONGEST_MESSAGE));
            }
        });
        Ok(client)
    }
}

impl Session<'_> {
    /// The statement succeeded: the connection can be used again.
    pub(super) fn reuse(self) {
        let Self { mut slot, client } = self;
        *slot = Some(client);
    }
}

impl Deref for Session<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Session<'_> {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// Begins a transaction, whose statements the database ends after this long. If this process vanishes in the middle of it, its
/// locks are gone after ten seconds.
pub(super) async fn begin(client: &mut Client, limit: Duration) -> Result<Transaction<'_>, Error> {
    let transaction = client.transaction().await.map_err(|error| fault(&error))?;
    let limits = format!("{}; SET LOCAL idle_in_transaction_session_timeout = '10s'", statement_timeout(limit));
    transaction.batch_execute(&limits).await.map_err(|error| fault(&error))?;
    Ok(transaction)
}

/// Carries out one statement in a transaction of its own, which takes no more time than the statement alone. The database ends
/// it after this long.
pub(super) async fn single_statement<T>(
    client: &Client,
    limit: Duration,
    statement: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let start = format!("BEGIN; {}", statement_timeout(limit));
    // They are sent in this order, without waiting for answers.
    let (begun, done, ended) =
        tokio::join!(biased; client.batch_execute(&start), statement, client.batch_execute("COMMIT"));
    let done = done?;
    begun.and(ended).map_err(|error| fault(&error))?;
    Ok(done)
}

/// One statement that is a transaction of its own, and its rows.
pub(super) async fn query(
    client: &Client,
    limit: Duration,
    statement: &str,
    parameters: &[(&(dyn ToSql + Sync), Type)],
) -> Result<Vec<Row>, Error> {
    let querying = async { client.query_typed(statement, parameters).await.map_err(|error| fault(&error)) };
    single_statement(client, limit, querying).await
}

/// The database ends statements a moment after this process has given them up, so that only one of the two reports it.
fn statement_timeout(limit: Duration) -> String {
    format!("SET LOCAL statement_timeout = {}", (limit + GRACE).as_millis())
}

/// Work that fails when it takes too long.
pub(super) async fn bounded<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Error::TimedOut(limit)))
}

/// What an error of the driver means. The text contains no secret: neither the user nor the password.
pub(super) fn fault(error: &tokio_postgres::Error) -> Error {
    let Some(database) = error.as_db_error() else {
        let text = printable(&with_causes(error), LONGEST_MESSAGE);
        if is_refused(error) {
            return Error::Down(text);
        }
        return if error.is_closed() {
            Error::Connect("the connection was closed".to_owned())
        } else {
            Error::Connect(text)
        };
    };
    let (code, text) = (database.code(), printable(database.message(), LONGEST_MESSAGE));
    match *code {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => Error::Rejected,
        SqlState::READ_ONLY_SQL_TRANSACTION => Error::ReadOnly,
        SqlState::DISK_FULL | SqlState::OUT_OF_MEMORY | SqlState::CONFIGURATION_LIMIT_EXCEEDED => Error::Full(text),
        // It starts, ends or recovers.
        SqlState::CANNOT_CONNECT_NOW => Error::Down(text),
        SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::TOO_MANY_CONNECTIONS => Error::Connect(text),
        SqlState::INSUFFICIENT_PRIVILEGE => Error::Denied(text),
        _ if code.code().starts_with("42") => Error::Altered(text),
        _ => Error::Statement(text),
    }
}

/// Why no connection was opened. There were no statements yet, so anything unusual is about `DATABASE_URL`, and may quote it.
fn refusal(error: &tokio_postgres::Error) -> Error {
    match fault(error) {
        Error::Altered(_) | Error::Denied(_) | Error::Statement(_) => {
            Error::Connect("it does not accept what the URL says: check its name and its parameters".to_owned())
        }
        fault => fault,
    }
}

/// Whether nothing listens at the address.
fn is_refused(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::ConnectionRefused)
}
