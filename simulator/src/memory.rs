//! The memory of dynos: with a leak it grows until the platform complains, and then kills.

use std::time::Duration;

use jiff::Timestamp;

use crate::agenda::{Agenda, What};
use crate::app_state::AppState;
use crate::clock::since;
use crate::dyno::Dyno;
use crate::lifecycle::Cause;
use crate::logs::Line;

/// Megabytes of a Standard-1X dyno, and what a process uses when it starts.
pub(crate) const QUOTA: f64 = 512.0;
const AT_START: f64 = 256.0;

/// The platform looks about this often ("about once every 20 seconds").
const MEASURE_EVERY: Duration = Duration::from_secs(20);

/// What comes late was written this long before its instance was replaced: before the `created_at`
/// of the new one even where that is cut to whole seconds.
const WRITTEN_BEFORE: Duration = Duration::from_secs(1);

const R14: &str = "Error R14 (Memory quota exceeded)";

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
        let used = self.memory_of(dyno, agenda.now);
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
            self.log(agenda.now, "heroku", &name, running(used));
        }
        if share < limit {
            self.log(agenda.now, "heroku", &name, R14);
            return self.plan_measurement(agenda, slot);
        }
        if !self.fir {
            self.log(agenda.now, "heroku", &name, "Error R15 (Memory quota vastly exceeded)");
        }
        self.log(agenda.now, "heroku", &name, "Stopping process with SIGKILL");
        self.log(agenda.now, "heroku", &name, "Process exited with status 137");
        self.replace(agenda, slot, Cause::Killed);
    }

    /// The instance is about to be replaced: if the app is to be like that, a last pair on it
    /// arrives when it is gone.
    pub(crate) fn plan_late_r14(&self, agenda: &mut Agenda, slot: u64) {
        let (Some(dyno), Some(lag)) = (self.dyno(slot), self.r14_lag) else { return };
        let written = agenda.now - WRITTEN_BEFORE;
        let used = self.memory_of(dyno, written);
        if self.fir || dyno.state != "up" || used <= QUOTA {
            return;
        }
        for (text, micros) in [(running(used), 0), (R14.to_owned(), 1)] {
            let at = written + Duration::from_micros(micros);
            let line = Line { at, source: "heroku", process: dyno.name.clone(), text };
            agenda.after(lag, self.due(What::Arrive { line }));
        }
    }

    /// The megabytes that it uses.
    pub(crate) fn memory_of(&self, dyno: &Dyno, now: Timestamp) -> f64 {
        let minutes = since(dyno.leaks_since, now).as_secs_f64() / 60.0;
        AT_START + self.leak_of(dyno) * minutes
    }

    /// The next look at this instance, if there is a reason to look.
    pub(crate) fn plan_measurement(&mut self, agenda: &mut Agenda, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        if self.runtime_metrics || self.leak_of(dyno) > 0.0 {
            let instance = dyno.id.clone();
            let due = self.due(What::Measure { slot, instance });
            agenda.after(MEASURE_EVERY, due);
        }
    }
}

fn running(used: f64) -> String {
    format!("Process running mem={used:.0}M({:.1}%)", used / QUOTA * 100.0)
}
