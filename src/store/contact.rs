//! The decision whether a process may act although the database is away, because no other process does. Pure: no clock, no
//! database, no log.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::Timing;

/// A process has ended if it has not said for this many leases that it is there: two minutes. It says so three times in a lease,
/// and every minute when the database is slow.
const ENDED_AFTER_LEASES: u32 = 5;

/// What a process knows of the database and of other processes of this program.
#[derive(Clone, Debug)]
pub struct Contact {
    /// Whether this is the first dyno of the restarter, such as `web.1`; `None` when it is no dyno.
    is_first: Option<bool>,
    /// Whether the address is of this machine. Then a pooler may listen there that only this process uses.
    is_local: bool,
    /// When the database answered last, if it ever did. An error is an answer, too.
    answered_at: Option<Instant>,
    /// When something could be written to it last; the start of this process if nothing could.
    wrote_at: Instant,
    /// Since when it refuses connections.
    down_since: Option<Instant>,
    /// When the last attempt began that failed, if nothing could be written since.
    tried_at: Option<Instant>,
    /// Whether there were other processes when it was asked last, if it ever answered.
    others: Option<bool>,
    /// What others wrote last to say that they are there, and since when that has not changed, by the clock of this process.
    seen: BTreeMap<String, (String, Instant)>,
    /// When that was read last.
    seen_at: Instant,
}

impl Contact {
    /// A process that starts now.
    #[must_use]
    pub fn new(is_first: Option<bool>, is_local: bool, now: Instant) -> Self {
        Self {
            is_first,
            is_local,
            answered_at: None,
            wrote_at: now,
            down_since: None,
            tried_at: None,
            others: None,
            seen: BTreeMap::new(),
            seen_at: now,
        }
    }

    /// The database answered, maybe with an error.
    pub fn answered(&mut self, now: Instant) {
        (self.answered_at, self.down_since) = (Some(now), None);
    }

    /// Something that turns need was written.
    pub fn wrote(&mut self, now: Instant) {
        self.answered(now);
        (self.wrote_at, self.tried_at) = (now, None);
    }

    /// An attempt that began at `began` failed. `is_refused` says that nothing listens at its address, or that it starts or
    /// ends.
    pub fn failed(&mut self, is_refused: bool, began: Instant, now: Instant) {
        self.down_since = is_refused.then(|| self.down_since.unwrap_or(now));
        self.tried_at = Some(began);
    }

    /// It said which other processes may be there: for each, its name and the time that it wrote last. That time is not compared
    /// with any clock, which may jump. A process whose time does not change while this one watches has ended without saying so,
    /// as one that was killed before this one started. A gap may be an outage, in which nobody could write: then all of them
    /// count as being there again.
    pub fn saw_others(&mut self, others: impl IntoIterator<Item = (String, String)>, now: Instant, timing: &Timing) {
        let mut before = std::mem::take(&mut self.seen);
        if now - self.seen_at >= timing.lease {
            before.clear();
        }
        self.seen_at = now;
        for (id, written) in others {
            let since = before.get(&id).filter(|(last, _)| *last == written).map_or(now, |(_, since)| *since);
            self.seen.insert(id, (written, since));
        }
        self.others = Some(self.seen.values().any(|(_, since)| now - *since < timing.lease * ENDED_AFTER_LEASES));
    }

    /// When it answered last.
    #[must_use]
    pub fn answered_at(&self) -> Option<Instant> {
        self.answered_at
    }

    /// Whether this is the process that acts when the database is down: of several, it is one at most. It is the first dyno of
    /// the restarter; or, if it is no dyno or the database may be down for this one only, a process that knows of no other.
    #[must_use]
    pub fn is_designated(&self) -> bool {
        self.is_first.filter(|_| !self.is_local).unwrap_or(self.others == Some(false))
    }

    /// Whether this process may act without it:
    ///
    /// - it has been down for longer than a lease, so that nobody can hold a turn, and this process is the designated one;
    /// - or nothing could be written to it for `Timing::silence`, for example because the password is wrong or the database is
    ///   read-only, and no other process was there when it was heard last. A database that never answered counts as one
    ///   without others. A dyno that is not the first never does it: the first one may have started meanwhile.
    ///
    /// The last attempt to reach it must be recent, as a renewal must be: a process that stood still tries again first. So all
    /// that was done without the database is over a lease after it is back.
    #[must_use]
    pub fn is_alone(&self, now: Instant, timing: &Timing) -> bool {
        let is_down = self.down_since.is_some_and(|since| now - since >= timing.lease);
        let is_silent = now - self.wrote_at >= timing.silence;
        let knows_no_other = self.is_first != Some(false) && self.others != Some(true);
        let has_tried = self.tried_at.is_some_and(|began| now - began < timing.trust());
        has_tried && (is_down && self.is_designated() || is_silent && knows_no_other)
    }
}
