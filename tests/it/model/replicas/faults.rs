//! What happens to processes and to the database: starts and ends, faults, and alerts.

use dyno_restarter::store::Timing;

use super::{Asked, CUT_OFF, DOWN, FROZEN, LATE, Next, REPEATED, Replica, Replicas, START, STATEMENT, Step};
use crate::model::database::Statement;
use crate::model::promises::Alert;
use crate::model::schedule::Chooser;

impl<C: Chooser> Replicas<'_, C> {
    /// Somebody's alert about all dynos.
    pub(super) fn alert(&mut self) {
        self.alerts += 1;
        self.keep(Alert { dyno: None, forced: false, arrived: self.now });
    }

    /// An alert is in the database when it is answered. While that is away, it is in the memory of the first process there is.
    fn keep(&mut self, alert: Alert) {
        if !self.is_down {
            self.database.accept(alert);
        } else if let Some(replica) = self.processes.iter_mut().find(|replica| replica.is_there()) {
            replica.waiting.push(alert.clone());
            replica.unwritten.push(alert);
        }
    }

    pub(super) fn start(&mut self, at: usize) {
        let start = self.processes[at].start + 1;
        let id = format!("web.{}-{start}", at + 1);
        self.processes[at] = Replica { id, ..Replica::none(at, start, self.instant(self.now)) };
        self.step_later(at, 0, Step::Poll);
    }

    /// A process ends in an orderly way, and is started again a little later.
    pub(super) fn end(&mut self, at: usize) {
        if self.is_reached(at) {
            self.database.replicas.remove(&self.processes[at].id);
        }
        self.vanish(at);
        self.later(START, Next::Start(at));
    }

    /// A process is killed. It is started again only if there is no other, otherwise another one must take over; and while
    /// the database is away, because the first one acts alone then.
    pub(super) fn kill(&mut self, at: usize) {
        self.vanish(at);
        if self.is_down || !self.processes.iter().any(Replica::is_there) {
            self.later(START, Next::Start(at));
        }
    }

    fn vanish(&mut self, at: usize) {
        let start = self.processes[at].start;
        self.bounds.ended.insert((at, start));
        self.processes[at] = Replica::none(at, start + 1, self.instant(self.now));
    }

    /// A process stands still. What it has sent goes on.
    pub(super) fn freeze(&mut self, at: usize, step: Step) {
        let start = self.processes[at].start;
        self.bounds.frozen.insert((at, start));
        let is_mine = |next: &Next| matches!(next, Next::Step { at: its, start: its_start, .. } if (*its, *its_start) == (at, start));
        self.step_later(at, 0, step);
        let mine: Vec<_> = self.next.iter().filter(|(_, next)| is_mine(next)).map(|(key, _)| *key).collect();
        for (second, sequence) in mine {
            let next = self.next.remove(&(second, sequence)).expect("it was there");
            self.next.insert((second + FROZEN, sequence), next);
        }
    }

    /// The database goes away: for all, which takes an alert with it, or for one process.
    pub(super) fn go_away(&mut self, choice: usize, at: usize) {
        if let Some(seconds) = DOWN.get(choice) {
            self.is_down = true;
            self.later(*seconds, Next::Back(None));
            self.later(REPEATED, Next::Alert);
        } else {
            self.cut_off.insert(at);
            self.later(CUT_OFF, Next::Back(Some(at)));
        }
    }

    /// How many ways there are for the database to go away.
    pub(super) fn ways_to_go(&self) -> usize {
        let can_go = self.replication.is_away_at_times && !self.is_down && self.cut_off.is_empty();
        if can_go { DOWN.len() + 1 } else { 0 }
    }

    pub(super) fn is_reached(&self, at: usize) -> bool {
        !self.is_down && !self.cut_off.contains(&at)
    }

    /// A process tries to reach the database, says that it is there, and learns who else is.
    pub(super) fn reach(&mut self, at: usize) -> bool {
        let (now, is_reached) = (self.instant(self.now), self.is_reached(at));
        let replica = &mut self.processes[at];
        if is_reached {
            replica.contact.wrote(now);
            self.database.replicas.insert(replica.id.clone(), self.now);
            let others = self.database.replicas.iter().filter(|(id, _)| **id != replica.id);
            let others = others.map(|(id, at)| (id.clone(), at.to_string()));
            replica.contact.saw_others(others, now, &Timing::default());
            for alert in std::mem::take(&mut replica.unwritten) {
                self.database.accept(alert);
            }
        } else {
            replica.contact.failed(self.is_down, now, now);
        }
        is_reached
    }

    /// Whether a process may act without the database.
    pub(super) fn is_alone(&self, at: usize) -> bool {
        self.processes[at].contact.is_alone(self.instant(self.now), &Timing::default())
    }

    /// Sends a statement. Nobody knows whether one that failed was carried out.
    pub(super) fn ask(&mut self, at: usize, asked: Asked, statement: Statement) {
        let began = self.now;
        self.beat += 1;
        let beat = self.beat;
        let ways = if self.is_reached(at) { 5 + self.ways_to_go() } else { 1 };
        let (answer, takes) = match self.chooser.choose(ways) {
            0 if self.is_down => (None, 0),
            0 if !self.is_reached(at) => (None, STATEMENT),
            1 => {
                self.database.carry_out(statement, beat);
                (None, STATEMENT)
            }
            2 => (None, STATEMENT),
            3 => {
                self.later(LATE, Next::Commit(statement, beat));
                (None, STATEMENT)
            }
            4 => (Some(self.database.carry_out(statement, beat)), STATEMENT - 1),
            way @ 5.. => {
                self.go_away(way - 5, at);
                (None, if self.is_down { 0 } else { STATEMENT })
            }
            _ => (Some(self.database.carry_out(statement, beat)), 0),
        };
        self.step_later(at, takes, Step::Answered { asked, began, answer });
    }
}
