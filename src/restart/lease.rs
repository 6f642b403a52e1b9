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

    /// Whether the holder may renew it by a statement that begins at `now`. A lease that has ended stays so, unless this process
    /// is the designated one: that one may have acted meanwhile, see
    /// [`Contact::is_designated`](crate::store::Contact::is_designated).
    #[must_use]
    pub fn may_renew(&self, is_designated: bool, now: Instant) -> bool {
        is_designated || self.is_trusted(now)
    }

    /// The turn was renewed by a statement that began at `began`. The start counts, because nobody knows when the database
    /// carried it out.
    pub fn renew(&mut self, began: Instant, is_designated: bool, timing: &Timing) {
        if self.may_renew(is_designated, began) {
            self.trusted_until = self.trusted_until.max(began + timing.trust());
        }
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
    /// Since when the turn has been watched without a gap, and when it was read last.
    contact: Option<(Instant, Instant)>,
    /// Whether it could not be read before.
    was_away: bool,
    /// Whether the row has changed since it was read first.
    has_changed: bool,
}

impl Watch {
    /// The row was read, and the answer was there at `now`. Whether anything has happened to the turn since the last time.
    pub fn read(&mut self, row: &TurnRow, now: Instant, timing: &Timing) -> bool {
        let since = match self.contact {
            Some((since, last)) if now - last < timing.trust() => since,
            None if !self.was_away => now,
            // The designated process comes first, even if it must wait for a whole lease.
            _ => now + timing.trust(),
        };
        self.contact = Some((since, now));
        let is_new = self.seen.as_ref().is_none_or(|(seen, _)| seen != row);
        if is_new {
            self.has_changed = self.seen.is_some();
            self.seen = Some((row.clone(), now));
        }
        is_new
    }

    /// The row could not be read.
    pub fn failed(&mut self) {
        (self.was_away, self.has_changed) = (true, false);
    }

    /// Whether a process other than `id` took or renewed the turn while it was watched.
    #[must_use]
    pub fn sees_another(&self, id: &str) -> bool {
        let holder = self.seen.as_ref().and_then(|(row, _)| row.holder.as_deref());
        self.has_changed && holder.is_some_and(|holder| holder != id)
    }

    /// The row with which the process `id` may take the turn at `now`: nobody has it, or its holder has not renewed it for as
    /// long as a lease. The turn is then taken only if the row is still the same.
    ///
    /// While the database was away, the designated process may have acted without a turn. Within a lease it has noticed that
    /// the database is back, and it may take the turn before all others, who do not know of its restarts: they take the turn
    /// only after they have watched it for a lease, and longer after a gap.
    #[must_use]
    pub fn may_take(&self, id: &str, is_designated: bool, now: Instant, timing: &Timing) -> Option<&TurnRow> {
        let ((row, since), (watched_since, _)) = (self.seen.as_ref()?, self.contact?);
        let is_free = row.holder.as_deref().is_none_or(|holder| holder == id);
        let is_left = is_free || now - *since >= timing.lease;
        (is_left && (is_designated || now - watched_since >= timing.lease)).then_some(row)
    }

    /// This process has taken the turn, and does not watch it any more.
    pub fn forget(&mut self) {
        *self = Self { was_away: true, ..Self::default() };
    }
}
