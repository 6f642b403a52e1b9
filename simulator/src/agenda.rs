//! The queue of future events, and the counter that all ids come from.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::logs::Line;

/// Something that happens to an app at a given time.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) app: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// The new instance takes the place of the old one.
    Replace { slot: u64 },
    /// This instance has booted, well or badly.
    Boot { slot: u64, instance: String },
    /// The platform looks how much memory this instance uses.
    Measure { slot: u64, instance: String },
    /// The app gets a request.
    Request,
    /// A line that was written earlier arrives.
    Arrive { line: Line },
}

/// The queue of due events in time order, and the time that has been reached in it.
pub(crate) struct Agenda {
    pub(crate) now: Timestamp,
    due: BTreeMap<(Timestamp, u64), Due>,
    counter: u64,
}

impl Agenda {
    pub(crate) fn new(now: Timestamp) -> Agenda {
        Agenda { now, due: BTreeMap::new(), counter: 0 }
    }

    pub(crate) fn after(&mut self, delay: Duration, due: Due) {
        let order = self.count();
        self.due.insert((self.now + delay, order), due);
    }

    pub(crate) fn forget(&mut self, unwanted: impl Fn(&Due) -> bool) {
        self.due.retain(|_, due| !unwanted(due));
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next event that is due by `now` and goes on to its time.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Due> {
        let first = self.due.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        self.now = self.now.max(first.key().0);
        Some(first.remove())
    }

    pub(crate) fn count(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// A new uuid: counted, then scattered, because the real ones say nothing about age either.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex();
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }

    /// 32 lower-case hexadecimal digits, never the same twice.
    pub(crate) fn hex(&mut self) -> String {
        let (high, low) = (self.count(), self.count());
        format!("{:016x}{:016x}", scatter(high), scatter(low))
    }
}

/// The finaliser of `SplitMix64`: one to one, and neighbours end up far apart.
fn scatter(counter: u64) -> u64 {
    let x = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
