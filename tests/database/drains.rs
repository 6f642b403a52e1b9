//! Log drains: the router spreads the batches of one log over the replicas, which count together.

use std::time::Duration;

use crate::alerts::until;
use crate::replica;
use crate::replicas::PASSES;
use crate::service::{KEY, Service, seconds, shop};

const REQUESTS: &str = "SELECT count(*) FROM dyno_restarter.requests";

/// A batch with one report of R14 about `web.1`, this long ago.
pub(crate) async fn report(service: &Service, frame_id: &str, ago: Duration) {
    let at = jiff::Timestamp::now() - ago;
    let line = format!("<45>1 {at} host heroku web.1 - Error R14 (Memory quota exceeded)");
    let request =
        reqwest::Client::new().post(format!("http://{}/drain", service.address)).basic_auth("drain", Some(KEY));
    let request = request.header("content-type", "application/logplex-1").header("logplex-frame-id", frame_id);
    let answer = request.body(format!("{} {line}", line.len())).send().await.expect("answered");
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
pub(crate) async fn reports_that_come_to_several_replicas_are_counted_together_and_then_anew() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let (one, other) = (replica(&heroku, &database).await, replica(&heroku, &database).await);
    report(&one, "1", seconds(50)).await;
    report(&other, "2", seconds(30)).await;
    assert_eq!(database.number(REQUESTS).await, 0);
    report(&one, "3", seconds(10)).await;
    until(&database, PASSES, 1).await;
    assert_eq!(shop.restarts(), ["web.1"]);
    // The count began anew on both.
    report(&other, "4", seconds(9)).await;
    report(&one, "5", seconds(8)).await;
    assert_eq!(database.number(REQUESTS).await, 1);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_delivered_again_to_another_replica_counts_once() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let (one, other) = (replica(&heroku, &database).await, replica(&heroku, &database).await);
    for service in [&one, &other, &one] {
        report(service, "the same", seconds(10)).await;
    }
    let counted = "SELECT sum(cardinality(times))::bigint FROM dyno_restarter.reports";
    assert_eq!((database.number(counted).await, database.number(REQUESTS).await), (1, 0));
    one.stop().await;
    other.stop().await;
}
