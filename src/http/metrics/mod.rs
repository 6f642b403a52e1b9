//! The metrics, as Prometheus reads them (`GET /metrics`), made from the status when they are asked for.
//! `docs/operations.md` describes each.
//!
//! - `counters`: the counters; `series`: how the database keeps them, so that they are the same on every replica;
//! - `families`: metrics with their values, and how they are written;
//! - `process`: what any process reports about itself.

mod counters;
mod families;
mod process;
mod series;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::status::{AppOverview, StatusSource};
use crate::drain::DrainStatus;
use crate::restart::{AppName, AppStatus, DatabaseStatus, TurnStatus, dyno_of};
use crate::store::Counters;
pub(super) use counters::CounterSource;
use counters::of_app;
use families::{Counted, Labels, Snapshot, count, float, labels};
use series::AllCounters;

/// How many dynos of an app have metrics of their own.
const MOST_DYNOS: usize = 100;

/// What there is to tell of an app.
struct App<'a> {
    name: &'a AppName,
    status: AppStatus,
    drain: DrainStatus,
}

/// The metrics in the text format of `OpenMetrics`. With a database, `counters` are those of all replicas, if they are known.
pub(super) fn text(source: &StatusSource, counters: Option<Arc<Counters>>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(snapshot(source, counters)));
    let mut text = String::new();
    // Writing into a string cannot fail.
    encode(&mut text, &registry).ok();
    text
}

fn snapshot(source: &StatusSource, counters: Option<Arc<Counters>>) -> Snapshot {
    let restarter = &source.restarter;
    let watched = restarter.watched().apps();
    let app = |name| {
        let AppOverview { status, drain, .. } = source.app(name);
        App { name, status, drain }
    };
    let apps: Vec<App<'_>> = watched.iter().map(app).collect();
    let is_watched = |name: &str| watched.iter().any(|app| app.as_str() == name);
    let counted = match counters {
        _ if !restarter.has_database() => Counted::Here,
        Some(counters) => Counted::Everywhere(AllCounters::read(&counters, is_watched)),
        None => Counted::Unknown,
    };
    let mut all = Snapshot::new(restarter.replica(), counted);
    let version = labels([("version", env!("CARGO_PKG_VERSION").to_owned())]);
    all.add_info("dyno_restarter_build", "The version of the service", version);
    source.counters().add_to(&mut all);
    add_states(&mut all, &apps);
    add_database(&mut all, &apps, restarter.database().as_ref());
    add_allowance(&mut all, &apps, source);
    add_drains(&mut all, &apps);
    process::add(&mut all, source.started_at);
    all
}

/// How the apps are now.
fn add_states(all: &mut Snapshot, apps: &[App<'_>]) {
    let mut gauge = |name, help, value: fn(&AppStatus) -> f64| {
        all.add_gauge(name, help, apps.iter().map(|app| (of_app(app.name), value(&app.status))));
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
    let answers = f64::from(u8::from(answers));
    all.add_own_gauge("dyno_restarter_database_up", "Whether the database answers", [(Labels::new(), answers)]);
    let unwritten = [("alerts", float(unwritten_alerts)), ("passes", count(unwritten_passes))];
    all.add_own_gauge(
        "dyno_restarter_database_unwritten",
        "Alerts, and reports on passes, that are kept in memory only and are not written to the database yet",
        unwritten.map(|(kind, count)| (labels([("kind", kind.to_owned())]), count)),
    );
    let held = apps.iter().map(|app| {
        let holder = app.status.turn_holder.as_deref().filter(|_| {
            !matches!(app.status.turn, Some(TurnStatus::Alone | TurnStatus::DatabaseAway | TurnStatus::Unknown))
        });
        let is_held = f64::from(u8::from(holder.is_some()));
        let replica = holder.map(dyno_of).unwrap_or_default().to_owned();
        (labels([("app", app.name.to_string()), ("replica", replica)]), is_held)
    });
    all.add_gauge("dyno_restarter_turn_held", "Which restarter makes the passes over the app", held);
}

/// The dynos that need a restart and get none.
fn restarts_due(app: &AppStatus) -> f64 {
    let is_waiting = app.pass.is_some() || app.waiting.is_some();
    let is_blocked = app.trouble.is_some() && is_waiting;
    count(app.holds.len() + app.given_up.len() + usize::from(is_blocked))
}

/// The calls to Heroku that are left.
fn add_allowance(all: &mut Snapshot, apps: &[App<'_>], source: &StatusSource) {
    let left = if source.restarter.has_database() {
        // Each replica makes calls of its own. What the lists tell that all replicas show is the same for all.
        let latest = apps.iter().filter(|app| app.status.calls_left.is_some()).max_by_key(|app| app.status.looked_at);
        latest.and_then(|app| app.status.calls_left)
    } else {
        source.restarter.client().remaining()
    };
    let left = left.map(|left| (Labels::new(), f64::from(left)));
    all.add_gauge("dyno_restarter_api_allowance_remaining", "Calls that the account has left, of 4500", left);
}

/// What the log drains tell.
fn add_drains(all: &mut Snapshot, apps: &[App<'_>]) {
    let heard = apps.iter().filter_map(|app| Some((of_app(app.name), seconds(app.drain.heard_at?))));
    let help = "When the log drain of the app was heard last, in seconds since 1970";
    all.add_gauge("dyno_restarter_drain_last_seen_timestamp_seconds", help, heard);
    let measured = || {
        apps.iter().flat_map(|app| {
            let labels = |dyno: &dyn ToString| labels([("app", app.name.to_string()), ("dyno", dyno.to_string())]);
            app.drain.memory.iter().take(MOST_DYNOS).map(move |(dyno, memory)| (labels(dyno), memory))
        })
    };
    let memory = measured().map(|(labels, memory)| (labels, float(memory.total)));
    all.add_gauge("dyno_restarter_memory_bytes", "The memory of a dyno, as its log says it", memory);
    let quota = measured().filter_map(|(labels, memory)| Some((labels, float(memory.quota?))));
    all.add_gauge("dyno_restarter_memory_quota_bytes", "The memory quota of a dyno, as its log says it", quota);
}

fn seconds(time: Timestamp) -> f64 {
    Duration::try_from(time.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default().as_secs_f64()
}
