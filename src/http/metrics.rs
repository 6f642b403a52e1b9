//! The metrics, as Prometheus reads them (`GET /metrics`), made from the status when they are asked for.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::status::StatusSource;
use crate::restart::{AppName, AppStatus, BUCKETS, Histogram};

/// How many dynos of an app have metrics of their own.
const MOST_DYNOS: usize = 100;

type Labels = Vec<(&'static str, String)>;

/// All metrics at one moment.
#[derive(Debug, Default)]
struct Snapshot(Vec<Family>);

/// A metric, with a value for each set of labels.
#[derive(Debug)]
struct Family {
    name: &'static str,
    help: &'static str,
    values: Vec<(Labels, Value)>,
}

#[derive(Debug)]
enum Value {
    Counter(u64),
    Gauge(f64),
    Histogram(Histogram),
}

/// The metrics in the text format of `OpenMetrics`.
pub(super) fn text(source: &StatusSource) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot(source)));
    let mut text = String::new();
    // Writing into a string cannot fail.
    encode(&mut text, &registry).ok();
    text
}

fn snapshot(source: &StatusSource) -> Snapshot {
    let (restarter, drains) = (&source.restarter, &source.drains);
    let apps: Vec<_> =
        restarter.watched().apps().iter().map(|app| (app, restarter.status(app), drains.status(app))).collect();
    let totals: Vec<_> = apps.iter().map(|(app, ..)| (*app, restarter.totals(app))).collect();
    let (calls, allowance) = (restarter.client().calls(), restarter.client().remaining());
    let each = |value: fn(&AppStatus) -> f64| -> Vec<(Labels, Value)> {
        apps.iter().map(|(app, status, _)| (of(app), Value::Gauge(value(status)))).collect()
    };
    let mut all = Snapshot::default();
    all.add(
        "dyno_restarter_build",
        "The version of the service",
        vec![(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], Value::Gauge(1.0))],
    );
    let alerts = source.recent.counts().into_iter().map(|((app, result), count)| {
        let app = app.map(|app| app.to_string()).unwrap_or_default();
        (vec![("app", app), ("result", result.replace(' ', "_"))], Value::Counter(count))
    });
    all.add("dyno_restarter_alerts", "Requests to restart dynos, by what became of them", alerts.collect());
    let restarts = totals.iter().flat_map(|(app, totals)| {
        totals.restarts.iter().map(|(result, count)| (with(app, "result", result), Value::Counter(*count)))
    });
    all.add("dyno_restarter_restarts", "Restarts of dynos, by what came of them", restarts.collect());
    let skipped = totals.iter().flat_map(|(app, totals)| {
        totals.skipped.iter().map(|(reason, count)| (with(app, "reason", reason), Value::Counter(*count)))
    });
    all.add(
        "dyno_restarter_skipped",
        "Dynos that an alert asked for and that were left alone, by the reason",
        skipped.collect(),
    );
    all.add(
        "dyno_restarter_pass_duration_seconds",
        "How long passes took",
        totals.iter().map(|(app, totals)| (of(app), Value::Histogram(totals.passes.clone()))).collect(),
    );
    all.add(
        "dyno_restarter_boot_seconds",
        "How long restarted dynos took until they were seen up",
        totals.iter().map(|(app, totals)| (of(app), Value::Histogram(totals.boots.clone()))).collect(),
    );
    all.add(
        "dyno_restarter_restart_due",
        "Dynos that are in trouble and are not restarted: on hold, given up on, or Heroku cannot be used while alerts \
         wait",
        each(restarts_due),
    );
    all.add(
        "dyno_restarter_held",
        "Dynos that put automatic restarts of the app on hold",
        each(|status| count(status.holds.len())),
    );
    all.add(
        "dyno_restarter_gave_up",
        "Dynos that are left alone because restarts do not help",
        each(|status| count(status.given_up.len())),
    );
    all.add(
        "dyno_restarter_ready",
        "Whether the last call to Heroku about the app succeeded",
        each(|status| f64::from(u8::from(status.trouble.is_none()))),
    );
    let calls = calls.into_iter().map(|(status, count)| {
        (vec![("status", status.map_or_else(|| "none".to_owned(), |status| status.to_string()))], Value::Counter(count))
    });
    all.add("dyno_restarter_api_requests", "Calls of the Platform API, by the status of the response", calls.collect());
    let allowance = allowance.map(|left| (Vec::new(), Value::Gauge(f64::from(left))));
    all.add(
        "dyno_restarter_api_allowance_remaining",
        "Calls that the account has left, of 4500",
        allowance.into_iter().collect(),
    );
    let heard = apps.iter().filter_map(|(app, _, drain)| Some((of(app), Value::Gauge(seconds(drain.heard_at?)))));
    all.add(
        "dyno_restarter_drain_last_seen_timestamp_seconds",
        "When the log drain of the app was heard last, in seconds since 1970",
        heard.collect(),
    );
    let measured = || {
        apps.iter().flat_map(|(app, _, drain)| {
            drain.memory.iter().take(MOST_DYNOS).map(|(dyno, memory)| (with(app, "dyno", dyno.as_str()), memory))
        })
    };
    let memory = measured().map(|(labels, memory)| (labels, Value::Gauge(bytes(memory.total))));
    all.add("dyno_restarter_memory_bytes", "The memory of a dyno, as its log says it", memory.collect());
    let quota = measured().filter_map(|(labels, memory)| Some((labels, Value::Gauge(bytes(memory.quota?)))));
    all.add("dyno_restarter_memory_quota_bytes", "The memory quota of a dyno, as its log says it", quota.collect());
    process(&mut all, source);
    all
}

/// What any process tells of itself.
fn process(all: &mut Snapshot, source: &StatusSource) {
    let started = seconds(source.started_at);
    all.add(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970",
        vec![(Vec::new(), Value::Gauge(started))],
    );
    let resident = resident_memory().map(|resident| (Vec::new(), Value::Gauge(bytes(resident))));
    all.add("process_resident_memory_bytes", "The memory of the process", resident.into_iter().collect());
    let files = std::fs::read_dir("/proc/self/fd").ok().map(|files| (Vec::new(), Value::Gauge(count(files.count()))));
    all.add("process_open_fds", "The open files of the process", files.into_iter().collect());
    let uptime =
        Duration::try_from(source.restarter.clock().now().duration_since(source.started_at)).unwrap_or_default();
    all.add(
        "dyno_restarter_uptime_seconds",
        "How long the service runs",
        vec![(Vec::new(), Value::Gauge(uptime.as_secs_f64()))],
    );
}

/// The dynos that need a restart and get none.
fn restarts_due(status: &AppStatus) -> f64 {
    let is_waiting = status.pass.is_some() || status.waiting.is_some();
    let is_blocked = status.trouble.is_some() && is_waiting;
    count(status.holds.len() + status.given_up.len() + usize::from(is_blocked))
}

fn count(items: usize) -> f64 {
    u32::try_from(items).map_or(f64::NAN, f64::from)
}

fn of(app: &AppName) -> Labels {
    vec![("app", app.to_string())]
}

fn with(app: &AppName, name: &'static str, value: &str) -> Labels {
    vec![("app", app.to_string()), (name, value.to_owned())]
}

fn seconds(time: Timestamp) -> f64 {
    Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default().as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "the value of a gauge is such a number, and no byte matters")]
fn bytes(bytes: u64) -> f64 {
    bytes as f64
}

/// In bytes, where there is a `/proc`.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

impl Snapshot {
    fn add(&mut self, name: &'static str, help: &'static str, values: Vec<(Labels, Value)>) {
        self.0.push(Family { name, help, values });
    }
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        for Family { name, help, values } in &self.0 {
            let Some((_, first)) = values.first() else { continue };
            let kind = match first {
                Value::Counter(_) => MetricType::Counter,
                Value::Gauge(_) => MetricType::Gauge,
                Value::Histogram(_) => MetricType::Histogram,
            };
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (labels, value) in values {
                let mut metric = family.encode_family(labels)?;
                match value {
                    Value::Counter(count) => metric.encode_counter::<NoLabelSet, _, u64>(count, None)?,
                    Value::Gauge(value) => metric.encode_gauge(value)?,
                    Value::Histogram(histogram) => {
                        let bounds = BUCKETS.into_iter().chain([f64::INFINITY]);
                        let buckets: Vec<_> = bounds.zip(histogram.counts).collect();
                        let count = histogram.counts.iter().sum();
                        metric.encode_histogram::<NoLabelSet>(histogram.sum.as_secs_f64(), count, &buckets, None)?;
                    }
                }
            }
        }
        Ok(())
    }
}
