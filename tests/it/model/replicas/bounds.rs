//! How many dynos may be down because of us. Each process keeps `MAX_UNAVAILABLE` for the restarts that it knows of. It does not
//! know of one that was written down after it read the database last, nor of one that a process made alone which has ended,
//! or stands still, before it could tell.

use std::collections::BTreeSet;

use dyno_restarter::heroku::DynoName;

use super::{Replicas, Seen};
use crate::model::promises::WINDOW;
use crate::model::schedule::Chooser;

/// A restart, and what the bound needs to know of it.
#[derive(Clone, Debug)]
struct Restart {
    /// The instance that it ended.
    instance: String,
    dyno: DynoName,
    at: i64,
    /// The place of its process, and which one in that place it is.
    by: (usize, u32),
    was_alone: bool,
}

/// What is needed to judge how many dynos are down.
#[derive(Clone, Debug, Default)]
pub(super) struct Bounds {
    restarts: Vec<Restart>,
    /// Restarts beside which a process that could not know of them made another one.
    unknown: BTreeSet<String>,
    pub(super) ended: BTreeSet<(usize, u32)>,
    pub(super) frozen: BTreeSet<(usize, u32)>,
}

impl<C: Chooser> Replicas<'_, C> {
    /// The restarts because of which a dyno is down now. A hold ends with its window.
    fn down(&self) -> Vec<&Restart> {
        let is_down = |at: i64| self.now - at < WINDOW;
        let down = self.world.dynos.iter().filter(|dyno| dyno.taken_down.is_some_and(is_down));
        let restart = |name: &DynoName| self.bounds.restarts.iter().rev().find(|restart| restart.dyno == *name);
        down.map(|dyno| restart(&dyno.name).expect("somebody restarted it")).collect()
    }

    /// A process is about to restart a dyno. What it does not know of, it could not know.
    pub(super) fn judge_knowledge(&mut self, at: usize) {
        let replica = &self.processes[at];
        let is_unknown = |restart: &&Restart| !replica.knows.contains(&restart.instance);
        let unknown: Vec<_> = self.down().into_iter().filter(is_unknown).cloned().collect();
        for restart in &unknown {
            let has_vanished = self.bounds.ended.contains(&restart.by) || self.bounds.frozen.contains(&restart.by);
            let could_know = if restart.was_alone { !has_vanished } else { restart.at < replica.learned_at };
            assert!(!could_know, "a process restarts a dyno beside one that it could know to be down: {restart:?}");
        }
        self.seen.beside_unknown += u64::from(!unknown.is_empty());
        self.bounds.unknown.extend(unknown.into_iter().map(|restart| restart.instance));
    }

    /// A restart takes effect, or will.
    pub(super) fn note_restart(&mut self, at: usize, dyno: &DynoName, instance: String, was_alone: bool) {
        let by = (at, self.processes[at].start);
        self.bounds.restarts.push(Restart { instance, dyno: dyno.clone(), at: self.now, by, was_alone });
    }

    /// The dynos that are down, apart from those that others could not know of, are never more than allowed.
    pub(super) fn judge_truth(&self) {
        let down: Vec<_> = self.down();
        let known = down.iter().filter(|restart| !self.bounds.unknown.contains(&restart.instance)).count();
        assert!(known <= self.setting.max_unavailable, "{} dynos are down because of us: {down:?}", down.len());
    }

    /// A restart that nothing could prevent: its process stood still between the last check and the call. The schedule ends
    /// with it.
    pub(super) fn late_restart(&mut self, dyno: &DynoName, instance: &str) {
        self.is_over = true;
        let Some(position) = self.world.position(dyno) else { return };
        let is_another = self.world.dynos[position].instance() != instance;
        let down = self.world.dynos.iter().filter(|other| other.name != *dyno && other.taken_down.is_some()).count();
        let Seen { late, late_wrong_process, late_too_many, .. } = &mut self.seen;
        *late += 1;
        *late_wrong_process += u64::from(is_another);
        *late_too_many += u64::from(down >= self.setting.max_unavailable);
    }

    /// Each alert led to a restart of each dyno, or to a report that names it.
    pub(super) fn judge_end(&self) {
        let known = &self.accounted | &self.database.reported;
        for dyno in self.world.dynos.iter().filter(|_| !self.is_over) {
            assert!(known.contains(&dyno.name), "nobody restarted {}, or says why not", dyno.name);
        }
    }
}
