//! One dyno: a process of the app and its present instance.

use jiff::Timestamp;
use serde_json::Value;

use crate::agenda::Agenda;

pub(crate) struct Dyno {
    /// The process, which stays when a restart changes the id and, on Fir, the name.
    pub(crate) slot: u64,
    pub(crate) process_type: String,
    pub(crate) number: usize,
    pub(crate) habits: Habits,
    /// Fields of its JSON that are overridden, or left out.
    pub(crate) edits: Vec<(&'static str, Option<Value>)>,

    /// The instance, new at each restart.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) leaks_since: Timestamp,
    /// It takes requests and answers none.
    pub(crate) hangs: bool,
}

/// How a process behaves at its restarts.
#[derive(Default)]
pub(crate) struct Habits {
    pub(crate) boot: Boot,
    pub(crate) vanishes: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Boot {
    #[default]
    ComesUp,
    Crashes,
    NeverEnds,
}

pub(crate) struct Release {
    pub(crate) id: String,
    pub(crate) version: u32,
    /// The middle part of a Fir dyno's name.
    pub(crate) hash: String,
}

impl Release {
    pub(crate) fn new(agenda: &mut Agenda, version: u32) -> Release {
        Release { id: agenda.uuid(), version, hash: agenda.hex()[..10].to_owned() }
    }
}

/// `web.1`, or on Fir `web-12a34bcd56-7efgh`: the type, the release, the instance.
pub(crate) fn name(agenda: &mut Agenda, fir: Option<&Release>, process_type: &str, number: usize) -> String {
    match fir {
        Some(release) => format!("{process_type}-{}-{}", release.hash, &agenda.hex()[..5]),
        None => format!("{process_type}.{number}"),
    }
}
