//! What happens to dynos: they start, boot, crash, are replaced, stopped, scaled and deployed.

use std::time::Duration;

use crate::agenda::{Agenda, Due, What};
use crate::app_state::{AppState, SIZE, command};
use crate::dyno::{self, Boot, Dyno, Habits, Release};

/// Dynos that are set up have been running for this long.
const AGE_AT_SETUP: Duration = Duration::from_secs(3600);

/// Why an instance is replaced by a new one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Restart,
    Cycling,
    Deploy,
    /// It used too much memory and has been killed.
    Killed,
}

impl AppState {
    pub(crate) fn happen(&mut self, agenda: &mut Agenda, due: &Due) {
        match &due.what {
            What::Replace { slot } => self.replace(agenda, *slot, Cause::Restart),
            What::Boot { slot, instance } if self.is_there(*slot, instance) => self.boot(agenda, *slot),
            What::Measure { slot, instance } if self.is_there(*slot, instance) => self.measure(agenda, *slot),
            What::Request => self.request(agenda),
            What::Arrive { line } => self.log_late(line.clone()),
            // Of an instance that is gone.
            What::Boot { .. } | What::Measure { .. } => {}
        }
    }

    fn is_there(&self, slot: u64, instance: &str) -> bool {
        self.dyno(slot).is_some_and(|dyno| dyno.id == instance)
    }

    /// Sets up dynos that have been up for an hour, in place of any of that type.
    pub(crate) fn set_up(&mut self, agenda: &mut Agenda, process_type: &str, quantity: usize) {
        self.dynos.retain(|dyno| dyno.process_type != process_type);
        for number in 1..=quantity {
            let slot = self.add(agenda, process_type, number, "up");
            self.set_age(agenda, slot, AGE_AT_SETUP);
            self.begin_leak(agenda, slot);
        }
        self.set_quantity(agenda, process_type, quantity);
        self.fewest.remove(process_type);
        self.count();
    }

    pub(crate) fn set_age(&mut self, agenda: &Agenda, slot: u64, age: Duration) {
        if let Some(dyno) = self.dyno_mut(slot) {
            dyno.created_at = agenda.now - age;
            dyno.updated_at = dyno.created_at;
        }
    }

    /// A restart asked for through the API. A one-off dyno is killed for good; one of a type of
    /// its own is left alone, and the API still says that it was accepted.
    pub(crate) fn restart(&mut self, agenda: &mut Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let (name, process_type) = (dyno.name.clone(), dyno.process_type.clone());
        if process_type == "run" {
            self.restarts.push(name);
            self.stop(agenda, slot);
        } else if self.formation.contains_key(&process_type) {
            self.restarts.push(name);
            if self.restart_lag.is_zero() {
                self.replace(agenda, slot, Cause::Restart);
            } else {
                let due = self.due(What::Replace { slot });
                agenda.after(self.restart_lag, due);
            }
        }
    }

    /// A new instance takes the place of the old one.
    pub(crate) fn replace(&mut self, agenda: &mut Agenda, slot: u64, cause: Cause) {
        let Some(dyno) = self.dyno(slot) else { return };
        if dyno.habits.vanishes {
            return self.remove(slot);
        }
        let (old_name, old_state) = (dyno.name.clone(), dyno.state.clone());
        if cause != Cause::Killed {
            self.plan_late_r14(agenda, slot);
        }
        match cause {
            Cause::Restart | Cause::Deploy => {
                self.log(agenda.now, "heroku", &old_name, "Restarting");
            }
            Cause::Cycling => self.log(agenda.now, "heroku", &old_name, "Cycling"),
            Cause::Killed => {}
        }
        self.set_state(agenda, slot, "starting");
        if cause != Cause::Killed && old_state != "crashed" && old_state != "down" {
            self.log_end(agenda, &old_name);
        }
        let fir = self.fir.then_some(&self.release);
        let dyno = self.dynos.iter_mut().find(|dyno| dyno.slot == slot).expect("it was found above");
        if fir.is_some() {
            dyno.name = dyno::name(agenda, fir, &dyno.process_type, dyno.number);
        }
        dyno.id = agenda.uuid();
        dyno.created_at = agenda.now;
        dyno.updated_at = agenda.now;
        dyno.hangs = false;
        self.begin(agenda, slot);
    }

    pub(crate) fn set_state(&mut self, agenda: &Agenda, slot: u64, state: &str) {
        let Some(dyno) = self.dyno_mut(slot) else {
            return;
        };
        if dyno.state == state {
            return;
        }
        let text = format!("State changed from {} to {state}", dyno.state);
        let name = dyno.name.clone();
        state.clone_into(&mut dyno.state);
        dyno.updated_at = agenda.now;
        self.log(agenda.now, "heroku", &name, text);
        self.count();
    }

    /// Its process ends by itself.
    pub(crate) fn crash(&mut self, agenda: &mut Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let name = dyno.name.clone();
        self.log(agenda.now, "heroku", &name, "Process exited with status 1");
        self.set_state(agenda, slot, "crashed");
    }

    /// Stopped through the API: a one-off dyno is gone, another is down until it is restarted.
    pub(crate) fn stop(&mut self, agenda: &Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let (name, one_off) = (dyno.name.clone(), !self.formation.contains_key(&dyno.process_type));
        self.log_end(agenda, &name);
        if one_off {
            self.remove(slot);
        } else {
            self.set_state(agenda, slot, "down");
        }
    }

    pub(crate) fn remove(&mut self, slot: u64) {
        self.dynos.retain(|dyno| dyno.slot != slot);
        self.count();
    }

    pub(crate) fn scale(&mut self, agenda: &mut Agenda, process_type: &str, quantity: usize) {
        let text = format!("Scaled to {process_type}@{quantity}:{SIZE} by user owner@example.com");
        self.log(agenda.now, "app", "api", text);
        self.set_quantity(agenda, process_type, quantity);
        let (mut taken, mut surplus) = (Vec::new(), Vec::new());
        for dyno in self.dynos.iter().filter(|dyno| dyno.process_type == process_type) {
            taken.push(dyno.number);
            if dyno.number > quantity {
                surplus.push((dyno.slot, dyno.name.clone()));
            }
        }
        for (slot, name) in surplus {
            self.log_end(agenda, &name);
            self.remove(slot);
        }
        for number in (1..=quantity).filter(|number| !taken.contains(number)) {
            let slot = self.add(agenda, process_type, number, "starting");
            self.begin(agenda, slot);
        }
        self.count();
    }

    /// A new release: every dyno of the formation is replaced at once.
    pub(crate) fn deploy(&mut self, agenda: &mut Agenda) {
        let version = self.release.version + 1;
        self.release = Release::new(agenda, version);
        let text = format!("Release v{version} created by user owner@example.com");
        self.log(agenda.now, "app", "api", text);
        let in_formation = |dyno: &&Dyno| self.formation.contains_key(&dyno.process_type);
        let slots: Vec<u64> = self.dynos.iter().filter(in_formation).map(|dyno| dyno.slot).collect();
        for slot in slots {
            self.replace(agenda, slot, Cause::Deploy);
        }
    }

    /// Adds a dyno in this state, without beginning to boot it.
    fn add(&mut self, agenda: &mut Agenda, process_type: &str, number: usize, state: &str) -> u64 {
        let slot = agenda.count();
        let fir = self.fir.then_some(&self.release);
        let dyno = Dyno {
            slot,
            process_type: process_type.to_owned(),
            number,
            habits: Habits::default(),
            edits: Vec::new(),
            id: agenda.uuid(),
            name: dyno::name(agenda, fir, process_type, number),
            state: state.to_owned(),
            created_at: agenda.now,
            updated_at: agenda.now,
            leaks_since: agenda.now,
            hangs: false,
        };
        self.dynos.push(dyno);
        slot
    }

    /// The instance is `starting`: its process is run, and how that ends is planned.
    fn begin(&mut self, agenda: &mut Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let (name, instance) = (dyno.name.clone(), dyno.id.clone());
        let text = format!("Starting process with command `{}`", command(&dyno.process_type));
        if dyno.habits.boot != Boot::NeverEnds {
            let due = self.due(What::Boot { slot, instance });
            agenda.after(self.boot_time, due);
        }
        self.log(agenda.now, "heroku", &name, text);
        self.begin_leak(agenda, slot);
    }

    fn boot(&mut self, agenda: &mut Agenda, slot: u64) {
        match self.dyno(slot) {
            Some(dyno) if dyno.state != "starting" => {}
            Some(dyno) if dyno.habits.boot == Boot::Crashes => self.crash(agenda, slot),
            _ => self.set_state(agenda, slot, "up"),
        }
    }

    pub(crate) fn due(&self, what: What) -> Due {
        Due { app: self.name.clone(), what }
    }

    fn log_end(&mut self, agenda: &Agenda, name: &str) {
        self.log(agenda.now, "heroku", name, "Stopping all processes with SIGTERM");
        self.log(agenda.now, "heroku", name, "Process exited with status 143");
    }
}
