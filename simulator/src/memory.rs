//! The memory of dynos. A leak makes it grow until the platform logs R14, and at last kills the process.

use std::time::Duration;

use jiff::Timestamp;

use crate::app_state::AppState;
use crate::clock::since;
use crate::dyno::Dyno;
use crate::event_queue::{EventKind, EventQueue};
use crate::lifecycle::ReplaceCause;
use crate::logs::Line;

/// The memory quota of a Standard-1X dyno, in megabytes.
pub(crate) const QUOTA: f64 = 512.0;

/// The memory of a process at its start, in megabytes.
const MEMORY_AT_START: f64 = 256.0;

/// How often the platform measures the memory ("about once every 20 seconds").
const MEASURE_INTERVAL: Duration = Duration::from_secs(20);

/// The time between a late R14 and the replacement of its instance. It is a full second, because the R14 must be older
/// than the `created_at` of the new instance, which is in whole seconds.
const LATE_R14_BEFORE_REPLACEMENT: Duration = Duration::from_secs(1);

const R14: &str = "Error R14 (Memory quota exceeded)";

impl AppState {
    /// Makes the processes of this type leak memory. A rate of zero stops the leak.
    pub(crate) fn leak(&mut self, queue: &mut EventQueue, process_type: &str, megabytes_per_minute: f64) {
        self.leaks.insert(process_type.to_owned(), megabytes_per_minute);
        let of_type = |dyno: &&Dyno| dyno.process_type == process_type;
        let slots: Vec<u64> = self.dynos.iter().filter(of_type).map(|dyno| dyno.slot).collect();
        queue.cancel(|event| {
            event.app == self.name
                && matches!(&event.kind, EventKind::MeasureMemory { slot, .. } if slots.contains(slot))
        });
        for slot in slots {
            self.start_leak(queue, slot);
        }
    }

    /// Returns how much memory the dyno leaks, in megabytes a minute.
    pub(crate) fn leak_rate(&self, dyno: &Dyno) -> f64 {
        self.leaks.get(&dyno.process_type).copied().unwrap_or(0.0)
    }

    /// Starts the leak of a new instance, if its type leaks.
    pub(crate) fn start_leak(&mut self, queue: &mut EventQueue, slot: u64) {
        if let Some(dyno) = self.dyno_mut(slot) {
            dyno.leaks_since = queue.now;
        }
        self.schedule_measurement(queue, slot);
    }

    /// Measures the memory of the instance. Logs it if it is over the quota or metrics are enabled, and kills the
    /// process at twice the quota. Fir logs no memory and kills the process at the quota.
    pub(crate) fn measure_memory(&mut self, queue: &mut EventQueue, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let name = dyno.name.clone();
        let used = self.memory_of(dyno, queue.now);
        let percent = used / QUOTA * 100.0;
        let kill_percent = if self.fir { 100.0 } else { 200.0 };
        if dyno.state != "up" {
            return self.schedule_measurement(queue, slot);
        }
        if self.runtime_metrics && !self.fir {
            self.log_metrics(queue, slot, used);
        }
        if percent <= 100.0 {
            return self.schedule_measurement(queue, slot);
        }
        if !self.fir {
            self.log(queue.now, "heroku", &name, memory_text(used));
        }
        if percent < kill_percent {
            self.log(queue.now, "heroku", &name, R14);
            return self.schedule_measurement(queue, slot);
        }
        if !self.fir {
            self.log(queue.now, "heroku", &name, "Error R15 (Memory quota vastly exceeded)");
        }
        self.log(queue.now, "heroku", &name, "Stopping process with SIGKILL");
        self.log(queue.now, "heroku", &name, "Process exited with status 137");
        self.replace(queue, slot, ReplaceCause::Killed);
    }

    /// Schedules the late R14 of an instance that is about to be replaced, if the app has late R14s and the instance is
    /// over its quota.
    pub(crate) fn schedule_late_r14(&self, queue: &mut EventQueue, slot: u64) {
        let (Some(dyno), Some(lag)) = (self.dyno(slot), self.r14_lag) else { return };
        let written = queue.now - LATE_R14_BEFORE_REPLACEMENT;
        let used = self.memory_of(dyno, written);
        if self.fir || dyno.state != "up" || used <= QUOTA {
            return;
        }
        for (text, micros) in [(memory_text(used), 0), (R14.to_owned(), 1)] {
            let at = written + Duration::from_micros(micros);
            let line = Line { at, source: "heroku", process: dyno.name.clone(), text };
            queue.schedule(lag, self.event(EventKind::DeliverLine { line }));
        }
    }

    /// Returns the memory that the dyno uses, in megabytes.
    pub(crate) fn memory_of(&self, dyno: &Dyno, now: Timestamp) -> f64 {
        let minutes = since(dyno.leaks_since, now).as_secs_f64() / 60.0;
        MEMORY_AT_START + self.leak_rate(dyno) * minutes
    }

    /// Schedules the next measurement of this instance, if it leaks or metrics are enabled.
    pub(crate) fn schedule_measurement(&mut self, queue: &mut EventQueue, slot: u64) {
        let Some(dyno) = self.dyno(slot) else { return };
        if self.runtime_metrics || self.leak_rate(dyno) > 0.0 {
            let instance = dyno.id.clone();
            let event = self.event(EventKind::MeasureMemory { slot, instance });
            queue.schedule(MEASURE_INTERVAL, event);
        }
    }
}

fn memory_text(used: f64) -> String {
    format!("Process running mem={used:.0}M({:.1}%)", used / QUOTA * 100.0)
}
