//! What the platform logs of load and memory with `log-runtime-metrics`.
//!
//! How much memory a dyno uses, and when the platform looks, is in `memory`.

use crate::agenda::Agenda;
use crate::app_state::AppState;
use crate::dyno::Dyno;
use crate::memory::QUOTA;

/// Megabytes of the page cache, as in the sample of the documentation.
const CACHE: f64 = 4.55;

/// Pages of 4 kB in a megabyte.
const PAGES: f64 = 256.0;

impl AppState {
    /// From now on there are metrics whenever the platform looks at a dyno.
    pub(crate) fn switch_on_metrics(&mut self, agenda: &mut Agenda) {
        if self.runtime_metrics {
            return;
        }
        // It looks at those that leak already.
        let unmeasured = |dyno: &&Dyno| self.leak_of(dyno) <= 0.0;
        let slots: Vec<u64> = self.dynos.iter().filter(unmeasured).map(|dyno| dyno.slot).collect();
        self.runtime_metrics = true;
        for slot in slots {
            self.plan_measurement(agenda, slot);
        }
    }

    /// Two lines on a dyno that uses this many megabytes. What is over the quota has been swapped out.
    pub(crate) fn log_metrics(&mut self, agenda: &Agenda, slot: u64, used: f64) {
        let Some(dyno) = self.dyno(slot) else { return };
        let name = dyno.name.clone();
        let whose = format!("source={name} dyno=heroku.{}.{}", self.number, dyno.id);
        let swap = (used - QUOTA).max(0.0);
        let rss = used - swap - CACHE;
        let load = "sample#load_avg_1m=0.46 sample#load_avg_5m=0.36 sample#load_avg_15m=0.29";
        let memory = format!(
            "sample#memory_total={used:.2}MB sample#memory_rss={rss:.2}MB sample#memory_cache={CACHE:.2}MB \
             sample#memory_swap={swap:.2}MB sample#memory_pgpgin={:.0}pages sample#memory_pgpgout={:.0}pages \
             sample#memory_quota={QUOTA:.2}MB",
            used * PAGES,
            swap * PAGES,
        );
        self.log(agenda.now, "heroku", &name, format!("{whose} {load}"));
        self.log(agenda.now, "heroku", &name, format!("{whose} {memory}"));
    }
}
