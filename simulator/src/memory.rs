//! The memory of dynos: with a leak it grows until the platform complains, and then kills.

use std::time::Duration;

use crate::agenda::{Agenda, What};
use crate::app_state::AppState;
use crate::clock::since;
use crate::dyno::Dyno;
use crate::lifecycle::Cause;

/// Megabytes of a Standard-1X dyno, and what a process uses when it starts.
pub(crate) const QUOTA: f64 = 512.0;
const AT_START: f64 = 256.0;

/// The platform looks about this often ("about once every 20 seconds").
const MEASURE_EVERY: Duration = Duration::from_secs(20);

impl AppState {
    /// From now on the processes of this type leak; a rate of zero ends it.
    pub(crate) fn leak(&mut self, agenda: &mut Agenda, process_type: &str, megabytes_per_minute: f64) {
        self.leaks.insert(process_type.to_owned(), megabytes_per_minute);
        let of_type = |dyno: &&Dyno| dyno.process_type == process_type;
        let slots: Vec<u64> = self.dynos.iter().filter(of_type).map(|dyno| dyno.slot).collect();
        agenda.forget(|due| {
            due.app == self.name && matches!(&due.what, What::Measure { slot, .. } if slots.contains(slot))
        });
        for slot in slots {
            self.begin_leak(agenda, slot);
        }
    }

    /// The megabytes a minute that it leaks.
    pub(crate) fn leak_of(&self, dyno: &Dyno) -> f64 {
        self.leaks.get(&dyno.process_type).copied().unwrap_or(0.0)
    }

    /// This instance has just begun to leak, if its type does.
    pub(crate) fn begin_leak(&mut self, agenda: &mut Agenda, slot: u64) {
        if let Some(dyno) = self.dyno_mut(slot) {
            dyno.leaks_since = agenda.now;
        }
        self.plan_measurement(agenda, slot);
    }

    /// Looks how much memory the instance uses, says so when it is too much or metrics are on,
    /// kills it when it is far too much. Fir says nothing, and kills at the quota.
    pub(crate) fn measure(&mut self, agenda: &mut Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let name = dyno.name.clone();
        let minutes = since(dyno.leaks_since, agenda.now).as_secs_f64() / 60.0;
        let used = AT_START + self.leak_of(dyno) * minutes;
        let share = used / QUOTA * 100.0;
        let limit = if self.fir { 100.0 } else { 200.0 };
        if dyno.state != "up" {
            return self.plan_measurement(agenda, slot);
        }
        if self.runtime_metrics && !self.fir {
            self.log_metrics(agenda, slot, used);
        }
        if share <= 100.0 {
            return self.plan_measurement(agenda, slot);
        }
        if !self.fir {
            let text = format!("Process running mem={used:.0}M({share:.1}%)");
            self.log(agenda.now, "heroku", &name, text);
        }
        if share < limit {
            self.log(agenda.now, "heroku", &name, "Error R14 (Memory quota exceeded)");
            return self.plan_measurement(agenda, slot);
        }
        if !self.fir {
            self.log(agenda.now, "heroku", &name, "Error R15 (Memory quota vastly exceeded)");
        }
        self.log(agenda.now, "heroku", &name, "Stopping process with SIGKILL");
        self.log(agenda.now, "heroku", &name, "Process exited with status 137");
        self.replace(agenda, slot, Cause::Killed);
    }

    pub(crate) fn plan_measurement(&mut self, agenda: &mut Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        if self.runtime_metrics || self.leak_of(dyno) > 0.0 {
            let instance = dyno.id.clone();
            let due = self.due(What::Measure { slot, instance });
            agenda.after(MEASURE_EVERY, due);
        }
    }
}
