//! Renews the turns of this process, and tells the others what it sees and does: with each renewal, and when it changes.

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

/// A turn that is to be renewed, and what the others are to be told.
struct Due<'a> {
    app: &'a AppName,
    kept: &'a KeptApp,
    held: Arc<HeldTurn>,
    /// What this process sees and does; `None` if the others were told just that.
    status: Option<Value>,
    fingerprint: u64,
}

impl<'a> Due<'a> {
    fn new(app: &'a AppName, kept: &'a KeptApp, held: Arc<HeldTurn>) -> Self {
        kept.app.forget_changes();
        let status = kept.app.for_others();
        let fingerprint = fingerprint(&status);
        let status = (held.told() != Some(fingerprint)).then(|| json(&status));
        Self { app, kept, held, status, fingerprint }
    }
}

impl TurnKeeper {
    /// Renews the turns, and tells the others what this process sees and does.
    pub(super) async fn renew_when_due(&mut self) -> Result<(), Error> {
        if self.renew_at > Instant::now() {
            return Ok(());
        }
        let began = Instant::now();
        let is_any_locked =
            self.renew(self.held().map(|(app, kept, held)| Due::new(app, kept, held)).collect()).await?;
        self.tell_at = tell_again(began);
        self.changed.notify_one();
        self.renew_at = if is_any_locked { began } else { began + self.store.timing().renewal() };
        Ok(())
    }

    /// Tells the others what this process sees and does, where that has changed. Those turns are renewed, and the others are
    /// renewed when they are due. What fails is told with the next renewal.
    pub(super) async fn tell_changes(&mut self) {
        let began = Instant::now();
        let may_have_changed = self.held().filter(|(_, kept, _)| kept.app.has_changed());
        let due = may_have_changed.map(|(app, kept, held)| Due::new(app, kept, held));
        let changed = due.filter(|due| due.status.is_some()).collect();
        // The next look tells that the database is away.
        self.renew(changed).await.ok();
        self.tell_at = tell_again(began);
    }

    /// Renews these turns. Whether another session locks the row of one of them.
    async fn renew(&self, due: Vec<Due<'_>>) -> Result<bool, Error> {
        if due.is_empty() {
            return Ok(false);
        }
        let began = Instant::now();
        // A renewal that fails may have told the others all the same.
        due.iter().filter(|due| due.status.is_some()).for_each(|due| due.held.note_told(None));
        let renewals: Vec<_> =
            due.iter().map(|due| Renewal { term: &due.held.term, status: due.status.as_ref() }).collect();
        let renewed = self.store.renew_turns(&renewals).await?;
        for Due { app, kept, held, fingerprint, .. } in due {
            match renewed.get(app.as_str()) {
                Some(true) => {
                    held.renewed(began, &self.store);
                    held.note_told(Some(fingerprint));
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

/// When the others may be told something again, after they were told something by a statement that began at `began`.
fn tell_again(began: Instant) -> Instant {
    after_rest(began).max(began + CHANGES_INTERVAL)
}
