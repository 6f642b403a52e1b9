//! How many messages were sent, for the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many messages were sent since the start, and how often that failed. Clones share the numbers.
#[derive(Clone, Debug)]
pub(crate) struct NotificationCounts(Arc<Mutex<(u64, BTreeMap<&'static str, u64>)>>);

/// Why a message may not be sent. Each is counted from 0, so that the first one is an increase.
const REASONS: [&str; 5] = ["no_answer", "unavailable", "rejected", "expired", "dropped"];

impl Default for NotificationCounts {
    fn default() -> Self {
        Self(Arc::new(Mutex::new((0, REASONS.map(|reason| (reason, 0)).into()))))
    }
}

impl NotificationCounts {
    /// How many messages were sent; how many attempts failed or texts were dropped, by the reason.
    pub(crate) fn read(&self) -> (u64, BTreeMap<&'static str, u64>) {
        self.lock().clone()
    }

    pub(super) fn sent(&self) {
        self.lock().0 += 1;
    }

    pub(super) fn failed(&self, reason: &'static str, count: usize) {
        *self.lock().1.entry(reason).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<&'static str, u64>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
