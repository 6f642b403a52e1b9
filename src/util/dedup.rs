//! IDs seen lately, so that a repeated delivery is recognised. Limited in time and in number.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Senders repeat a delivery within seconds or minutes. A signature is valid for as long: from five minutes before its
/// date to five minutes after it.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);

/// At most about 2 MB. When there are more, the oldest are forgotten.
const MAX_IDS: usize = 10_000;

/// IDs seen within the last ten minutes, each with a value.
///
/// Only a hash of each ID is kept, because IDs can be of any length and may differ in their last byte only. The hash has 64
/// bits and a random key, so nobody can construct two IDs with the same one.
#[derive(Debug)]
pub struct SeenIds<T = ()> {
    hasher: RandomState,
    entries: Mutex<Entries<T>>,
}

#[derive(Debug)]
struct Entries<T> {
    by_hash: HashMap<u64, Entry<T>>,
    /// Oldest first. An entry that was replaced is here twice, with two times.
    by_age: VecDeque<(Instant, u64)>,
}

#[derive(Debug)]
struct Entry<T> {
    inserted_at: Instant,
    value: T,
}

impl<T> Default for SeenIds<T> {
    fn default() -> Self {
        let entries = Entries { by_hash: HashMap::new(), by_age: VecDeque::new() };
        Self { hasher: RandomState::new(), entries: Mutex::new(entries) }
    }
}

impl SeenIds {
    /// Inserts an ID; returns whether it was new.
    #[must_use]
    pub fn insert_new(&self, id: impl Hash) -> bool {
        self.insert_new_with([id], |()| false, || Ok::<_, std::convert::Infallible>(())).unwrap_or_default()
    }
}

impl<T: Clone> SeenIds<T> {
    /// Whether this ID was inserted before, with a value for which `is_void` does not hold.
    pub(crate) fn is_known(&self, id: impl Hash, is_void: impl Fn(&T) -> bool) -> bool {
        let hash = self.hasher.hash_one(id);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.forget_old();
        entries.is_known(hash, is_void)
    }

    /// If all of `ids` are new, calls `act` and inserts them with the value that it returns; otherwise returns `false`.
    ///
    /// An ID also counts as new when `is_void` holds for the value it was inserted with. `act` runs under the lock, so of
    /// two equal deliveries at the same time only one is acted on.
    ///
    /// # Errors
    /// When `act` returns an error. The IDs stay new.
    pub(crate) fn insert_new_with<E>(
        &self,
        ids: impl IntoIterator<Item = impl Hash>,
        is_void: impl Fn(&T) -> bool,
        act: impl FnOnce() -> Result<T, E>,
    ) -> Result<bool, E> {
        let hashes: Vec<u64> = ids.into_iter().map(|id| self.hasher.hash_one(id)).collect();
        if hashes.is_empty() {
            return act().map(|_| true);
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.forget_old();
        if hashes.iter().any(|hash| entries.is_known(*hash, &is_void)) {
            return Ok(false);
        }
        let value = act()?;
        for hash in hashes {
            entries.insert(hash, value.clone());
        }
        Ok(true)
    }
}

impl<T> Entries<T> {
    fn is_known(&self, hash: u64, is_void: impl Fn(&T) -> bool) -> bool {
        self.by_hash.get(&hash).is_some_and(|entry| !is_void(&entry.value))
    }

    fn insert(&mut self, hash: u64, value: T) {
        let inserted_at = Instant::now();
        self.by_hash.insert(hash, Entry { inserted_at, value });
        self.by_age.push_back((inserted_at, hash));
    }

    fn forget_old(&mut self) {
        while let Some(&(inserted_at, hash)) = self.by_age.front() {
            if inserted_at.elapsed() <= REMEMBERED && self.by_age.len() <= MAX_IDS {
                break;
            }
            self.by_age.pop_front();
            if self.by_hash.get(&hash).is_some_and(|entry| entry.inserted_at == inserted_at) {
                self.by_hash.remove(&hash);
            }
        }
    }
}
