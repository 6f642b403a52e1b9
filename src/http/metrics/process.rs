//! What any process reports about itself, by the names that Prometheus gives these metrics.

use jiff::Timestamp;

use super::families::{Labels, Snapshot, count, float};
use super::seconds;

/// Adds the metrics of this process.
pub(super) fn add(all: &mut Snapshot, started_at: Timestamp) {
    let started = seconds(started_at);
    let help = "When the process started, in seconds since 1970";
    all.add_own_gauge("process_start_time_seconds", help, [(Labels::new(), started)]);
    let resident = resident_memory().map(|resident| (Labels::new(), float(resident)));
    all.add_own_gauge("process_resident_memory_bytes", "The memory of the process", resident);
    let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| (Labels::new(), count(files.count())));
    all.add_own_gauge("process_open_fds", "The open files of the process", files);
    all.add_own_seconds("process_cpu_seconds", "The CPU time of the process, user and system", cpu_time());
}

/// In bytes, where there is a `/proc`.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// In seconds, where there is a `/proc`. The fields of its `stat` are described in proc(5): 14 and 15 are times, in ticks.
fn cpu_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the name of the program in parentheses, which may contain spaces.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: Option<u64> = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(float(ticks?) / float(rustix::param::clock_ticks_per_second()))
}
