//! Which requests of the database an app's task has, so that none is served twice and none is left waiting.

use std::collections::BTreeSet;

/// The requests that were taken from the database and are not done there yet: they wait in the queue, or a pass serves them or
/// has served them.
#[derive(Debug)]
pub(super) struct TakenRequests {
    ids: BTreeSet<i64>,
    /// What marks them in the database. The database returns all that are not marked with it.
    mark: i64,
}

impl Default for TakenRequests {
    fn default() -> Self {
        Self { ids: BTreeSet::new(), mark: fastrand::i64(..) }
    }
}

impl TakenRequests {
    /// The mark of those that are taken from now on.
    pub(super) fn mark(&self) -> i64 {
        self.mark
    }

    /// The database returned this one. Whether it is new.
    pub(super) fn add(&mut self, id: i64) -> bool {
        self.ids.insert(id)
    }

    /// These are done in the database.
    pub(super) fn done(&mut self, ids: &[i64]) {
        for id in ids {
            self.ids.remove(id);
        }
    }

    /// These will not be served here. If this process has the turn, the database returns them again.
    pub(super) fn give_up(&mut self, ids: &[i64]) {
        self.done(ids);
        self.take_again();
    }

    /// Some may be marked that were not returned. A new mark brings all of them.
    pub(super) fn take_again(&mut self) {
        self.mark = fastrand::i64(..);
    }
}
