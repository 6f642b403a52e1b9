//! Rule 2: only the process that was in trouble is restarted, by its age when the alert arrived.

use std::time::Duration;

use dyno_restarter::restart::{Outcome, Skip};
use simulator::{Fault, On};

use crate::service::{Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn young_dynos_are_left_alone() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").age(seconds(200));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert!(matches!(service.outcome("web.2"), Outcome::Skipped(Skip::Young { .. })));
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_deployed_after_the_alert_is_not_restarted_for_it() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Status(503), usize::MAX);
    service.alert().await;
    tokio::time::sleep(seconds(90)).await;
    shop.deploy();
    tokio::time::sleep(seconds(330)).await;
    heroku.behave();
    service.passes(1).await;
    assert!(matches!(service.outcome("web.1"), Outcome::Skipped(Skip::BeganLater { .. })));
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn one_burst_of_alerts_restarts_each_dyno_once_although_the_pass_is_longer_than_min_age() {
    let (heroku, shop) = shop(26).await;
    let shop = shop.boot_time(Duration::from_millis(11_500));
    let service = Service::start(&heroku).await;
    for _ in 0..30 {
        service.alert().await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    service.passes(2).await;
    assert!(service.reports()[0].took > seconds(300));
    service.stop().await;
    assert_eq!(shop.restarts().len(), 26);
}

#[tokio::test(start_paused = true)]
async fn a_record_without_a_time_of_creation_is_not_restarted_twice_for_one_burst() {
    let (heroku, shop) = shop(2).await;
    for name in ["web.1", "web.2"] {
        shop.dyno(name).without("created_at");
    }
    let service = Service::start(&heroku).await;
    service.alert().await;
    service.alert().await;
    service.passes(2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}
