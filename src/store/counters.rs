//! What a process has written of its counters, and what is left to write. Pure: no clock, no database, no log.
//!
//! A process writes how far each of its counters has come, and not by how much it grew: a statement that is carried out although
//! its answer was lost counts nothing twice. When a process was not heard of for a day, its rows are added to those of all that
//! are gone. If it comes back, it counts on from what it wrote last, as a new process does from 0.

use std::collections::BTreeMap;

use crate::util::ordered::CollectOrdered;

/// Counters by their name. What is not counted in whole numbers has its unit in the name.
pub(crate) type Counters = BTreeMap<String, i64>;

/// What a process has written of its counters.
#[derive(Debug, Default)]
pub(crate) struct WrittenCounters {
    /// The mark of the row that says that the process is there. Another one means that its rows were added to those of all that
    /// are gone.
    mark: Option<i64>,
    /// What is in its rows for certain.
    confirmed: Counters,
    /// What it tried to write last: how far the counters had come since the start.
    attempted: Counters,
    /// What was added to the counters of all that are gone.
    gone: Counters,
}

impl WrittenCounters {
    /// The row of the process has this mark.
    pub(crate) fn registered(&mut self, mark: i64) {
        if self.mark.replace(mark).is_some_and(|before| before != mark) {
            self.gone.clone_from(&self.attempted);
            self.confirmed.clear();
        }
    }

    /// The mark of the row of the process, if it has one.
    pub(crate) fn mark(&self) -> Option<i64> {
        self.mark
    }

    /// What is to be written, given how far the counters have come since the start.
    pub(crate) fn to_write(&self, counters: &Counters) -> Counters {
        let row = |(name, count): (&String, &i64)| (name.clone(), count - of(&self.gone, name));
        let is_new = |(name, row): &(String, i64)| *row > of(&self.confirmed, name);
        counters.iter().map(row).filter(is_new).collect_ordered()
    }

    /// These rows are about to be written: from now on, the database may have them. Returns what it could have before.
    pub(crate) fn attempt(&mut self, rows: &Counters) -> Counters {
        let before = self.attempted.clone();
        for (name, row) in rows {
            self.attempted.insert(name.clone(), row + of(&self.gone, name));
        }
        before
    }

    /// These rows are written.
    pub(crate) fn written(&mut self, rows: Counters) {
        self.confirmed.extend(rows);
    }

    /// They are certainly not written, because the row of the process is gone.
    pub(crate) fn not_written(&mut self, before: Counters) {
        self.attempted = before;
    }
}

fn of(counters: &Counters, name: &str) -> i64 {
    counters.get(name).copied().unwrap_or_default()
}
