//! The queue of future events, and the time up to which events have been applied.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::IdGenerator;
use crate::logs::Line;

/// Something that happens to an app at a given time.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) app: String,
    pub(crate) kind: EventKind,
}

#[derive(Clone, Debug)]
pub(crate) enum EventKind {
    /// A new instance takes the place of the old one.
    Replace { slot: u64 },
    /// The boot of this instance ends: it is up, or it has crashed.
    FinishBoot { slot: u64, instance: String },
    /// The platform measures the memory of this instance.
    MeasureMemory { slot: u64, instance: String },
    /// The app gets a request.
    Request,
    /// A log line arrives that was written earlier.
    DeliverLine { line: Line },
}

/// Future events in the order of their times. Events with the same time keep the order in which they were scheduled.
pub(crate) struct EventQueue {
    /// The current time. All earlier events have been taken.
    pub(crate) now: Timestamp,
    pub(crate) ids: IdGenerator,
    events: BTreeMap<(Timestamp, u64), Event>,
}

impl EventQueue {
    pub(crate) fn new(now: Timestamp) -> EventQueue {
        EventQueue { now, ids: IdGenerator::default(), events: BTreeMap::new() }
    }

    pub(crate) fn schedule(&mut self, delay: Duration, event: Event) {
        let number = self.ids.next_number();
        self.events.insert((self.now + delay, number), event);
    }

    /// Removes the events that match.
    pub(crate) fn cancel(&mut self, matches: impl Fn(&Event) -> bool) {
        self.events.retain(|_, event| !matches(event));
    }

    /// Returns the time of the next event.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        self.events.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next event if it is due by `now`, and advances the time of the queue to it.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<Event> {
        let first = self.events.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        self.now = self.now.max(first.key().0);
        Some(first.remove())
    }
}
