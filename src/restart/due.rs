//! Which dynos are due: rules 2, 4 and 5 for one dyno, given what is remembered of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::fleet::{Look, elapsed};
use super::history::History;
use super::policy::Policy;
use super::report::{Outcome, Skip};
use super::target::{AlertTime, MergedTarget, When};
use crate::heroku::{Dyno, DynoName, LONGEST_LIFE};

impl Policy {
    /// What becomes of each dyno that was asked for: due, or left alone.
    pub(super) fn judge_all(
        &self,
        look: &Look,
        asked: &MergedTarget,
        history: &History,
    ) -> BTreeMap<DynoName, Outcome> {
        let (names, mut outcomes) = (asked.names(), BTreeMap::new());
        for dyno in look.dynos.iter().filter(|dyno| asked.includes(&dyno.name)) {
            let judgement = if self.process_types.contains(&dyno.process_type) {
                self.judge(dyno, look, asked, history)
            } else if names.contains(&dyno.name) {
                Err(Skip::NotWatched)
            } else {
                continue;
            };
            outcomes.insert(dyno.name.clone(), judgement.map_or_else(Outcome::Skipped, |()| Outcome::Due));
        }
        for name in names {
            outcomes.entry(name.clone()).or_insert(Outcome::Skipped(Skip::Unknown));
        }
        outcomes
    }

    /// Whether a dyno is due, and if not, why.
    fn judge(&self, dyno: &Dyno, look: &Look, asked: &MergedTarget, history: &History) -> Result<(), Skip> {
        if !dyno.is_up() {
            return Err(Skip::NotUp(dyno.state.clone()));
        }
        let began = began(dyno, look, history);
        let booted_until = history.booted_until(&dyno.name);
        let is_about = |alert: AlertTime| is_about_this_process(alert, began, booted_until, look);
        let forced = asked.forced(&dyno.name).map(is_about);
        if forced == Some(Ok(())) {
            return Ok(());
        }
        let judged = asked.automatic(&dyno.name).map(is_about).or(forced).unwrap_or(Ok(()));
        if let Err(skip @ (Skip::Late { .. } | Skip::BeganLater { .. })) = judged {
            return Err(skip);
        }
        if let Some(down) = history.not_up().next() {
            return Err(Skip::Held(down.clone()));
        }
        judged?;
        if let Some(until) = history.given_up_until(&dyno.name, look.asked, self) {
            let (restarts, window) = (self.give_up_after.restarts.get(), self.give_up_after.window);
            return Err(Skip::GivenUp { restarts, window, re_armed_in: elapsed(look.asked, until), until });
        }
        Ok(())
    }
}

/// When the process began, by the platform's clock: when its instance was created, but not before our last restart of it,
/// which may still take effect. A record that does not say when it was created counts as old.
fn began(dyno: &Dyno, look: &Look, history: &History) -> Option<Timestamp> {
    let restarted = history.last_restart(&dyno.name).map(|at| look.by_platform_clock(at));
    dyno.created_at.max(restarted)
}

/// Rule 2: an alert is about a process only if that was old enough when the alert arrived, and had begun before the time
/// that the alert gives.
fn is_about_this_process(
    alert: AlertTime,
    began: Option<Timestamp>,
    booted_until: Option<Timestamp>,
    look: &Look,
) -> Result<(), Skip> {
    if let When::At { time, skew } = alert.told {
        let ago = look.since(time);
        if let Some(began) = began.filter(|began| began.duration_since(time) > skew) {
            return Err(Skip::Late { ago, age: Some(look.since(began)) });
        }
        if ago > LONGEST_LIFE {
            return Err(Skip::Late { ago, age: None });
        }
    }
    // An alert that came while the dyno booted after our restart is served by that restart.
    if let Some(booted_until) = booted_until.filter(|until| alert.arrived < *until) {
        return Err(Skip::BeganLater { by: elapsed(alert.arrived, booted_until) });
    }
    let Some(began) = began else { return Ok(()) };
    let arrived = look.by_platform_clock(alert.arrived);
    // The platform cuts times of creation to the second.
    if began.as_second() >= arrived.as_second() {
        return Err(Skip::BeganLater { by: elapsed(arrived, began) });
    }
    let age = elapsed(began, arrived);
    if age < alert.min_age {
        return Err(Skip::Young { age, min_age: alert.min_age });
    }
    Ok(())
}
