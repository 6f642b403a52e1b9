//! What a process does with its pass.

use std::collections::BTreeSet;

use dyno_restarter::heroku::{DynoName, Error};
use dyno_restarter::restart::{Action, End, Event, Look, StoredPass};

use super::{Asked, CALL, Finished, Pass, Replicas, STATEMENT, Step};
use crate::model::database::{Statement, Written};
use crate::model::schedule::{Chooser, lost, refused};
use crate::model::world::{FATES, second, time};
use crate::service::seconds;

impl<C: Chooser> Replicas<'_, C> {
    /// Something will happen to the pass of a process.
    pub(super) fn pass_later(&mut self, at: usize, seconds: i64, event: Event) {
        let number = self.processes[at].pass.as_ref().expect("it has one").number;
        self.step_later(at, seconds, Step::Pass(number, event));
    }

    /// Another process goes on with the pass.
    pub(super) fn leave(&mut self, at: usize) {
        let replica = &mut self.processes[at];
        if let Some(pass) = replica.pass.take() {
            replica.history = pass.rollout.into_history();
        }
        self.take_over(at);
    }

    /// Whether a process no longer has the turn with which its pass began.
    fn is_lost(&self, at: usize) -> bool {
        let replica = &self.processes[at];
        let term = replica.pass.as_ref().and_then(|pass| pass.term.as_ref());
        term.is_some_and(|term| replica.held.as_ref().is_none_or(|(held, _)| held != term))
    }

    pub(super) fn pass(&mut self, at: usize, event: Event) {
        if self.is_lost(at) {
            return self.leave(at);
        }
        let replica = &self.processes[at];
        let Some(pass) = &replica.pass else { return };
        let is_interruptible = !matches!(event, Event::Restarted(_));
        if replica.is_stopping && pass.rollout.deadline().is_none() && is_interruptible {
            if pass.term.is_none() {
                return self.roll(at, Event::StopRequested(time(self.now)));
            }
            let (number, left) = (pass.number, self.written(at, None));
            let Some(term) = self.renewable(at) else { return self.leave(at) };
            return self.ask(at, Asked::HandOver(number), Statement::GiveBack(term, Some(left)));
        }
        self.roll(at, event);
    }

    pub(super) fn roll(&mut self, at: usize, event: Event) {
        let now = time(self.now);
        let Some(pass) = &mut self.processes[at].pass else { return };
        if let Event::Looked(Ok(look)) = &event {
            self.judge.listed(&look.dynos, pass.looked);
            let up = look.dynos.iter().filter(|dyno| dyno.is_up());
            pass.up_at_start.get_or_insert_with(|| up.map(|dyno| dyno.name.clone()).collect());
        }
        let action = pass.rollout.step(event, now);
        pass.rollout.take_notes();
        self.act(at, action);
    }

    pub(super) fn act(&mut self, at: usize, action: Action) {
        match action {
            Action::Look => {
                let event = self.look(at);
                self.pass_later(at, 0, event);
            }
            Action::AskFormation(process_type) => {
                let event = Event::Formation(process_type, Ok(self.world.quantity));
                self.pass_later(at, 0, event);
            }
            Action::WaitUntil(until) => {
                let deadline = self.processes[at].pass.as_ref().and_then(|pass| pass.rollout.deadline());
                let until = deadline.map_or(until, |deadline| deadline.min(until));
                let wait = (second(until) - self.now).max(0);
                self.pass_later(at, wait, Event::Time);
            }
            Action::Restart(dyno) => self.may_restart(at, dyno),
            Action::Done(report) => {
                let pass = self.processes[at].pass.take().expect("it has one");
                let is_stopped = matches!(report.end, Some(End::Stopped { .. }));
                let replica = &mut self.processes[at];
                replica.unfinished.extend(pass.requests);
                let requests = if is_stopped { Vec::new() } else { replica.unfinished.iter().copied().collect() };
                let dynos: BTreeSet<_> = report.dynos.into_keys().collect();
                if pass.term.is_none() {
                    self.accounted.extend(dynos.clone());
                }
                let history = pass.rollout.into_history();
                self.processes[at].history = history.clone();
                self.processes[at].is_finishing = true;
                self.finish(at, Box::new(Finished { term: pass.term, history, requests, dynos }));
            }
        }
    }

    /// Whether a dyno may be restarted: the turn is lost, the process is alone, or the restart is written down first.
    fn may_restart(&mut self, at: usize, dyno: DynoName) {
        if self.is_lost(at) {
            return self.leave(at);
        }
        if self.is_alone(at) {
            let pass = self.processes[at].pass.as_ref().expect("it has one");
            if pass.rollout.is_look_recent(time(self.now)) {
                return self.restart_now_or_late(at, &dyno, true);
            }
            return self.pass(at, Event::Postponed(seconds(0)));
        }
        let replica = &self.processes[at];
        if replica.held.is_none() {
            return self.pass_later(at, 0, Event::Postponed(seconds(5)));
        }
        let left = replica.takeover.as_ref().and_then(|(_, left)| left.history.as_ref());
        let history = replica.pass.as_ref().expect("it has one").rollout.history();
        if left.is_some_and(|left| !history.knows_all_of(left)) {
            return self.leave(at);
        }
        let Some(term) = self.renewable(at) else { return self.leave(at) };
        let number = self.processes[at].pass.as_ref().expect("it has one").number;
        let written = self.written(at, Some(&dyno));
        self.ask(at, Asked::WriteAhead(number, dyno), Statement::WriteAhead(term, written));
    }

    pub(super) fn finish(&mut self, at: usize, finished: Box<Finished>) {
        let held = self.renewable(at);
        let Some(term) = held.filter(|held| finished.term.as_ref().is_none_or(|term| term == held)) else {
            if finished.term.is_some() {
                self.processes[at].unfinished.clear();
            }
            return self.finished(at);
        };
        let Finished { history, requests, dynos, .. } = (*finished).clone();
        let knows = self.processes[at].knows.clone();
        let written = Box::new(Written { history: Some(history), pass: None, alerts: Vec::new(), knows });
        self.ask(at, Asked::Finish(finished), Statement::Finish { term, written, requests, dynos });
    }

    /// The pass of a process as it is written down, with the dyno that is about to be restarted.
    fn written(&self, at: usize, restarting: Option<&DynoName>) -> Box<Written> {
        let replica = &self.processes[at];
        let Pass { rollout, requests, alerts, .. } = replica.pass.as_ref().expect("it has one");
        let mut knows = replica.knows.clone();
        knows.extend(restarting.map(|dyno| self.instance(at, dyno)));
        let pass = StoredPass::new(rollout.clone(), restarting.is_some(), requests.clone(), BTreeSet::new());
        let history = Some(pass.history(time(self.now)));
        Box::new(Written { history, pass: Some(pass), alerts: alerts.clone(), knows })
    }

    /// The instance of a dyno that the last look showed.
    fn instance(&self, at: usize, dyno: &DynoName) -> String {
        let look = self.processes[at].pass.as_ref().and_then(|pass| pass.rollout.last_look()).expect("it looked");
        let shown = look.dynos.iter().find(|shown| shown.name == *dyno).expect("it was shown");
        shown.id.clone().expect("the model tells it")
    }

    fn look(&mut self, at: usize) -> Event {
        match self.chooser.choose(4 + self.ways_to_go()) {
            1 => self.world.crash(0),
            2 => self.world.deploy(),
            3 => self.alert(),
            way @ 4.. => self.go_away(way - 4, at),
            _ => {}
        }
        let now = self.now;
        self.processes[at].pass.as_mut().expect("it has one").looked = now;
        let dynos = self.world.list();
        let at = time(now);
        Event::Looked(Ok(Look { asked: at, answered: at, at, dynos, unreadable: 0, allowance: None, calls: 1 }))
    }

    /// A process restarts a dyno: everything is checked. It may stand still before it does.
    pub(super) fn restart_now_or_late(&mut self, at: usize, dyno: &DynoName, is_alone: bool) {
        let instance = self.instance(at, dyno);
        if self.replication.is_away_at_times && self.chooser.choose(2) == 1 {
            let late = Step::LateRestart { dyno: dyno.clone(), instance };
            return self.freeze(at, late);
        }
        self.restart(at, dyno, instance, is_alone);
    }

    fn restart(&mut self, at: usize, dyno: &DynoName, instance: String, is_alone: bool) {
        self.processes[at].knows.insert(instance.clone());
        self.judge_knowledge(at);
        self.seen.alone += u64::from(is_alone);
        let replica = &self.processes[at];
        let pass = replica.pass.as_ref().expect("it has one");
        assert!(self.now - pass.looked <= STATEMENT + 1, "a restart follows a look");
        self.judge.alerts.clone_from(&pass.alerts);
        self.judge.stands_on(pass.looked, pass.up_at_start.clone(), replica.knows.clone());
        self.judge.restart(dyno, self.setting.max_unavailable, self.now);
        let fate = FATES[self.chooser.choose(FATES.len())];
        let way = self.chooser.choose(5);
        let (answer, takes) = match way {
            // As late as a call may be.
            1 => (self.world.restart_late(dyno, fate, CALL - 1).then_some(()).ok_or_else(lost), CALL),
            2 => (self.world.restart(dyno, fate).then_some(()).ok_or_else(lost).and(Err(lost())), CALL),
            3 => (Err(lost()), CALL),
            4 => (Err(refused("RateLimited")), 0),
            _ => (self.world.restart(dyno, fate).then_some(()).ok_or_else(lost), 0),
        };
        if way < 3 {
            self.note_restart(at, dyno, instance, is_alone);
        }
        self.judge.restart_answered(answer.is_ok(), answer.as_ref().is_err_and(Error::may_have_taken_effect), self.now);
        self.judge_truth();
        if answer.is_ok() {
            self.accounted.insert(dyno.clone());
        }
        self.pass_later(at, takes, Event::Restarted(answer));
    }
}
