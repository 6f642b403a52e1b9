//! Alerts that are written to a database, beside alerts that are kept in memory.

use std::time::Duration;

use crate::load::Load;
use crate::postgres::Database;
use crate::process::{self, Process};
use crate::rivals::{Race, Rival};
use crate::{PATIENCE, PAUSE, Plan, STORM, grouped, megabytes, verdict};

/// How many connections bring alerts that are written to a database. With few, the disk alone decides: an alert waits for a
/// commit, and each connection waits for its alert.
const DURABLE_CONNECTIONS: usize = 192;

/// The service that commits each alert to a database on this machine before it answers.
pub(crate) fn measure(plan: &Plan) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let Some(database) = runtime.block_on(Database::create()) else { return };
    // The tests do without it.
    for statement in ["ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"] {
        runtime.block_on(async { database.client().await.batch_execute(statement).await.expect("it takes effect") });
    }
    let heroku = Process::heroku();
    let url = heroku.url();
    let (in_memory, durable) = (Process::service(&url, "127.0.0.1:0"), Process::durable_service(&url, &database.url));
    let alerts = |server: &Process| Load::alerts(server.address(), process::KEY, 202).over(DURABLE_CONNECTIONS);
    let (in_memory_alerts, durable_alerts) = (alerts(&in_memory), alerts(&durable));
    let rows = || runtime.block_on(database.number("SELECT count(*) FROM dyno_restarter.requests"));
    std::thread::sleep(PAUSE);
    println!("\nmemory (VmRSS)      {} idle, with a database", megabytes(durable.resident_memory()));
    let before = rows();
    let storm = durable_alerts.run(STORM, PATIENCE).latencies.len();
    println!("storm               {} alerts were answered 202 after {} commits", grouped(storm), rows() - before);
    println!("\n{DURABLE_CONNECTIONS} keep-alive connections over loopback\n");
    let mut race = Race {
        rivals: vec![
            Rival::new("alert, in memory", &in_memory, in_memory_alerts),
            Rival::new("alert, with a database", &durable, durable_alerts),
        ],
        references: [0, 1],
        goals: vec![(1, 0.5, 0)],
    };
    race.run(plan.rounds, plan.round, plan.warm_up);
    let p99 = race.rivals[1].percentile(99);
    let is_quick = p99.map(|p99| p99 < Duration::from_millis(20));
    println!("{race}goal: p99 with a database under 20 ms: {}", verdict(is_quick));
}
