//! Who uses the store, and what in it is old.

use std::time::Duration;

use tokio::time::Instant;
use tokio_postgres::types::Type;
use tracing::debug;

use super::{Postgres, column};
use crate::shutdown::Stop;
use crate::store::Error;

/// What goes when it is old, in small steps, so that no statement takes long. Alerts and passes are kept for 30 days.
const OLD: [&str; 5] = [
    "DELETE FROM dyno_restarter.seen WHERE id IN (
        SELECT id FROM dyno_restarter.seen WHERE seen_at < now() - interval '1 hour' LIMIT 500)",
    "DELETE FROM dyno_restarter.requests WHERE id IN (
        SELECT id FROM dyno_restarter.requests WHERE done_at < now() - interval '30 days' LIMIT 500)",
    "DELETE FROM dyno_restarter.passes WHERE id IN (
        SELECT id FROM dyno_restarter.passes WHERE ended_at < now() - interval '30 days' LIMIT 500)",
    "DELETE FROM dyno_restarter.reports WHERE (app, dyno, kind) IN (
        SELECT app, dyno, kind FROM dyno_restarter.reports WHERE changed_at < now() - interval '30 days' LIMIT 500)",
    "DELETE FROM dyno_restarter.replicas WHERE seen_at < now() - interval '1 day'",
];

/// How often old rows are looked for.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(10 * 60);

/// A database that does not answer may answer others. After this long, a process that knows of no other acts all the same.
const LONGEST_SILENCE: Duration = Duration::from_secs(10 * 60);

impl Postgres {
    /// Says now and then that this process is there, and deletes what is old, until the service is asked to end.
    pub(crate) async fn maintain(&self, stop: Stop) {
        let mut clean_up_at = Instant::now();
        loop {
            let maintained = async {
                self.register().await?;
                // The first alert does not wait for a connection.
                self.alerts.session().await?.reuse();
                if clean_up_at <= Instant::now() {
                    clean_up_at = Instant::now() + CLEANUP_INTERVAL;
                    self.delete_old().await?;
                }
                Ok::<_, Error>(())
            };
            if let Err(error) = maintained.await {
                // The writer of alerts and the keepers of turns tell it.
                debug!("{error}");
            }
            tokio::select! {
                biased;
                _ = stop.requested() => break,
                () = tokio::time::sleep(self.timing.renewal()) => {}
            }
        }
        // Without the database, the others find out in an hour.
        self.deregister().await.ok();
    }

    /// Whether this process may act although the database is away, because no other process does:
    ///
    /// - the database has been down for longer than a lease, so that nobody can hold a turn, and this is the first dyno of
    ///   the restarter (or it is no dyno, and no other process was there);
    /// - or nothing was heard of it for [`LONGEST_SILENCE`], for example because the password is wrong, and no other process
    ///   was there when it was heard last. If it was never heard, that is so for the first dyno.
    pub(crate) fn is_alone(&self) -> bool {
        let contact = self.contact();
        let is_down = contact.down_since.is_some_and(|since| since.elapsed() >= self.timing.lease);
        let is_silent = contact.answered_at.elapsed() >= LONGEST_SILENCE;
        let is_first = self.is_first.unwrap_or(contact.others == Some(false));
        let knows_no_other = contact.others.map_or(self.is_first != Some(false), |others| !others);
        is_down && is_first || is_silent && knows_no_other
    }

    /// Notes whether the database answered.
    pub(super) fn note_contact<T>(&self, result: &Result<T, Error>) {
        let (now, mut contact) = (Instant::now(), self.contact());
        match result {
            Ok(_) => (contact.answered_at, contact.down_since) = (now, None),
            Err(Error::Down(_)) => _ = contact.down_since.get_or_insert(now),
            Err(_) => contact.down_since = None,
        }
    }

    /// Says that this process is there. Returns whether other processes of this program were there within the last hour. One
    /// that ends in an orderly way says so, with [`Postgres::deregister`].
    pub(crate) async fn register(&self) -> Result<bool, Error> {
        let statement = "WITH me AS (
                INSERT INTO dyno_restarter.replicas (id) VALUES ($1)
                ON CONFLICT (id) DO UPDATE SET seen_at = now())
            SELECT EXISTS (
                SELECT FROM dyno_restarter.replicas WHERE id <> $1 AND seen_at > now() - interval '1 hour')";
        let rows = self.query(statement, &[(&self.id, Type::TEXT)]).await?;
        let others = rows.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
        self.contact().others = Some(others);
        Ok(others)
    }

    /// Says that this process ends.
    pub(crate) async fn deregister(&self) -> Result<(), Error> {
        self.query("DELETE FROM dyno_restarter.replicas WHERE id = $1", &[(&self.id, Type::TEXT)]).await.map(drop)
    }

    /// Deletes some of what is old.
    pub(crate) async fn delete_old(&self) -> Result<(), Error> {
        for statement in OLD {
            self.query(statement, &[]).await?;
        }
        Ok(())
    }
}
