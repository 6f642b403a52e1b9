//! The decisions about a turn: how long its holder may rely on it, and when another process may take it. Pure: no clock, no
//! database, no log.

use tokio::time::Instant;

use crate::store::{Timing, TurnRow};

/// How long the holder of a turn may rely on it, by its own clock.
#[derive(Clone, Copy, Debug)]
pub struct Lease {
    trusted_until: Instant,
}

impl Lease {
    /// The lease of a turn that was taken by a statement that began at `began`.
    #[must_use]
    pub fn new(began: Instant, timing: &Timing) -> Self {
        Self { trusted_until: began + timing.trust() }
    }

    /// The turn was renewed by a statement that began at `began`. The start counts, because nobody knows when the database
    /// carried it out.
    pub fn renew(&mut self, began: Instant, timing: &Timing) {
        self.trusted_until = self.trusted_until.max(began + timing.trust());
    }

    /// Whether the holder may ask for a restart at `now`.
    #[must_use]
    pub fn is_trusted(&self, now: Instant) -> bool {
        now < self.trusted_until
    }
}

/// The turn of another process, as this one has seen it.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    /// The row that was read last, and since when it has not changed.
    seen: Option<(TurnRow, Instant)>,
}

impl Watch {
    /// The row was read, and the answer was there at `now`. Whether anything has happened to the turn since the last time.
    pub fn read(&mut self, row: &TurnRow, now: Instant) -> bool {
        let is_new = self.seen.as_ref().is_none_or(|(seen, _)| seen != row);
        if is_new {
            self.seen = Some((row.clone(), now));
        }
        is_new
    }

    /// The row with which the process `id` may take the turn at `now`: nobody has it, or its holder has not renewed it for as
    /// long as a lease. The turn is then taken only if the row is still the same.
    #[must_use]
    pub fn may_take(&self, id: &str, now: Instant, timing: &Timing) -> Option<&TurnRow> {
        let (row, since) = self.seen.as_ref()?;
        let is_free = row.holder.as_deref().is_none_or(|holder| holder == id);
        (is_free || now - *since >= timing.lease).then_some(row)
    }

    /// This process has taken the turn.
    pub fn forget(&mut self) {
        self.seen = None;
    }
}
