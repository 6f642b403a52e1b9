//! The changes of dynos: start, boot, crash, restart, stop, scaling, deploy.

use std::time::Duration;

use crate::app_state::{AppState, DEFAULT_SIZE, command};
use crate::dyno::{self, BootOutcome, Dyno, Release};
use crate::event_queue::{Event, EventKind, EventQueue};

/// The age of the dynos that a test sets up.
const AGE_AT_SETUP: Duration = Duration::from_secs(3600);

/// Why a new instance replaces the old one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplaceCause {
    Restart,
    Cycling,
    Deploy,
    /// The platform killed the old instance because it used too much memory.
    Killed,
}

impl AppState {
    pub(crate) fn apply(&mut self, queue: &mut EventQueue, event: &Event) {
        match &event.kind {
            EventKind::Replace { slot } => self.replace(queue, *slot, ReplaceCause::Restart),
            EventKind::FinishBoot { slot, instance } if self.is_current(*slot, instance) => {
                self.finish_boot(queue, *slot);
            }
            EventKind::MeasureMemory { slot, instance } if self.is_current(*slot, instance) => {
                self.measure_memory(queue, *slot);
            }
            EventKind::Request => self.simulate_request(queue),
            EventKind::DeliverLine { line } => self.log_line(line.clone()),
            // The instance was replaced.
            EventKind::FinishBoot { .. } | EventKind::MeasureMemory { .. } => {}
        }
    }

    fn is_current(&self, slot: u64, instance: &str) -> bool {
        self.dyno(slot).is_some_and(|dyno| dyno.id == instance)
    }

    /// Replaces all dynos of the type with dynos that have been up for an hour.
    pub(crate) fn set_up(&mut self, queue: &mut EventQueue, process_type: &str, quantity: usize) {
        self.dynos.retain(|dyno| dyno.process_type != process_type);
        for number in 1..=quantity {
            let slot = self.add_dyno(queue, process_type, number, "up");
            self.set_age(queue, slot, AGE_AT_SETUP);
            self.start_leak(queue, slot);
        }
        self.set_quantity(queue, process_type, quantity);
        self.fewest_up.remove(process_type);
        self.update_fewest_up();
    }

    pub(crate) fn set_age(&mut self, queue: &EventQueue, slot: u64, age: Duration) {
        if let Some(dyno) = self.dyno_mut(slot) {
            dyno.created_at = queue.now - age;
            dyno.updated_at = dyno.created_at;
        }
    }

    /// Restarts a dyno through the API. A one-off dyno of the type `run` is stopped. Other dynos that are not in the
    /// formation are not restarted, although the API accepts the request.
    pub(crate) fn restart(&mut self, queue: &mut EventQueue, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let (name, process_type) = (dyno.name.clone(), dyno.process_type.clone());
        if process_type == "run" {
            self.restarts.push(name);
            self.stop(queue, slot);
        } else if self.formation.contains_key(&process_type) {
            self.restarts.push(name);
            if self.restart_lag.is_zero() {
                self.replace(queue, slot, ReplaceCause::Restart);
            } else {
                let event = self.event(EventKind::Replace { slot });
                queue.schedule(self.restart_lag, event);
            }
        }
    }

    /// Replaces the old instance with a new one.
    pub(crate) fn replace(&mut self, queue: &mut EventQueue, slot: u64, cause: ReplaceCause) {
        let Some(dyno) = self.dyno(slot) else { return };
        if dyno.vanishes_on_restart {
            return self.remove(slot);
        }
        let (old_name, old_state) = (dyno.name.clone(), dyno.state.clone());
        if cause != ReplaceCause::Killed {
            self.schedule_late_r14(queue, slot);
        }
        match cause {
            ReplaceCause::Restart | ReplaceCause::Deploy => {
                self.log(queue.now, "heroku", &old_name, "Restarting");
            }
            ReplaceCause::Cycling => self.log(queue.now, "heroku", &old_name, "Cycling"),
            ReplaceCause::Killed => {}
        }
        self.set_state(queue, slot, "starting");
        if cause != ReplaceCause::Killed && old_state != "crashed" && old_state != "down" {
            self.log_process_end(queue, &old_name);
        }
        let fir_release = self.fir.then_some(&self.release);
        let dyno = self.dynos.iter_mut().find(|dyno| dyno.slot == slot).expect("the dyno was found above");
        if fir_release.is_some() {
            dyno.name = dyno::name(queue, fir_release, &dyno.process_type, dyno.number);
        }
        dyno.id = queue.ids.uuid();
        dyno.created_at = queue.now;
        dyno.updated_at = queue.now;
        dyno.hangs = false;
        self.start_process(queue, slot);
    }

    pub(crate) fn set_state(&mut self, queue: &EventQueue, slot: u64, state: &str) {
        let Some(dyno) = self.dyno_mut(slot) else {
            return;
        };
        if dyno.state == state {
            return;
        }
        let text = format!("State changed from {} to {state}", dyno.state);
        let name = dyno.name.clone();
        state.clone_into(&mut dyno.state);
        dyno.updated_at = queue.now;
        self.log(queue.now, "heroku", &name, text);
        self.update_fewest_up();
    }

    pub(crate) fn crash(&mut self, queue: &mut EventQueue, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let name = dyno.name.clone();
        self.log(queue.now, "heroku", &name, "Process exited with status 1");
        self.set_state(queue, slot, "crashed");
    }

    /// Stops a dyno through the API. A one-off dyno is removed. Another dyno is `down` until it is restarted.
    pub(crate) fn stop(&mut self, queue: &EventQueue, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let (name, one_off) = (dyno.name.clone(), !self.formation.contains_key(&dyno.process_type));
        self.log_process_end(queue, &name);
        if one_off {
            self.remove(slot);
        } else {
            self.set_state(queue, slot, "down");
        }
    }

    pub(crate) fn remove(&mut self, slot: u64) {
        self.dynos.retain(|dyno| dyno.slot != slot);
        self.update_fewest_up();
    }

    pub(crate) fn scale(&mut self, queue: &mut EventQueue, process_type: &str, quantity: usize) {
        let text = format!("Scaled to {process_type}@{quantity}:{DEFAULT_SIZE} by user owner@example.com");
        self.log(queue.now, "app", "api", text);
        self.set_quantity(queue, process_type, quantity);
        let (mut existing, mut surplus) = (Vec::new(), Vec::new());
        for dyno in self.dynos.iter().filter(|dyno| dyno.process_type == process_type) {
            existing.push(dyno.number);
            if dyno.number > quantity {
                surplus.push((dyno.slot, dyno.name.clone()));
            }
        }
        for (slot, name) in surplus {
            self.log_process_end(queue, &name);
            self.remove(slot);
        }
        for number in (1..=quantity).filter(|number| !existing.contains(number)) {
            let slot = self.add_dyno(queue, process_type, number, "starting");
            self.start_process(queue, slot);
        }
        self.update_fewest_up();
    }

    /// Creates a new release, and replaces all dynos of the formation at the same time.
    pub(crate) fn deploy(&mut self, queue: &mut EventQueue) {
        let version = self.release.version + 1;
        self.release = Release::new(queue, version);
        let text = format!("Release v{version} created by user owner@example.com");
        self.log(queue.now, "app", "api", text);
        let in_formation = |dyno: &&Dyno| self.formation.contains_key(&dyno.process_type);
        let slots: Vec<u64> = self.dynos.iter().filter(in_formation).map(|dyno| dyno.slot).collect();
        for slot in slots {
            self.replace(queue, slot, ReplaceCause::Deploy);
        }
    }

    /// Adds a dyno in this state. Does not start its process.
    fn add_dyno(&mut self, queue: &mut EventQueue, process_type: &str, number: usize, state: &str) -> u64 {
        let slot = queue.ids.next_number();
        let fir_release = self.fir.then_some(&self.release);
        let dyno = Dyno {
            slot,
            process_type: process_type.to_owned(),
            number,
            boot_outcome: BootOutcome::Up,
            vanishes_on_restart: false,
            json_overrides: Vec::new(),
            id: queue.ids.uuid(),
            name: dyno::name(queue, fir_release, process_type, number),
            state: state.to_owned(),
            created_at: queue.now,
            updated_at: queue.now,
            leaks_since: queue.now,
            hangs: false,
        };
        self.dynos.push(dyno);
        slot
    }

    /// Starts the process of a new instance, and schedules the end of its boot.
    fn start_process(&mut self, queue: &mut EventQueue, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let (name, instance) = (dyno.name.clone(), dyno.id.clone());
        let text = format!("Starting process with command `{}`", command(&dyno.process_type));
        if dyno.boot_outcome != BootOutcome::StaysStarting {
            let event = self.event(EventKind::FinishBoot { slot, instance });
            queue.schedule(self.boot_time, event);
        }
        self.log(queue.now, "heroku", &name, text);
        self.start_leak(queue, slot);
    }

    fn finish_boot(&mut self, queue: &mut EventQueue, slot: u64) {
        match self.dyno(slot) {
            Some(dyno) if dyno.state != "starting" => {}
            Some(dyno) if dyno.boot_outcome == BootOutcome::Crashed => self.crash(queue, slot),
            _ => self.set_state(queue, slot, "up"),
        }
    }

    pub(crate) fn event(&self, kind: EventKind) -> Event {
        Event { app: self.name.clone(), kind }
    }

    fn log_process_end(&mut self, queue: &EventQueue, name: &str) {
        self.log(queue.now, "heroku", name, "Stopping all processes with SIGTERM");
        self.log(queue.now, "heroku", name, "Process exited with status 143");
    }
}
