//! Counters count what all replicas did, are the same on each, and never go back.

use reqwest::Method;

use crate::alerts::until;
use crate::postgres::Database;
use crate::process::Process;
use crate::proxy::{Proxy, Wire};
use crate::replicas::{PASSES, get, metric_of, until_shown};
use crate::service::{Service, environment, seconds, shop};
use crate::{in_time, replica, service_with, unconnected_service, until_true};

const TRIGGERED: &str = r#"dyno_restarter_alerts_total{app="shop",result="triggered"}"#;

/// As the database keeps it.
const TRIGGERED_SERIES: &str = r#"["dyno_restarter_alerts",[["app","shop"],["result","triggered"]],""]"#;

/// How many alerts triggered something, as the metrics at this address tell it; `None` if they do not.
async fn triggered(address: &str) -> Option<u64> {
    let metrics = metric_of(address, TRIGGERED).await?;
    Some(metrics.parse().expect("a number"))
}

/// All metrics that are not of one replica.
async fn common(service: &Service) -> Vec<String> {
    let metrics = get(service, "/metrics").await;
    metrics.lines().filter(|line| !line.contains(r#"replica="restarter""#)).map(str::to_owned).collect()
}

#[tokio::test]
async fn after_alerts_to_both_replicas_both_show_the_same_metrics() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let (one, other) = (replica(&heroku, &database).await, replica(&heroku, &database).await);
    one.alert().await;
    until(&database, PASSES, 1).await;
    other.alert().await;
    other.request(Method::POST, "key=wrong").send().await.expect("answered");
    until(&database, PASSES, 2).await;
    until_true("the alerts of both", async || triggered(&one.address).await == Some(2)).await;
    until_true("the same metrics", async || common(&one).await == common(&other).await).await;
    let metrics = common(&other).await;
    for line in [
        format!("{TRIGGERED} 2"),
        r#"dyno_restarter_alerts_total{app="",result="refused"} 1"#.to_owned(),
        r#"dyno_restarter_pass_duration_seconds_count{app="shop"} 2"#.to_owned(),
        r#"dyno_restarter_boot_seconds_bucket{le="+Inf",app="shop"} 1"#.to_owned(),
        "dyno_restarter_log_lines_lost_total 0".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} is not in:\n{}", metrics.join("\n"));
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn counters_do_not_go_back_when_a_replica_is_killed_and_another_one_starts() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let environment = environment(&heroku, &[("DATABASE_URL", &database.url)]);
    let (first, second) = (Process::quick(&environment).await, Process::quick(&environment).await);
    first.alert().await.expect("answered");
    until_true("the alert", async || triggered(&second.address).await == Some(1)).await;
    first.kill().await;
    let third = Process::quick(&environment).await;
    until_true("the alert of before", async || triggered(&third.address).await == Some(1)).await;
    third.alert().await.expect("answered");
    until_true("both alerts", async || triggered(&third.address).await == Some(2)).await;
    until_true("both alerts", async || triggered(&second.address).await == Some(2)).await;
    second.terminate().await;
    third.terminate().await;
}

#[tokio::test]
async fn without_the_database_metrics_are_answered_without_counters_which_come_back_whole() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    let service = unconnected_service(&heroku, &proxy.url(&database.url));
    service.alert().await;
    until_true("the alert", async || triggered(&service.address).await == Some(1)).await;
    for wire in [Wire::Stalls, Wire::Down] {
        proxy.set(wire);
        in_time("an answer", service.alert()).await;
        let metrics = in_time("metrics", get(&service, "/metrics")).await;
        assert!(!metrics.contains("alerts_total") && metrics.contains("dyno_restarter_ready"), "{metrics}");
    }
    until_shown(&service, "/metrics", r#"dyno_restarter_database_up{replica="restarter"} 0.0"#).await;
    proxy.set(Wire::Passes);
    until_true("all alerts", async || triggered(&service.address).await == Some(3)).await;
    service.stop().await;
}

#[tokio::test]
async fn what_is_counted_right_before_the_end_of_a_process_is_shown_by_the_next_one() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let before = replica(&heroku, &database).await;
    before.request(Method::POST, "key=wrong").send().await.expect("answered");
    before.stop().await;
    let service = replica(&heroku, &database).await;
    until_shown(&service, "/metrics", r#"dyno_restarter_alerts_total{app="",result="refused"} 1"#).await;
    service.stop().await;
}

/// A process that was not heard of for two days, with alerts, and others that were gone before.
async fn add_gone_processes(database: &Database) {
    let rows = format!(
        "INSERT INTO dyno_restarter.replicas (id, seen_at) VALUES ('web.1/gone', now() - interval '2 days');
        INSERT INTO dyno_restarter.counters (replica, series, value) VALUES
            ('web.1/gone', '{TRIGGERED_SERIES}', 3), ('', '{TRIGGERED_SERIES}', 4), ('web.1/gone', 'strange', 5)"
    );
    database.client().await.batch_execute(&rows).await.expect("done");
}

#[tokio::test]
async fn the_counters_of_a_process_that_is_gone_are_added_up_once() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    replica(&heroku, &database).await.stop().await;
    add_gone_processes(&database).await;
    for _ in 0..2 {
        let service = replica(&heroku, &database).await;
        until(&database, "SELECT count(*) FROM dyno_restarter.counters WHERE replica = 'web.1/gone'", 0).await;
        until_true("the sum", async || triggered(&service.address).await == Some(7)).await;
        service.stop().await;
    }
    let gone = "SELECT sum(value)::bigint FROM dyno_restarter.counters WHERE replica = ''";
    assert_eq!(database.number(gone).await, 12);
}

#[tokio::test]
async fn a_process_that_comes_back_after_a_day_counts_nothing_twice_and_loses_nothing() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    let one = service_with(&heroku, &proxy.url(&database.url)).await;
    one.alert().await;
    until_true("the first alert", async || triggered(&one.address).await == Some(1)).await;
    proxy.set(Wire::Down);
    until_true("the loss of the database", async || triggered(&one.address).await.is_none()).await;
    in_time("an answer", one.alert()).await;
    let later = "UPDATE dyno_restarter.replicas SET seen_at = seen_at - interval '2 days'";
    database.client().await.batch_execute(later).await.expect("done");
    let other = replica(&heroku, &database).await;
    until(&database, "SELECT least(count(*), 1) FROM dyno_restarter.counters WHERE replica = ''", 1).await;
    until_true("the first alert", async || triggered(&other.address).await == Some(1)).await;
    proxy.set(Wire::Passes);
    until_true("the alert of meanwhile", async || triggered(&other.address).await == Some(2)).await;
    one.alert().await;
    until_true("the third alert", async || triggered(&one.address).await == Some(3)).await;
    one.stop().await;
    other.stop().await;
}
