//! What came lately, so that what comes twice is known again. Bounded in time and in number.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use tokio::time::Instant;

/// Senders repeat within seconds or minutes. A signature can be used for as long: five minutes before its time and five
/// after it.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// Some 1.5 MB at the most. When there are more, the oldest are forgotten.
const MOST: usize = 10_000;

/// A memory of what came lately.
#[derive(Debug, Default)]
pub struct Recent(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    since: HashMap<Mark, Instant>,
    in_order: VecDeque<Mark>,
}

/// Of whatever is remembered, as much as it takes to tell it from all else.
type Mark = [u8; 16];

impl Recent {
    /// Whether none of these has come lately; from now on, they have.
    #[must_use]
    pub fn are_new<T: AsRef<[u8]>>(&self, these: impl IntoIterator<Item = T>) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget_the_old();
        let mut are_new = true;
        for this in these {
            are_new &= seen.is_new(mark(this.as_ref()));
        }
        are_new
    }
}

impl Seen {
    fn is_new(&mut self, mark: Mark) -> bool {
        if self.since.contains_key(&mark) {
            return false;
        }
        self.since.insert(mark, Instant::now());
        self.in_order.push_back(mark);
        true
    }

    fn forget_the_old(&mut self) {
        while let Some(oldest) = self.in_order.front() {
            let is_old = self.since.get(oldest).is_none_or(|since| since.elapsed() > KEPT);
            if !is_old && self.in_order.len() <= MOST {
                break;
            }
            self.since.remove(oldest);
            self.in_order.pop_front();
        }
    }
}

fn mark(this: &[u8]) -> Mark {
    let mut mark = Mark::default();
    mark.copy_from_slice(&digest(&SHA256, this).as_ref()[..16]);
    mark
}
