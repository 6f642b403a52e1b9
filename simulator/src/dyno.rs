//! A dyno: a process of the app, and the current instance of this process.

use jiff::Timestamp;
use serde_json::Value;

use crate::event_queue::EventQueue;

pub(crate) struct Dyno {
    // These fields stay the same when the dyno restarts.
    /// Identifies the process, because a restart changes the `id` and, on Fir, the `name`.
    pub(crate) slot: u64,
    pub(crate) process_type: String,
    pub(crate) number: usize,
    /// How the next boots end.
    pub(crate) boot_outcome: BootOutcome,
    /// The next restart removes the dyno.
    pub(crate) vanishes_on_restart: bool,
    /// Fields of its JSON that have another value, or are missing if the value is `None`.
    pub(crate) json_overrides: Vec<(&'static str, Option<Value>)>,

    // A restart changes these fields.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) leaks_since: Timestamp,
    /// The dyno accepts requests and does not answer them.
    pub(crate) hangs: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BootOutcome {
    Up,
    Crashed,
    StaysStarting,
}

pub(crate) struct Release {
    pub(crate) id: String,
    pub(crate) version: u32,
    /// The middle part of the name of a dyno on Fir.
    pub(crate) hash: String,
}

impl Release {
    pub(crate) fn new(queue: &mut EventQueue, version: u32) -> Release {
        Release { id: queue.ids.uuid(), version, hash: queue.ids.hex()[..10].to_owned() }
    }
}

/// Generates the name of a dyno, such as `web.1`. With the release of an app on Fir, it is a name such as
/// `web-12a34bcd56-7ef01`: the type, the hash of the release, and a part of its own for each instance.
pub(crate) fn name(queue: &mut EventQueue, fir_release: Option<&Release>, process_type: &str, number: usize) -> String {
    match fir_release {
        Some(release) => format!("{process_type}-{}-{}", release.hash, &queue.ids.hex()[..5]),
        None => format!("{process_type}.{number}"),
    }
}
