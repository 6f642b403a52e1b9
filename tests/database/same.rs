//! Every replica shows the same at once, not only after a while: here, nobody renews a turn or looks at the database by itself.

use std::time::Duration;

use dyno_restarter::store::Timing;
use reqwest::Method;
use simulator::Heroku;

use crate::alerts::until;
use crate::drains::report;
use crate::postgres::Database;
use crate::replicas::{HELD, get, status, until_shown};
use crate::service::{QUICK, Service, environment, seconds, shop};
use crate::until_true;

/// Whatever is not exchanged for a reason of its own is exchanged after minutes, when the test has failed.
const SELDOM: Timing = Timing { lease: Duration::from_secs(3_000), poll: Duration::from_secs(1_000), ..QUICK };

/// The first dyno of the restarter, which makes the passes, and the second one.
async fn two_dynos(heroku: &Heroku, database: &Database) -> (Service, Service) {
    let start = async |dyno: &str, replicas| {
        let environment = environment(heroku, &[("DATABASE_URL", &database.url), ("DYNO", dyno)]);
        let service = Service::with_timing(&environment, SELDOM);
        until(database, "SELECT count(*) FROM dyno_restarter.replicas", replicas).await;
        service
    };
    let first = start("web.1", 1).await;
    until(database, HELD, 1).await;
    (first, start("web.2", 2).await)
}

#[tokio::test]
async fn an_alert_and_a_refused_request_at_one_replica_are_shown_by_the_other_one() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let (first, second) = two_dynos(&heroku, &database).await;
    first.request(Method::POST, "key=wrong").send().await.expect("answered");
    first.alert().await;
    until_shown(&second, "/status", "the key in its URL is not one of RESTART_WEBHOOK_KEY").await;
    until_shown(&second, "/", "web.1: restarted, up again after").await;
    until_shown(&second, "/metrics", r#"dyno_restarter_alerts_total{app="",result="refused"} 1"#).await;
    until_shown(&second, "/metrics", r#"dyno_restarter_restarts_total{app="shop",type="web",result="up"} 1"#).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn a_pass_is_shown_by_the_other_replica_while_it_is_under_way() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(20));
    let (first, second) = two_dynos(&heroku, &database).await;
    first.alert().await;
    until_shown(&second, "/", "web.1 has been booting since").await;
    let held = r#"dyno_restarter_turn_held{app="shop",replica="web.1"} 1.0"#;
    assert!(get(&first, "/metrics").await.contains(held) && get(&second, "/metrics").await.contains(held));
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn what_a_log_drain_told_one_replica_is_shown_by_the_other_one() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let (first, second) = two_dynos(&heroku, &database).await;
    for (service, id) in [(&first, "1"), (&second, "2")] {
        report(service, id, seconds(1)).await;
    }
    for (service, other) in [(&first, &second), (&second, &first)] {
        until_shown(service, "/", "0 failures, 2 reports").await;
        let drain = async |of: &Service| status(of).await["apps"][0]["drain"].clone();
        until_true("the same", async || drain(service).await["heard_at"] == drain(other).await["heard_at"]).await;
        assert_eq!(
            (&drain(service).await["lines"], &drain(service).await["reports"][0]["count"]),
            (&2.into(), &2.into())
        );
        until_shown(service, "/metrics", r#"dyno_restarter_drain_lines_total{app="shop"} 2"#).await;
    }
    first.stop().await;
    second.stop().await;
}
