//! What the rules promise, judged by what the API has shown and by what is true. Written apart from the code that it judges.

use std::collections::{BTreeMap, BTreeSet};

use dyno_restarter::heroku::{Dyno, DynoName};
use dyno_restarter::restart::{End, Failure, Outcome, Report};

use super::world::{Now, World, second};

pub(super) const MIN_AGE: i64 = 300;
pub(super) const BOOT_TIMEOUT: i64 = 12;
pub(super) const WINDOW: i64 = 3600;

/// How old a list may be on which a dyno is restarted.
const LONGEST_LOOK: i64 = 3;

/// How long an accepted restart may go unseen.
const UNSEEN: i64 = 15;

/// An alert of the model: for one dyno or for all.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub(super) dyno: Option<DynoName>,
    pub(super) forced: bool,
    pub(super) arrived: i64,
}

/// A restart that was asked for.
#[derive(Clone, Debug)]
struct Asked {
    name: DynoName,
    /// The record on which it stood.
    old: Dyno,
    at: i64,
    is_lost: bool,
    /// When a look was asked for that showed a new instance up.
    seen_up: Option<i64>,
    /// It was shown in a failed state, at that time.
    failed: Option<i64>,
    /// It was accepted, and never seen to happen.
    is_unconfirmed: bool,
    /// The instance that was shown last.
    last_id: Option<String>,
    /// A deploy replaced it, it was scaled away, or it has been up long enough.
    is_over: bool,
}

/// What was shown and asked for so far, over all passes.
#[derive(Clone, Debug, Default)]
pub(super) struct Judge {
    /// The newest record that was shown of each listed dyno.
    shown: BTreeMap<DynoName, Dyno>,
    /// When the last look was asked for, as long as nothing that takes time has happened since its answer.
    fresh: Option<i64>,
    asked: Vec<Asked>,
    /// The instances of whose restarts the process knows that asks for the next one; `None` if it knows of all.
    known: Option<BTreeSet<String>>,
    /// The dynos that were up when the pass began.
    up_at_start: Option<BTreeSet<DynoName>>,
    /// The formation has said that dynos that are missing were scaled away.
    quantity: Option<usize>,
    stopped: Option<i64>,
    pub(super) alerts: Vec<Alert>,
    pub(super) calls: u32,
    pub(super) faults: u32,
    restarts_in_pass: u32,
    began: i64,
    /// Names change with each restart: what is judged by them is left out.
    is_fir: bool,
}

fn is_older(dyno: &Dyno, known: &Dyno) -> bool {
    (dyno.created_at, dyno.updated_at) < (known.created_at, known.updated_at)
}

impl Judge {
    pub(super) fn new(is_fir: bool) -> Self {
        Self { is_fir, ..Self::default() }
    }

    pub(super) fn pass_begins(&mut self, alerts: Vec<Alert>, now: i64) {
        (self.alerts, self.up_at_start, self.quantity, self.calls, self.faults) = (alerts, None, None, 0, 0);
        (self.restarts_in_pass, self.began, self.fresh) = (0, now, None);
    }

    /// The next restart is that of a pass whose last look was asked for at that time. Others may have looked since. Its
    /// process knows of the restarts of these instances.
    pub(super) fn stands_on(&mut self, asked_at: i64, up: Option<BTreeSet<DynoName>>, known: BTreeSet<String>) {
        (self.fresh, self.up_at_start, self.known) = (Some(asked_at), up, Some(known));
    }

    pub(super) fn time_passes(&mut self) {
        self.fresh = None;
    }

    pub(super) fn stop_requested(&mut self, now: i64) {
        self.stopped.get_or_insert(now);
    }

    pub(super) fn formation_told(&mut self, quantity: Option<usize>) {
        self.fresh = None;
        self.quantity = quantity.or(self.quantity);
        let Some(quantity) = quantity else { return };
        let shown = &self.shown;
        let is_gone = |name: &DynoName| {
            let is_above = name.number().map_or(shown.len() >= quantity, |number| number > quantity);
            is_above && !shown.contains_key(name)
        };
        for asked in self.asked.iter_mut().filter(|asked| is_gone(&asked.name)) {
            asked.is_over = true;
        }
        if let Some(up) = &mut self.up_at_start {
            up.retain(|name| !is_gone(name));
        }
    }

    /// A list came that was asked for at that time.
    pub(super) fn listed(&mut self, dynos: &[Dyno], asked_at: i64) {
        let known = std::mem::take(&mut self.shown);
        for dyno in dynos {
            let newest = known.get(&dyno.name).filter(|known| is_older(dyno, known)).unwrap_or(dyno);
            self.shown.insert(dyno.name.clone(), newest.clone());
        }
        self.fresh = Some(asked_at);
        self.up_at_start
            .get_or_insert_with(|| dynos.iter().filter(|dyno| dyno.is_up()).map(|dyno| dyno.name.clone()).collect());
        for asked in self.asked.iter_mut().filter(|asked| !asked.is_over) {
            match self.shown.get(&asked.name) {
                Some(now) => asked.shown(now, asked_at),
                None if asked.seen_up.is_some_and(|since| asked_at - since >= MIN_AGE) => asked.is_over = true,
                None if !dynos.is_empty() && asked_at - asked.at >= BOOT_TIMEOUT => {
                    asked.failed.get_or_insert(asked_at);
                }
                None => {}
            }
        }
    }

    /// A restart is asked for.
    pub(super) fn restart(&mut self, name: &DynoName, max_unavailable: usize, now: i64) {
        let asked_at = self.fresh.take().expect("a restart follows a look at once");
        let record = self.shown.get(name).expect("a dyno that is restarted was shown").clone();
        // With a database, a replica that is cut off or frozen may be late; the replicas' model counts that.
        let is_fresh = self.known.is_some() || now - asked_at <= LONGEST_LOOK;
        assert!(is_fresh, "{name} is restarted on a list of {} s ago", now - asked_at);
        assert!(self.stopped.is_none(), "no restart begins after the end was asked for");
        assert!(record.is_up(), "{name} was shown up right before its restart");
        let created = second(record.created_at.expect("the model tells it"));
        let mine: Vec<_> = self.alerts.iter().filter(|it| it.dyno.as_ref().is_none_or(|dyno| dyno == name)).collect();
        let forced = mine.iter().any(|alert| alert.forced && created < alert.arrived);
        let due = mine.iter().any(|alert| !alert.forced && created <= alert.arrived - MIN_AGE);
        assert!(
            forced || due,
            "{name}, created at {created}, is restarted for an alert that is not about it: {mine:?}"
        );
        for before in self.asked.iter().filter(|asked| asked.old.id == record.id) {
            let is_repeat_of_lost = before.is_lost && asked_at - before.at >= UNSEEN;
            let is_unconfirmed = asked_at - before.at >= UNSEEN && (forced || now - before.at >= MIN_AGE);
            assert!(is_repeat_of_lost || is_unconfirmed, "{name} is restarted twice: {before:?}");
        }
        let is_known = |id: &Option<String>| {
            self.known.as_ref().is_none_or(|known| id.as_ref().is_some_and(|id| known.contains(id)))
        };
        let known = || self.asked.iter().filter(|asked| is_known(&asked.old.id));
        let running: Vec<_> = known().filter(|asked| asked.is_in_flight(asked_at)).collect();
        assert!(self.is_fir || running.len() < max_unavailable, "{} are in flight: {running:?}", running.len());
        if !forced && !self.is_fir {
            let down = known().find(|asked| asked.is_down(&self.shown, now));
            assert!(down.is_none(), "{name} is restarted while one of ours is down: {down:?}");
        }
        let is_in_flight = |name: &DynoName| running.iter().any(|asked| asked.name == *name);
        let up = self.shown.values().filter(|dyno| dyno.is_up() && !is_in_flight(&dyno.name)).count();
        let expected = self.up_at_start.as_ref().map_or(0, BTreeSet::len);
        assert!(self.is_fir || up + max_unavailable > expected, "{up} of {expected} run when {name} is restarted");
        self.restarts_in_pass += 1;
        let at = now;
        for before in self.asked.iter_mut().filter(|before| before.name == *name) {
            before.is_over = true;
        }
        let last_id = record.id.clone();
        let name = name.clone();
        let restart = Asked {
            name,
            old: record,
            at,
            is_lost: false,
            seen_up: None,
            failed: None,
            is_unconfirmed: false,
            last_id,
            is_over: false,
        };
        self.asked.push(restart);
    }

    /// The answer to the last restart came.
    pub(super) fn restart_answered(&mut self, is_done: bool, is_lost: bool, now: i64) {
        self.fresh = None;
        if !is_done && !is_lost {
            self.asked.pop();
        } else if let Some(last) = self.asked.last_mut() {
            (last.is_lost, last.at) = (is_lost, now);
        }
    }

    /// What is true after a restart was carried out: never more are down because of us than allowed.
    pub(super) fn judge_truth(world: &World, max_unavailable: usize) {
        // A hold ends with its window.
        let counts = |at: i64| world.now - at < WINDOW;
        let down = world.dynos.iter().filter(|dyno| dyno.taken_down.is_some_and(counts)).count();
        assert!(down <= max_unavailable, "{down} dynos are down because of us");
    }

    pub(super) fn report(&self, report: &Report, world: &World) {
        let now = world.now;
        if let Some(stopped) = self.stopped {
            assert!(now <= stopped + 36, "the pass ended {} s after it was asked to", now - stopped);
        }
        assert!(now - self.began <= 2000, "the pass took {} s", now - self.began);
        let most =
            8 + 4 * self.restarts_in_pass + 2 * self.faults + u32::try_from(now - self.began).expect("forwards") / 3;
        assert!(self.calls <= most, "{} calls in {} s", self.calls, now - self.began);
        assert!(report.calls == self.calls, "the report counts its calls");
        if report.end.is_none() {
            let left: Vec<_> = report.dynos.iter().filter(|(_, outcome)| **outcome == Outcome::Due).collect();
            assert!(left.is_empty(), "a pass that ended well leaves nothing undone: {left:?}");
        }
        // The API failed, or the service ended, before the dynos were chosen.
        let was_cut_short = report.dynos.is_empty() && matches!(report.end, Some(End::Api(_) | End::Stopped { .. }));
        for name in self.up_at_start.iter().flatten().filter(|_| !was_cut_short) {
            let is_asked_for = self.alerts.iter().any(|it| it.dyno.as_ref().is_none_or(|dyno| dyno == name));
            assert!(!is_asked_for || report.dynos.contains_key(name), "the report says nothing of {name}");
        }
        for (name, outcome) in &report.dynos {
            self.judge_outcome(name, outcome, world);
        }
        let failed = report.dynos.values().any(|it| {
            matches!(it, Outcome::Failed(Failure::Crashed { .. } | Failure::NotUp { .. } | Failure::DownAgain { .. }))
        });
        assert!(
            !failed || matches!(report.end, Some(End::Failed(_) | End::Short { .. } | End::Api(_))),
            "a failure ends the pass: {report:?}"
        );
    }

    /// A dyno that came up in time and stayed up has not failed.
    fn judge_outcome(&self, name: &DynoName, outcome: &Outcome, world: &World) {
        let Some(asked) = self.asked.iter().rev().find(|asked| asked.name == *name) else { return };
        let Some(dyno) = world.position(name).map(|at| &world.dynos[at]) else { return };
        let is_well = dyno.state == Now::Up && dyno.came_up.is_some_and(|at| at <= asked.at + BOOT_TIMEOUT);
        let has_failed = matches!(outcome, Outcome::Failed(Failure::NotUp { .. }));
        assert!(!(is_well && has_failed && dyno.created <= asked.at + 1), "{name} came up in time: {outcome}");
    }
}

impl Asked {
    fn shown(&mut self, now: &Dyno, asked_at: i64) {
        let is_new = now.id != self.old.id;
        if self.is_unconfirmed && is_new {
            // It happens only now.
            (self.is_unconfirmed, self.at) = (false, asked_at);
        }
        let is_another = std::mem::replace(&mut self.last_id, now.id.clone()) != now.id;
        if now.release > self.old.release {
            self.is_over = true;
        } else if let Some(since) = self.seen_up {
            if now.is_up() {
                self.is_over = self.failed.take().is_none() && !is_another && asked_at - since >= MIN_AGE;
                self.seen_up = Some(if is_another { asked_at } else { since });
            } else {
                let ended = if is_another { now.created_at } else { now.updated_at };
                self.is_over = second(ended.expect("the model tells it")) - since >= MIN_AGE;
                self.failed.get_or_insert(asked_at);
            }
        } else if now.is_up() && self.is_lost && asked_at - self.at >= UNSEEN && !is_new {
            // It did not happen.
            self.is_over = true;
        } else if now.is_up() && asked_at - self.at >= UNSEEN && !is_new {
            self.is_unconfirmed = true;
            self.is_over = asked_at - self.at >= MIN_AGE;
        } else if now.is_up() && is_new {
            (self.seen_up, self.failed) = (Some(asked_at), None);
        } else if !now.is_up() && (now.state == "crashed".into() || asked_at - self.at >= BOOT_TIMEOUT) {
            self.failed.get_or_insert(asked_at);
        }
    }

    /// Not seen up, not failed, and not so long ago that the restart counts as one that never happened.
    fn is_in_flight(&self, asked_at: i64) -> bool {
        !self.is_over && self.seen_up.is_none() && self.failed.is_none() && asked_at - self.at < UNSEEN
    }

    fn is_down(&self, shown: &BTreeMap<DynoName, Dyno>, now: i64) -> bool {
        let shown = shown.get(&self.name);
        let is_shown_down = match self.seen_up {
            Some(_) => shown.is_none_or(|dyno| !dyno.is_up()),
            None => self.failed.is_some() && shown.is_none_or(|dyno| !dyno.is_up()),
        };
        !self.is_over && is_shown_down && now - self.at < WINDOW
    }
}
