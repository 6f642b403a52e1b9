//! The log lines about load and memory that `log-runtime-metrics` adds.
//!
//! The module `memory` calculates the memory of a dyno, and schedules the measurements.

use crate::app_state::AppState;
use crate::dyno::Dyno;
use crate::event_queue::EventQueue;
use crate::memory::QUOTA;

/// The size of the page cache in megabytes, as in the example of Heroku's documentation.
const CACHE: f64 = 4.55;

/// The number of pages of 4 kB in a megabyte.
const PAGES_PER_MEGABYTE: f64 = 256.0;

impl AppState {
    /// Makes each measurement of the memory log metrics.
    pub(crate) fn enable_metrics(&mut self, queue: &mut EventQueue) {
        if self.runtime_metrics {
            return;
        }
        // Dynos that leak are measured already.
        let unmeasured = |dyno: &&Dyno| self.leak_rate(dyno) <= 0.0;
        let slots: Vec<u64> = self.dynos.iter().filter(unmeasured).map(|dyno| dyno.slot).collect();
        self.runtime_metrics = true;
        for slot in slots {
            self.schedule_measurement(queue, slot);
        }
    }

    /// Logs the load and the memory of a dyno that uses this many megabytes. The memory over the quota is swap.
    pub(crate) fn log_metrics(&mut self, queue: &EventQueue, slot: u64, used: f64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let name = dyno.name.clone();
        let source = format!("source={name} dyno=heroku.{}.{}", self.metrics_number, dyno.id);
        let swap = (used - QUOTA).max(0.0);
        let rss = used - swap - CACHE;
        let load = "sample#load_avg_1m=0.46 sample#load_avg_5m=0.36 sample#load_avg_15m=0.29";
        let memory = format!(
            "sample#memory_total={used:.2}MB sample#memory_rss={rss:.2}MB sample#memory_cache={CACHE:.2}MB \
             sample#memory_swap={swap:.2}MB sample#memory_pgpgin={:.0}pages sample#memory_pgpgout={:.0}pages \
             sample#memory_quota={QUOTA:.2}MB",
            used * PAGES_PER_MEGABYTE,
            swap * PAGES_PER_MEGABYTE,
        );
        self.log(queue.now, "heroku", &name, format!("{source} {load}"));
        self.log(queue.now, "heroku", &name, format!("{source} {memory}"));
    }
}
