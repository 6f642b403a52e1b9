//! One schedule: passes over a world, in which each choice that chance or an adversary has is taken by a [`Chooser`].

use dyno_restarter::heroku::{DynoName, Error, ProcessType};
use dyno_restarter::restart::{
    Action, Event, GiveUp, History, Look, MergedTarget, Policy, Report, Rollout, Target, When,
};
use jiff::Timestamp;
use serde_json::json;

use super::promises::{Alert, BOOT_TIMEOUT, Judge, MIN_AGE, WINDOW};
use super::world::{FATES, World, second, time, web};
use crate::service::seconds;

/// How old, in seconds, the list in an answer may be. A database that follows another one is behind by less.
const STALE: i64 = 5;

/// Takes choices. Zero is what happens when nothing goes wrong.
pub(super) trait Chooser {
    fn choose(&mut self, options: usize) -> usize;
}

/// The size of a world, and how carefully it is restarted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    pub(super) dynos: usize,
    pub(super) max_unavailable: usize,
    pub(super) settle_time: u64,
    pub(super) is_fir: bool,
}

impl Setting {
    pub(super) fn policy(self) -> Policy {
        let Self { max_unavailable, settle_time, .. } = self;
        Policy {
            process_types: vec![web()],
            min_age: seconds(MIN_AGE.unsigned_abs()),
            boot_timeout: seconds(BOOT_TIMEOUT.unsigned_abs()),
            settle_time: seconds(settle_time),
            max_unavailable: max_unavailable.try_into().expect("not zero"),
            give_up_after: GiveUp { restarts: 3.try_into().expect("not zero"), window: seconds(WINDOW.unsigned_abs()) },
        }
    }
}

/// What was seen of a schedule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) steps: u64,
    pub(super) restarts: u64,
}

struct Schedule<'a, C> {
    chooser: &'a mut C,
    setting: Setting,
    world: World,
    /// What the API listed the last time.
    listed: World,
    /// One empty list is wrong; of two in a row the second is believed.
    was_empty: bool,
    judge: Judge,
    waiting: Vec<Alert>,
    stop_requested: Option<i64>,
    seen: Seen,
}

/// Plays one schedule, and judges each step of it.
pub(super) fn play(setting: Setting, chooser: &mut impl Chooser) -> Seen {
    let world = World::new(setting.dynos, setting.is_fir);
    let mut schedule = Schedule {
        chooser,
        setting,
        listed: world.clone(),
        world,
        was_empty: false,
        judge: Judge::new(setting.is_fir),
        waiting: vec![Alert { dyno: None, forced: false, arrived: 0 }],
        stop_requested: None,
        seen: Seen::default(),
    };
    let mut history = History::default();
    while !schedule.waiting.is_empty() && schedule.stop_requested.is_none() {
        history = schedule.pass(history);
        schedule.between_passes();
    }
    schedule.seen
}

impl<C: Chooser> Schedule<'_, C> {
    fn pass(&mut self, history: History) -> History {
        let alerts = std::mem::take(&mut self.waiting);
        let mut asked = MergedTarget::default();
        for alert in &alerts {
            let target = match &alert.dyno {
                None => Target::all(When::Now),
                Some(dyno) => Target::dynos([(dyno.clone(), When::Now)]),
            };
            asked.merge(target, alert.forced, time(alert.arrived), seconds(MIN_AGE.unsigned_abs()));
        }
        let app = dyno_restarter::restart::AppName::parse("shop").expect("a valid name");
        let count = alerts.len() as u64;
        if alerts.iter().any(|alert| alert.forced) {
            self.world.force();
        }
        self.judge.pass_begins(alerts, self.world.now);
        let mut rollout = Rollout::new(app, self.setting.policy(), asked, count, history, time(self.world.now));
        let mut event = Event::Time;
        for _ in 0..3000 {
            self.seen.steps += 1;
            let action = rollout.step(event, time(self.world.now));
            rollout.take_notes();
            event = match action {
                Action::Done(report) => {
                    self.judge.report(&report, &self.world);
                    self.check_that_it_can_be_read_back(&rollout, &report);
                    return rollout.into_history();
                }
                Action::Look => self.look(rollout.deadline()),
                Action::Restart(name) => self.restart(&name),
                Action::AskFormation(process_type) => {
                    self.judge.calls += 1;
                    self.ask_formation(process_type, rollout.deadline())
                }
                Action::WaitUntil(until) => self.wait(until, rollout.deadline()),
            };
        }
        panic!("the pass does not end");
    }

    /// What others do right before a look.
    fn happen(&mut self) -> Option<Event> {
        let now = self.world.now;
        match self.chooser.choose(10) {
            0 => {}
            1 => self.world.deploy(),
            2 => self.world.scale_down(),
            3 => self.world.crash(0),
            4 => self.world.crash(1),
            5 => self.world.restart_from_outside(2),
            6 => self.alert(None, false),
            7 => {
                let dyno = self.world.dynos[0].name.clone();
                self.alert(Some(dyno), true);
            }
            8 => self.world.vanish(),
            _ if self.stop_requested.is_none() => {
                self.stop_requested = Some(now);
                self.judge.stop_requested(now);
                return Some(Event::StopRequested(time(now)));
            }
            _ => {}
        }
        None
    }

    fn alert(&mut self, dyno: Option<DynoName>, forced: bool) {
        let arrived = self.world.now;
        self.waiting.push(Alert { dyno, forced, arrived });
    }

    fn look(&mut self, deadline: Option<Timestamp>) -> Event {
        if let Some(event) = self.happen() {
            return event;
        }
        let asked = self.world.now;
        let before = std::mem::replace(&mut self.listed, self.world.clone());
        let (list, takes) = match self.chooser.choose(7) {
            1 if asked - before.now <= STALE => (Some(before.list()), 0),
            2 => (Some(self.world.list()), 9),
            3 if !self.was_empty => (Some(Vec::new()), 0),
            4 => (None, 0),
            5 => (None, 10),
            6 => return self.look_is_refused(),
            _ => (Some(self.world.list()), 0),
        };
        let answered = asked + takes;
        if deadline.is_some_and(|deadline| second(deadline) < answered) {
            self.pass_until(second(deadline.expect("it was compared")));
            return Event::Time;
        }
        self.pass_until(answered);
        self.judge.calls += 1;
        self.was_empty = list.as_ref().map_or(self.was_empty, Vec::is_empty);
        let Some(dynos) = list else {
            self.judge.faults += 1;
            self.judge.time_passes();
            return Event::Looked(Err(Error::NoAnswer { reason: "timed out".to_owned() }));
        };
        self.judge.listed(&dynos, asked);
        let (asked, at) = (time(asked), time(asked));
        let look = Look { asked, answered: time(answered), at, dynos, unreadable: 0, allowance: None, calls: 1 };
        Event::Looked(Ok(look))
    }

    fn ask_formation(&mut self, process_type: ProcessType, deadline: Option<Timestamp>) -> Event {
        let (quantity, takes) = match self.chooser.choose(4) {
            1 => (Err(lost()), 10),
            2 => (Err(lost()), 0),
            3 => (Ok(self.world.quantity), 9),
            _ => (Ok(self.world.quantity), 0),
        };
        let answered = self.world.now + takes;
        if deadline.is_some_and(|deadline| second(deadline) < answered) {
            self.pass_until(second(deadline.expect("it was compared")));
            return Event::Time;
        }
        self.pass_until(answered);
        self.judge.faults += u32::from(quantity.is_err());
        self.judge.formation_told(quantity.as_ref().ok().copied());
        Event::Formation(process_type, quantity)
    }

    /// The API does not answer any more: the pass ends.
    fn look_is_refused(&mut self) -> Event {
        self.judge.calls += 1;
        self.judge.faults += 1;
        self.judge.time_passes();
        Event::Looked(Err(Error::Endless("a body without an end".to_owned())))
    }

    fn restart(&mut self, name: &DynoName) -> Event {
        self.judge.calls += 1;
        self.seen.restarts += 1;
        self.judge.restart(name, self.setting.max_unavailable, self.world.now);
        let fate = FATES[self.chooser.choose(FATES.len())];
        let (is_there, answer, takes) = match self.chooser.choose(8) {
            1 => (self.world.restart_late(name, fate, 6), Ok(()), 0),
            2 => (self.world.restart(name, fate), Err(lost()), 10),
            3 => (true, Err(lost()), 10),
            4 => (true, Err(Error::NotSent { reason: "no connection".to_owned() }), 0),
            5 => (true, Err(refused("RateLimited")), 0),
            6 => (true, Err(refused("Forbidden")), 0),
            // Accepted, and never carried out.
            7 => (true, Ok(()), 0),
            _ => (self.world.restart(name, fate), Ok(()), 0),
        };
        let answer = if is_there { answer } else { Err(refused("NotFound")) };
        Judge::judge_truth(&self.world, self.setting.max_unavailable);
        let now = self.world.now;
        self.pass_until(now + takes);
        let is_lost = answer.as_ref().is_err_and(Error::may_have_taken_effect);
        self.judge.faults += u32::from(answer.is_err());
        self.judge.restart_answered(answer.is_ok(), is_lost, self.world.now);
        Event::Restarted(answer)
    }

    fn wait(&mut self, until: Timestamp, deadline: Option<Timestamp>) -> Event {
        self.judge.time_passes();
        let until = deadline.map_or(until, |deadline| deadline.min(until));
        self.pass_until(second(until));
        Event::Time
    }

    fn pass_until(&mut self, second: i64) {
        self.world.pass_until(second);
        Judge::judge_truth(&self.world, self.setting.max_unavailable);
    }

    /// Some time goes by, and perhaps another alert comes.
    fn between_passes(&mut self) {
        let gap = [0, 20, 400, 4000][self.chooser.choose(4)];
        let now = self.world.now;
        self.pass_until(now + gap);
        if self.seen.restarts < 12 && self.chooser.choose(2) == 1 {
            self.alert(None, false);
        }
    }

    /// What a pass and its history are can be written down and read back.
    fn check_that_it_can_be_read_back(&self, rollout: &Rollout, report: &Report) {
        if self.seen.steps.is_multiple_of(64) {
            let written = serde_json::to_string(rollout).expect("it can be written");
            let read: Rollout = serde_json::from_str(&written).expect("it can be read");
            assert!(read == *rollout, "it is the same after it was read back: {report}");
        }
    }
}

pub(super) fn lost() -> Error {
    Error::NoAnswer { reason: "timed out".to_owned() }
}

/// An error that carries an answer of the API.
pub(super) fn refused(kind: &str) -> Error {
    let answer = json!({ "status": 403, "message": "", "request_id": null });
    let error = match kind {
        "RateLimited" => json!({ kind: { "answer": answer, "retry_after": null } }),
        _ => json!({ kind: answer }),
    };
    serde_json::from_value(error).expect("an error of the API")
}
