//! What a process does with its turn: it takes and renews it, takes alerts, and takes over what the last holder left.

use std::collections::BTreeSet;

use dyno_restarter::restart::{AppName, Event, Lease, MergedTarget, Rollout, Target, When};
use dyno_restarter::store::Timing;

use super::{Asked, POLL, Pass, RENEWAL, Replicas, Step};
use crate::model::database::{Answer, Statement, Term, Written};
use crate::model::promises::MIN_AGE;
use crate::model::schedule::Chooser;
use crate::model::world::time;
use crate::service::seconds;

impl<C: Chooser> Replicas<'_, C> {
    pub(super) fn poll(&mut self, at: usize) {
        self.step_later(at, POLL, Step::Poll);
        let is_reached = self.reach(at);
        let now = self.instant(self.now);
        if let Some(term) = self.renewable(at) {
            let replica = &self.processes[at];
            if replica.is_stopping && !replica.is_busy() {
                self.ask(at, Asked::GiveBack, Statement::GiveBack(term, None));
            } else if self.now >= replica.renew_at {
                self.ask(at, Asked::Renew, Statement::Renew(term));
            } else {
                self.begin_pass(at);
            }
            return;
        }
        let replica = &mut self.processes[at];
        if replica.is_stopping && !replica.is_busy() {
            return self.end(at);
        }
        if !is_reached {
            replica.watch.failed();
            return self.begin_pass(at);
        }
        if replica.watch.read(&self.database.turn, now, &Timing::default()) {
            (replica.learned, replica.learned_at) = (Some(self.database.written.clone()), self.now);
        }
        let is_designated = replica.contact.is_designated();
        if let Some(row) = replica.watch.may_take(&replica.id, is_designated, now, &Timing::default()) {
            let take = Statement::Take { id: replica.id.clone(), seen: row.clone() };
            self.ask(at, Asked::Take, take);
        } else {
            (replica.queue, replica.waiting) = (Vec::new(), Vec::new());
        }
    }

    /// The turn of a process, unless it has ended because it was not renewed in time.
    pub(super) fn renewable(&mut self, at: usize) -> Option<Term> {
        let now = self.instant(self.now);
        let replica = &mut self.processes[at];
        let is_designated = replica.contact.is_designated();
        replica.held.take_if(|(_, lease)| !lease.may_renew(is_designated, now));
        replica.held.as_ref().map(|(term, _)| term.clone())
    }

    /// Brings what waits in the database into the queue, and begins a pass if that may be.
    pub(super) fn begin_pass(&mut self, at: usize) {
        let (now, is_reached, is_alone) = (self.instant(self.now), self.is_reached(at), self.is_alone(at));
        let replica = &mut self.processes[at];
        let term = replica.held.as_ref().map(|(term, _)| term.clone());
        if term.as_ref().is_some_and(|term| is_reached && self.database.turn.term == term.number) {
            let waiting = self.database.waiting();
            replica.queue.extend(waiting.into_iter().filter(|id| replica.taken.insert(*id)));
        }
        let may_begin = replica.held.as_ref().is_some_and(|(_, lease)| lease.is_trusted(now)) || is_alone;
        let is_empty = replica.queue.is_empty() && replica.waiting.is_empty();
        if replica.is_busy() || replica.is_stopping || is_empty || !may_begin {
            return;
        }
        if let Some(learned) = replica.learned.take() {
            let ours = std::mem::replace(&mut replica.history, learned.history.unwrap_or_default());
            let knows = std::mem::replace(&mut replica.knows, learned.knows);
            if replica.was_alone {
                replica.history.merge(ours);
                replica.knows.extend(knows);
            }
        }
        replica.was_alone |= term.is_none();
        let requests = std::mem::take(&mut replica.queue);
        let mut alerts = std::mem::take(&mut replica.waiting);
        alerts.extend(self.database.alerts(&requests));
        let mut asked = MergedTarget::default();
        for alert in &alerts {
            asked.merge(Target::all(When::Now), alert.forced, time(alert.arrived), seconds(MIN_AGE.unsigned_abs()));
        }
        let (policy, begins, count) = (self.setting.policy(), time(self.now), alerts.len() as u64);
        let app = AppName::parse("shop").expect("a valid name");
        let rollout = Rollout::new(app, policy, asked, count, replica.history.clone(), begins);
        self.passes += 1;
        let (number, looked) = (self.passes, self.now);
        replica.pass = Some(Pass { number, term, rollout, requests, alerts, looked, up_at_start: None });
        self.pass_later(at, 0, Event::Time);
    }

    pub(super) fn answered(&mut self, at: usize, asked: Asked, began: i64, answer: Option<Answer>) {
        let (began_at, now) = (self.instant(began), self.instant(self.now));
        let timing = Timing::default();
        let replica = &mut self.processes[at];
        match &answer {
            Some(_) => replica.contact.wrote(now),
            None => replica.contact.failed(self.is_down, began_at, now),
        }
        if let Asked::WriteAhead(number, _) | Asked::HandOver(number) = &asked
            && !replica.has_pass(*number)
        {
            return;
        }
        if matches!(answer, Some(Answer::Lost)) {
            (replica.held, replica.queue) = (None, Vec::new());
        } else if answer.is_some()
            && let Some((_, lease)) = &mut replica.held
        {
            lease.renew(began_at, replica.contact.is_designated(), &timing);
        }
        let may_restart = replica.held.as_ref().is_some_and(|(_, lease)| lease.is_trusted(now));
        let is_look_recent = replica.pass.as_ref().is_some_and(|pass| pass.rollout.is_look_recent(time(self.now)));
        match (asked, answer) {
            (Asked::Take, Some(Answer::Taken { number, left })) => {
                let term = Term { id: replica.id.clone(), number };
                replica.held = Some((term.clone(), Lease::new(began_at, &timing)));
                replica.renew_at = began + RENEWAL;
                replica.watch.forget();
                (replica.learned, replica.learned_at) = (None, self.now);
                (replica.queue, replica.taken) = (Vec::new(), BTreeSet::new());
                // A pass of an earlier term, which this process did not know to be over, is left.
                replica.pass.take_if(|pass| pass.term.is_some());
                replica.takeover = Some((term, left));
                self.take_over(at);
            }
            (Asked::Renew, Some(Answer::Held)) => {
                replica.renew_at = began + RENEWAL;
                self.begin_pass(at);
            }
            (Asked::WriteAhead(_, dyno), Some(Answer::Held)) if may_restart && is_look_recent => {
                self.restart_now_or_late(at, &dyno, false);
            }
            (Asked::WriteAhead(..), Some(Answer::Held)) if may_restart => self.pass(at, Event::Postponed(seconds(0))),
            (Asked::WriteAhead(..), Some(Answer::Lost)) => self.leave(at),
            (Asked::WriteAhead(..), _) => self.pass(at, Event::Postponed(seconds(5))),
            (Asked::HandOver(_) | Asked::GiveBack, Some(_)) => self.end(at),
            // The successor waits.
            (Asked::GiveBack, None) if self.is_down => self.end(at),
            // It sees the dyno in hand through.
            (Asked::HandOver(_), None) => self.roll(at, Event::StopRequested(time(self.now))),
            (Asked::Finish(finished), None) if !replica.is_stopping && !self.is_alone(at) => {
                self.step_later(at, POLL, Step::Finish(finished));
            }
            (Asked::Finish(_), answer) => {
                if answer.is_some() {
                    self.processes[at].unfinished.clear();
                }
                self.finished(at);
            }
            // Another process has taken it, or the next poll tries again.
            (Asked::Take | Asked::Renew | Asked::GiveBack, _) => {}
        }
    }

    /// Goes on where the last holder ended, once nothing else is in hand.
    pub(super) fn take_over(&mut self, at: usize) {
        let replica = &mut self.processes[at];
        if replica.pass.is_some() || replica.is_finishing {
            return;
        }
        let Some((term, left)) = replica.takeover.take() else { return };
        if replica.held.as_ref().is_none_or(|(held, _)| *held != term) {
            return;
        }
        let Written { history, pass, alerts, knows } = *left;
        let ours = std::mem::take(&mut replica.was_alone).then(|| replica.history.clone());
        if ours.is_none() {
            replica.knows.clear();
        }
        replica.knows.extend(knows);
        replica.history = history.unwrap_or_default();
        if let Some(ours) = ours.clone() {
            replica.history.merge(ours);
        }
        self.seen.takeovers += u64::from(pass.is_some());
        let Some(pass) = pass else { return self.begin_pass(at) };
        let requests = pass.requests.clone();
        replica.taken.extend(&requests);
        let (mut rollout, (event, happened)) = pass.resume(self.setting.policy(), time(self.now));
        if let Some(ours) = ours {
            rollout.merge_history(ours);
        }
        // The first step tells when the restart was asked for.
        let action = rollout.step(event, happened);
        self.passes += 1;
        let (number, looked) = (self.passes, self.now);
        replica.pass = Some(Pass { number, term: Some(term), rollout, requests, alerts, looked, up_at_start: None });
        self.act(at, action);
    }

    /// The end of a pass is written, or nobody needs it.
    pub(super) fn finished(&mut self, at: usize) {
        self.processes[at].is_finishing = false;
        self.take_over(at);
    }
}
