//! The service with a database: the real router, the real client and a real PostgreSQL, in front of the simulated Heroku, in
//! real time. Each test states a fact. Where PostgreSQL is not installed, the tests say so and are left out.

#[expect(dead_code, reason = "the harness of the other tests offers more")]
#[path = "../it/service.rs"]
mod service;

/// A database, or the end of the test on a machine without PostgreSQL.
macro_rules! database {
    () => {
        match crate::postgres::Database::create().await {
            Some(database) => database,
            None => return,
        }
    };
}

mod alerts;
mod alone;
mod check;
mod counters;
mod drains;
mod faults;
mod killed;
mod old_rows;
mod picture;
mod pooler;
mod postgres;
mod process;
mod proxy;
mod replicas;
mod same;
mod schedules;
mod secrets;
mod turns;
mod writes;

use dyno_restarter::store::Timing;
use simulator::Heroku;

use postgres::Database;
use service::{QUICK, Service, seconds};

/// A service with this database.
pub(crate) async fn service_with(heroku: &Heroku, url: &str) -> Service {
    in_time("the start", Service::with(heroku, &[("DATABASE_URL", url)])).await
}

/// The same, before it is connected. Answers wait for the database for a second, however busy the machine is.
pub(crate) fn unconnected_service(heroku: &Heroku, url: &str) -> Service {
    service_at_pace(heroku, url, Timing { answer: seconds(1), ..QUICK })
}

/// A service that is not connected yet, with other intervals.
pub(crate) fn service_at_pace(heroku: &Heroku, url: &str, timing: Timing) -> Service {
    Service::with_timing(&service::environment(heroku, &[("DATABASE_URL", url)]), timing)
}

/// The same, once it is connected.
pub(crate) async fn replica(heroku: &Heroku, database: &Database) -> Service {
    const OTHERS: &str = "SELECT count(*) FROM dyno_restarter.replicas";
    let others = database.try_number(OTHERS).await.unwrap_or_default();
    let service = service_with(heroku, &database.url).await;
    alerts::until(database, OTHERS, others + 1).await;
    service
}

/// Waits until this is true.
pub(crate) async fn until_true(what: &str, is_true: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_true().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    in_time(what, waiting).await;
}

/// Waits for what must happen soon. A machine that is busy may take long.
pub(crate) async fn in_time<T>(what: &str, happens: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(60);
    tokio::time::timeout(limit, happens).await.unwrap_or_else(|_| panic!("not within a minute: {what}"))
}
