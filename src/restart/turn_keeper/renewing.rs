//! Renews the turns of this process, and publishes the status of these apps for the other replicas: with each renewal, and
//! when it changes.

use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::time::Instant;
use tracing::warn;

use super::{KeptApp, TurnKeeper};
use crate::heroku::AppName;
use crate::restart::turn::{HeldTurn, json};
use crate::store::{CHANGES_INTERVAL, Error, Renewal};
use crate::util::rounds::after_rest;

/// A turn that is to be renewed, and the status that is to be published.
struct Due<'a> {
    app: &'a AppName,
    kept: &'a KeptApp,
    held: Arc<HeldTurn>,
    /// `None` if just that was published last.
    status: Option<Value>,
    fingerprint: u64,
}

impl<'a> Due<'a> {
    fn new(app: &'a AppName, kept: &'a KeptApp, held: Arc<HeldTurn>) -> Self {
        kept.app.forget_changes();
        let status = kept.app.holder_status();
        let fingerprint = fingerprint(&status);
        let status = (held.published() != Some(fingerprint)).then(|| json(&status));
        Self { app, kept, held, status, fingerprint }
    }
}

impl TurnKeeper {
    /// Renews the turns, and publishes what has changed.
    pub(super) async fn renew_when_due(&mut self) -> Result<(), Error> {
        if self.renew_at > Instant::now() {
            return Ok(());
        }
        let began = Instant::now();
        let is_any_locked =
            self.renew(self.held().map(|(app, kept, held)| Due::new(app, kept, held)).collect()).await?;
        self.publish_at = next_publication(began);
        self.changed.notify_one();
        self.renew_at = if is_any_locked { began } else { began + self.store.timing().renewal() };
        Ok(())
    }

    /// Publishes what has changed. Those turns are renewed, and the others are renewed when they are due. What fails is published
    /// with the next renewal.
    pub(super) async fn publish_changes(&mut self) {
        let began = Instant::now();
        let may_have_changed = self.held().filter(|(_, kept, _)| kept.app.has_changed());
        let due = may_have_changed.map(|(app, kept, held)| Due::new(app, kept, held));
        let changed = due.filter(|due| due.status.is_some()).collect();
        // The next look logs that the database is away.
        self.renew(changed).await.ok();
        self.publish_at = next_publication(began);
    }

    /// Renews these turns. Whether another session locks the row of one of them.
    async fn renew(&self, due: Vec<Due<'_>>) -> Result<bool, Error> {
        if due.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        // A renewal that fails may have published it all the same.
        due.iter().filter(|due| due.status.is_some()).for_each(|due| due.held.note_published(None));
        let renewals: Vec<_> =
            due.iter().map(|due| Renewal { term: &due.held.term, status: due.status.as_ref() }).collect();
        let renewed = self.store.renew_turns(&renewals).await?;
        for Due { app, kept, held, fingerprint, .. } in due {
            match renewed.get(app.as_str()) {
                Some(true) => {
                    held.renewed(began, &self.store);
                    held.note_published(Some(fingerprint));
                }
                Some(false) => held.note_locked(),
                None => {
                    warn!(event = "turn_lost", %app, "another restarter makes the passes over {app} now");
                    kept.turn.lose(&held);
                    kept.app.queue.forget_requests();
                }
            }
        }
        Ok(renewed.values().any(|is_renewed| !is_renewed))
    }
}

/// Equal for equal values.
fn fingerprint(value: &impl Serialize) -> u64 {
    let mut hasher = HashingWriter(DefaultHasher::new());
    // Neither the writer nor names, numbers and times can fail.
    serde_json::to_writer(&mut hasher, value).ok();
    hasher.0.finish()
}

/// Hashes what is written, so that a large value need not be kept as text.
struct HashingWriter(DefaultHasher);

impl io::Write for HashingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// When something may be published again, after a statement that began at `began`.
fn next_publication(began: Instant) -> Instant {
    after_rest(began).max(began + CHANGES_INTERVAL)
}
