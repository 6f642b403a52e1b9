//! Alerts: what was answered 202 is in the database.

use crate::postgres::Database;
use crate::proxy::{Proxy, Wire};
use crate::service::{KEY, Service, first_line, seconds, shop};
use crate::{in_time, replica, unconnected_service, until_true};

pub(crate) const WAITING: &str = "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL";
pub(crate) const DONE: &str = "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NOT NULL";

/// Waits until a query returns this number. At first, the tables may not be there.
pub(crate) async fn until(database: &Database, query: &str, number: i64) {
    until_true(query, async || database.try_number(query).await == Some(number)).await;
}

#[tokio::test]
async fn an_alert_is_in_the_database_when_it_is_answered_and_done_when_its_pass_has_ended() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let service = replica(&heroku, &database).await;
    let (status, text) = service.ask("").await;
    assert_eq!((status, first_line(&text).as_str()), (202, "Restart triggered"));
    assert_eq!(database.number("SELECT count(*) FROM dyno_restarter.requests").await, 1);
    until(&database, DONE, 1).await;
    assert_eq!(shop.restarts(), ["web.1"]);
    service.stop().await;
}

#[tokio::test]
async fn a_storm_of_a_thousand_alerts_is_a_few_commits_and_one_pass() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let service = replica(&heroku, &database).await;
    let alerts = (0..1000).map(|_| service.ask(""));
    for (status, _) in in_time("a thousand answers", all(alerts)).await {
        assert_eq!(status, 202);
    }
    let commits = database.number("SELECT count(*) FROM dyno_restarter.requests").await;
    assert!(commits < 100, "{commits} commits");
    assert_eq!(database.number("SELECT sum(alerts)::bigint FROM dyno_restarter.requests").await, 1000);
    until(&database, WAITING, 0).await;
    assert_eq!(shop.restarts(), ["web.1"]);
    service.stop().await;
}

#[tokio::test]
async fn a_delivery_that_comes_to_two_replicas_counts_once() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let (one, other) = (replica(&heroku, &database).await, replica(&heroku, &database).await);
    let deliver = async |service: &Service| {
        let request = service.request(reqwest::Method::POST, "").bearer_auth(KEY);
        // Google's Pub/Sub says it twice.
        let request = request.header("webhook-id", "delivery-1").body(r#"{"messageId":"1","message_id":"1"}"#);
        let answer = request.send().await.expect("answered");
        first_line(&answer.text().await.expect("the answer is whole"))
    };
    assert_eq!(deliver(&one).await, "Restart triggered");
    assert_eq!(deliver(&other).await, "Already triggered: this alert came before");
    assert_eq!(database.number("SELECT sum(alerts)::bigint FROM dyno_restarter.requests").await, 1);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn without_the_database_an_alert_is_answered_and_acted_on_and_written_when_it_is_back() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    let service = unconnected_service(&heroku, &proxy.url(&database.url));
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 1).await;
    for wire in [Wire::Stalls, Wire::Down] {
        proxy.set(wire);
        assert_eq!(in_time("an answer", service.ask("")).await.0, 202);
    }
    in_time("a restart without the database", heroku.until(|_| shop.restarts().len() == 1)).await;
    proxy.set(Wire::Passes);
    // Two, if the database took the first one although its answer did not come through.
    let is_done = "SELECT least(count(*), 1) FROM dyno_restarter.requests WHERE done_at IS NOT NULL";
    until(&database, is_done, 1).await;
    until(&database, WAITING, 0).await;
    assert_eq!(service.log.count("Alerts are kept in memory only"), 1);
    assert_eq!(service.log.count("the database is back"), 1);
    assert_eq!(shop.restarts().len(), 1);
    service.stop().await;
}

/// All of them at once.
pub(crate) async fn all<T>(futures: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs = Vec::new();
    std::future::poll_fn(|context| {
        waiting.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                outputs.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outputs
}
