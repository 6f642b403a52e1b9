//! The metrics, as Prometheus reads them (`GET /metrics`), made from the status when they are asked for.
//! `docs/operations.md` describes each.
//!
//! - `families`: metrics with their values, and how they are written;
//! - `process`: what any process tells of itself.

mod families;
mod process;

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::recent::AlertCounts;
use super::status::{AppOverview, StatusSource};
use crate::drain::DrainStatus;
use crate::heroku::Client;
use crate::restart::{AppName, AppStatus, DatabaseStatus, Totals, TurnStatus};
use crate::telemetry;
use families::{Labels, Snapshot, Value, count, float};

/// How many dynos of an app have metrics of their own.
const MOST_DYNOS: usize = 100;

/// What may come of requests for which no app is known, and of those for an app.
const RESULTS: [&str; 2] = ["refused", "not acted on"];
const APP_RESULTS: [&str; 4] = ["triggered", "repeated", "ignored", "dry run"];

/// What there is to tell of an app.
struct App<'a> {
    name: &'a AppName,
    status: AppStatus,
    totals: Totals,
    drain: DrainStatus,
    /// How many lines of its log came to this process.
    lines: u64,
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
    let restarter = &source.restarter;
    let app = |name| {
        let AppOverview { status, drain, .. } = source.app(name);
        App { name, status, drain, totals: restarter.totals(name), lines: source.drains.lines_here(name) }
    };
    let apps: Vec<App<'_>> = restarter.watched().apps().iter().map(app).collect();
    let mut all = Snapshot::new(restarter.replica());
    let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    all.add("dyno_restarter_build", "The version of the service", [(version, Value::Info)]);
    add_alerts(&mut all, &apps, source.recent.counts());
    add_totals(&mut all, &apps);
    add_states(&mut all, &apps);
    add_database(&mut all, &apps, restarter.database().as_ref());
    add_calls(&mut all, restarter.client());
    add_drains(&mut all, &apps);
    add_notifications(&mut all, source);
    let lost = Value::Counter(telemetry::lost_lines());
    all.add(
        "dyno_restarter_log_lines_lost",
        "Log lines that were lost because standard output was not read in time",
        [(Vec::new(), lost)],
    );
    process::add(&mut all, source.started_at);
    all
}

fn add_alerts(all: &mut Snapshot, apps: &[App<'_>], counts: AlertCounts) {
    let of_apps = apps.iter().flat_map(|app| APP_RESULTS.map(|result| ((Some(app.name.clone()), result), 0)));
    // Each is counted from 0, so that the first one is an increase.
    let mut alerts: AlertCounts = RESULTS.map(|result| ((None, result), 0)).into_iter().chain(of_apps).collect();
    alerts.extend(counts);
    let alerts = alerts.into_iter().map(|((app, result), count)| {
        let app = app.map(|app| app.to_string()).unwrap_or_default();
        (vec![("app", app), ("result", result.replace(' ', "_"))], Value::Counter(count))
    });
    all.add("dyno_restarter_alerts", "Requests to restart dynos, by what became of them", alerts);
}

/// What passes did since the start.
fn add_totals(all: &mut Snapshot, apps: &[App<'_>]) {
    let restarts = apps.iter().flat_map(|app| {
        app.totals.restarts.iter().map(|((process_type, result), count)| {
            let labels = [app.label(), ("type", process_type.to_string()), ("result", (*result).to_owned())];
            (labels.into(), Value::Counter(*count))
        })
    });
    all.add("dyno_restarter_restarts", "Restarts of dynos, by process type and by what came of them", restarts);
    let skipped = apps.iter().flat_map(|app| {
        let value = |(reason, count): (&&str, &u64)| {
            (vec![app.label(), ("reason", (*reason).to_owned())], Value::Counter(*count))
        };
        app.totals.skipped.iter().map(value)
    });
    let help = "Dynos that an alert asked for and that were left alone, by the reason";
    all.add("dyno_restarter_skipped", help, skipped);
    let passes = apps.iter().map(|app| (vec![app.label()], Value::Histogram(app.totals.passes.clone())));
    all.add("dyno_restarter_pass_duration_seconds", "How long passes took", passes);
    let boots = apps.iter().map(|app| (vec![app.label()], Value::Histogram(app.totals.boots.clone())));
    all.add("dyno_restarter_boot_seconds", "How long restarted dynos took until they were seen up", boots);
}

/// How the apps are now.
fn add_states(all: &mut Snapshot, apps: &[App<'_>]) {
    let mut gauge = |name, help, value: fn(&AppStatus) -> f64| {
        all.add(name, help, apps.iter().map(|app| (vec![app.label()], Value::Gauge(value(&app.status)))));
    };
    gauge(
        "dyno_restarter_restart_due",
        "Dynos that are in trouble and are not restarted: on hold, given up on, or Heroku cannot be used while alerts wait",
        restarts_due,
    );
    gauge("dyno_restarter_held", "Dynos that put automatic restarts of the app on hold", |app| count(app.holds.len()));
    gauge("dyno_restarter_gave_up", "Dynos that are left alone because restarts do not help", |app| {
        count(app.given_up.len())
    });
    gauge("dyno_restarter_ready", "Whether the last call to Heroku about the app succeeded", |app| {
        f64::from(u8::from(app.trouble.is_none()))
    });
}

/// The database, if there is one.
fn add_database(all: &mut Snapshot, apps: &[App<'_>], database: Option<&DatabaseStatus>) {
    let Some(&DatabaseStatus { answers, unwritten_alerts, unwritten_passes, .. }) = database else { return };
    let answers = Value::OwnGauge(f64::from(u8::from(answers)));
    all.add("dyno_restarter_database_up", "Whether the database answers", [(Vec::new(), answers)]);
    let unwritten = [("alerts", float(unwritten_alerts)), ("passes", count(unwritten_passes))];
    all.add(
        "dyno_restarter_database_unwritten",
        "Alerts, and reports on passes, that are kept in memory only and are not written to the database yet",
        unwritten.map(|(kind, count)| (vec![("kind", kind.to_owned())], Value::OwnGauge(count))),
    );
    let held = apps.iter().map(|app| {
        let is_ours = app.status.turn == Some(TurnStatus::Ours);
        (vec![app.label()], Value::OwnGauge(f64::from(u8::from(is_ours))))
    });
    all.add("dyno_restarter_turn_held", "Whether this restarter makes the passes over the app", held);
}

/// The dynos that need a restart and get none.
fn restarts_due(app: &AppStatus) -> f64 {
    let is_waiting = app.pass.is_some() || app.waiting.is_some();
    let is_blocked = app.trouble.is_some() && is_waiting;
    count(app.holds.len() + app.given_up.len() + usize::from(is_blocked))
}

/// The calls to Heroku.
fn add_calls(all: &mut Snapshot, client: &Client) {
    let calls = client.calls().into_iter().map(|(status, count)| {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        (vec![("status", status)], Value::Counter(count))
    });
    all.add("dyno_restarter_api_requests", "Calls of the Platform API, by the status of the response", calls);
    let left = client.remaining().map(|left| (Vec::new(), Value::Gauge(f64::from(left))));
    all.add("dyno_restarter_api_allowance_remaining", "Calls that the account has left, of 4500", left);
}

/// What the log drains tell.
fn add_drains(all: &mut Snapshot, apps: &[App<'_>]) {
    let heard = apps.iter().filter_map(|app| Some((vec![app.label()], Value::Gauge(seconds(app.drain.heard_at?)))));
    let help = "When the log drain of the app was heard last, in seconds since 1970";
    all.add("dyno_restarter_drain_last_seen_timestamp_seconds", help, heard);
    let lines = apps.iter().map(|app| (vec![app.label()], Value::Counter(app.lines)));
    let help = "Lines of the app's log that its drains delivered, whoever wrote them";
    all.add("dyno_restarter_drain_lines", help, lines);
    let measured = || {
        apps.iter().flat_map(|app| {
            let labels = |dyno: &dyn ToString| -> Labels { vec![app.label(), ("dyno", dyno.to_string())] };
            app.drain.memory.iter().take(MOST_DYNOS).map(move |(dyno, memory)| (labels(dyno), memory))
        })
    };
    let memory = measured().map(|(labels, memory)| (labels, Value::Gauge(float(memory.total))));
    all.add("dyno_restarter_memory_bytes", "The memory of a dyno, as its log says it", memory);
    let quota = measured().filter_map(|(labels, memory)| Some((labels, Value::Gauge(float(memory.quota?)))));
    all.add("dyno_restarter_memory_quota_bytes", "The memory quota of a dyno, as its log says it", quota);
}

/// The messages to a chat, if there is one.
fn add_notifications(all: &mut Snapshot, source: &StatusSource) {
    let Some(counts) = &source.notifications else { return };
    let (sent, failed) = counts.read();
    all.add("dyno_restarter_notifications", "Messages that NOTIFY_URL took", [(Vec::new(), Value::Counter(sent))]);
    let failed = failed.into_iter().map(|(reason, count)| (vec![("reason", reason.to_owned())], Value::Counter(count)));
    let help = "Attempts to send a message to NOTIFY_URL that failed, and messages that were dropped, by the reason";
    all.add("dyno_restarter_notifications_failed", help, failed);
}

impl App<'_> {
    fn label(&self) -> (&'static str, String) {
        ("app", self.name.to_string())
    }
}

fn seconds(time: Timestamp) -> f64 {
    Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default().as_secs_f64()
}
