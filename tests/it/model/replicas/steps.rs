//! What a process does in each step: with its turn, and with its pass.

use std::collections::BTreeSet;

use dyno_restarter::heroku::{AppName, DynoName, Error};
use dyno_restarter::restart::{
    Action, End, Event, History, Lease, Look, MergedTarget, Rollout, StoredPass, Target, When,
};
use dyno_restarter::store::Timing;

use super::{Asked, CALL, Finished, POLL, Pass, RENEWAL, Replicas, STATEMENT, Step};
use crate::model::database::{Answer, Statement, Term};
use crate::model::promises::{Judge, MIN_AGE};
use crate::model::schedule::{Chooser, lost, refused};
use crate::model::world::{FATES, second, time};
use crate::service::seconds;

impl<C: Chooser> Replicas<'_, C> {
    pub(super) fn poll(&mut self, at: usize) {
        self.step_later(at, POLL, Step::Poll);
        let now = self.instant(self.now);
        let replica = &mut self.processes[at];
        if let Some((term, _)) = &replica.held {
            let term = term.clone();
            if replica.is_stopping && replica.pass.is_none() && !replica.is_finishing {
                self.ask(at, Asked::GiveBack, Statement::GiveBack(term, None));
            } else if self.now >= replica.renew_at {
                self.ask(at, Asked::Renew, Statement::Renew(term));
            } else {
                self.take_requests(at);
            }
        } else if replica.is_stopping {
            self.end(at);
        } else {
            replica.watch.read(&self.database.turn, now);
            if let Some(row) = replica.watch.may_take(&replica.id, now, &Timing::default()) {
                let take = Statement::Take { id: replica.id.clone(), seen: row.clone() };
                self.ask(at, Asked::Take, take);
            }
        }
    }

    /// Brings what waits in the database into the queue, and begins a pass.
    fn take_requests(&mut self, at: usize) {
        let now = self.instant(self.now);
        let replica = &mut self.processes[at];
        let Some((term, lease)) = replica.held.clone() else { return };
        if self.database.turn.term == term.number {
            let waiting = self.database.waiting();
            replica.queue.extend(waiting.into_iter().filter(|id| replica.taken.insert(*id)));
        }
        let is_busy = replica.pass.is_some() || replica.is_finishing || replica.is_stopping;
        if is_busy || replica.queue.is_empty() || !lease.is_trusted(now) {
            return;
        }
        let requests = std::mem::take(&mut replica.queue);
        let mut asked = MergedTarget::default();
        for alert in self.database.alerts(&requests) {
            asked.merge(Target::all(When::Now), alert.forced, time(alert.arrived), seconds(MIN_AGE.unsigned_abs()));
        }
        let (policy, now, count) = (self.setting.policy(), time(self.now), requests.len() as u64);
        let rollout = Rollout::new(app(), policy, asked, count, replica.history.clone(), now);
        replica.pass = Some(Pass { term, rollout, requests, looked: self.now, up_at_start: None });
        self.pass_later(at, 0, Event::Time);
    }

    pub(super) fn answered(&mut self, at: usize, asked: Asked, began: i64, answer: Option<Answer>) {
        if let Asked::WriteAhead(term, _) | Asked::HandOver(term) = &asked
            && !self.has_pass(at, *term)
        {
            return;
        }
        let (began_at, now) = (self.instant(began), self.instant(self.now));
        let timing = Timing::default();
        let replica = &mut self.processes[at];
        let is_lost = matches!(answer, Some(Answer::Lost));
        if is_lost {
            (replica.held, replica.queue) = (None, Vec::new());
        } else if answer.is_some()
            && let Some((_, lease)) = &mut replica.held
        {
            lease.renew(began_at, &timing);
        }
        let may_restart = replica.held.as_ref().is_some_and(|(_, lease)| lease.is_trusted(now));
        let is_look_recent = replica.pass.as_ref().is_some_and(|pass| pass.rollout.is_look_recent(time(self.now)));
        match (asked, answer) {
            (Asked::Take, Some(Answer::Taken { number, history, pass })) => {
                let term = Term { id: replica.id.clone(), number };
                replica.held = Some((term.clone(), Lease::new(began_at, &timing)));
                replica.renew_at = began + RENEWAL;
                replica.watch.forget();
                self.take_over(at, term, history, pass);
            }
            (Asked::Renew, Some(Answer::Held)) => {
                replica.renew_at = began + RENEWAL;
                self.take_requests(at);
            }
            (Asked::WriteAhead(_, dyno), Some(Answer::Held)) if may_restart && is_look_recent => {
                self.restart(at, &dyno);
            }
            (Asked::WriteAhead(..), Some(Answer::Held)) if may_restart => self.pass(at, Event::Postponed(seconds(0))),
            (Asked::WriteAhead(..), Some(Answer::Lost)) => self.leave(at),
            (Asked::WriteAhead(..), _) => self.pass(at, Event::Postponed(seconds(5))),
            (Asked::HandOver(_) | Asked::GiveBack, Some(_)) => self.end(at),
            // It sees the dyno in hand through.
            (Asked::HandOver(_), None) => self.roll(at, Event::StopRequested(time(self.now))),
            (Asked::Finish(finished), None) if !replica.is_stopping => {
                self.step_later(at, POLL, Step::Finish(finished));
            }
            (Asked::Finish(_), _) => replica.is_finishing = false,
            // Another process has taken it, or the next poll tries again.
            (Asked::Take | Asked::Renew | Asked::GiveBack, _) => {}
        }
    }

    /// Goes on where the last holder ended.
    fn take_over(&mut self, at: usize, term: Term, history: Option<History>, pass: Option<Box<StoredPass>>) {
        let replica = &mut self.processes[at];
        (replica.queue, replica.taken) = (Vec::new(), BTreeSet::new());
        // A pass of an earlier term, which this process did not know to be over, is left.
        replica.pass = None;
        replica.history = history.unwrap_or_default();
        self.seen.takeovers += u64::from(pass.is_some());
        let Some(pass) = pass else { return self.take_requests(at) };
        let requests = pass.requests.clone();
        replica.taken.extend(&requests);
        let (rollout, (event, happened)) = pass.resume(self.setting.policy(), time(self.now));
        let mut pass = Pass { term, rollout, requests, looked: self.now, up_at_start: None };
        // The first step tells when the restart was asked for.
        let action = pass.rollout.step(event, happened);
        replica.pass = Some(pass);
        self.act(at, action);
    }

    /// Another process goes on with the pass.
    fn leave(&mut self, at: usize) {
        let replica = &mut self.processes[at];
        if let Some(pass) = replica.pass.take() {
            replica.history = pass.rollout.into_history();
        }
    }

    pub(super) fn pass(&mut self, at: usize, event: Event) {
        let replica = &self.processes[at];
        let Some(pass) = &replica.pass else { return };
        if replica.held.as_ref().is_none_or(|(term, _)| *term != pass.term) {
            return self.leave(at);
        }
        let is_interruptible = !matches!(event, Event::Restarted(_));
        if replica.is_stopping && pass.rollout.deadline().is_none() && is_interruptible {
            let left = self.written(at, false);
            let term = self.processes[at].pass.as_ref().expect("it has one").term.clone();
            return self.ask(at, Asked::HandOver(term.number), Statement::GiveBack(term, Some(left)));
        }
        self.roll(at, event);
    }

    fn roll(&mut self, at: usize, event: Event) {
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

    fn act(&mut self, at: usize, action: Action) {
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
            Action::Restart(dyno) => {
                let term = self.processes[at].pass.as_ref().expect("it has one").term.clone();
                let written = self.written(at, true);
                self.ask(at, Asked::WriteAhead(term.number, dyno), Statement::WriteAhead(term, written));
            }
            Action::Done(report) => {
                let pass = self.processes[at].pass.take().expect("it has one");
                let is_stopped = matches!(report.end, Some(End::Stopped { .. }));
                let requests = if is_stopped { Vec::new() } else { pass.requests };
                let dynos = report.dynos.into_keys().collect();
                let history = pass.rollout.into_history();
                self.processes[at].history = history.clone();
                self.processes[at].is_finishing = true;
                self.finish(at, Box::new(Finished { term: pass.term, history, requests, dynos }));
            }
        }
    }

    pub(super) fn finish(&mut self, at: usize, finished: Box<Finished>) {
        if self.processes[at].held.is_none() {
            self.processes[at].is_finishing = false;
            return;
        }
        let Finished { term, history, requests, dynos } = (*finished).clone();
        self.ask(at, Asked::Finish(finished), Statement::Finish { term, history, requests, dynos });
    }

    /// The pass of a process as it is written down.
    fn written(&self, at: usize, is_restarting: bool) -> Box<(History, StoredPass)> {
        let Pass { rollout, requests, .. } = self.processes[at].pass.as_ref().expect("it has one");
        let stored = StoredPass::new(rollout.clone(), is_restarting, requests.clone(), BTreeSet::new());
        Box::new((stored.history(time(self.now)), stored))
    }

    fn look(&mut self, at: usize) -> Event {
        match self.chooser.choose(4) {
            1 => self.world.crash(0),
            2 => self.world.deploy(),
            3 => self.alert(),
            _ => {}
        }
        let now = self.now;
        self.processes[at].pass.as_mut().expect("it has one").looked = now;
        let dynos = self.world.list();
        let at = time(now);
        Event::Looked(Ok(Look { asked: at, answered: at, at, dynos, unreadable: 0, allowance: None, calls: 1 }))
    }

    fn restart(&mut self, at: usize, dyno: &DynoName) {
        let pass = self.processes[at].pass.as_ref().expect("it has one");
        assert!(self.now - pass.looked <= STATEMENT + 1, "a restart follows a look");
        self.judge.alerts = self.database.alerts(&pass.requests);
        self.judge.stands_on(pass.looked, pass.up_at_start.clone());
        self.judge.restart(dyno, self.setting.max_unavailable, self.now);
        let fate = FATES[self.chooser.choose(FATES.len())];
        let (answer, takes) = match self.chooser.choose(5) {
            // As late as a call may be.
            1 => (self.world.restart_late(dyno, fate, CALL - 1).then_some(()).ok_or_else(lost), CALL),
            2 => (self.world.restart(dyno, fate).then_some(()).ok_or_else(lost).and(Err(lost())), CALL),
            3 => (Err(lost()), CALL),
            4 => (Err(refused("RateLimited")), 0),
            _ => (self.world.restart(dyno, fate).then_some(()).ok_or_else(lost), 0),
        };
        self.judge.restart_answered(answer.is_ok(), answer.as_ref().is_err_and(Error::may_have_taken_effect), self.now);
        Judge::judge_truth(&self.world, self.setting.max_unavailable);
        if answer.is_ok() {
            self.restarted.insert(dyno.clone());
        }
        self.pass_later(at, takes, Event::Restarted(answer));
    }
}

fn app() -> AppName {
    AppName::parse("shop").expect("a valid name")
}
