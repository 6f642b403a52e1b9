//! How many reports it takes, and within what time (`TOLERANCE`).

use super::{HIGH_MEMORY, R14, frame, post};
use crate::service::{Service, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn one_spike_is_not_a_leak() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    for ago in [300, 170, 150, 20] {
        post(&service, frame(ago, "web.1", R14)).await;
        post(&service, frame(ago, "web.2", R14)).await;
    }
    assert_eq!(lists(&heroku), 1);
    post(&service, frame(0, "web.2", "Error R15 (Memory quota vastly exceeded)")).await;
    assert_eq!(lists(&heroku), 1);
    post(&service, frame(0, "web.2", R14)).await;
    service.passes(1).await;
    assert_eq!(
        service
            .log
            .count("dyno_restarter::drain::app_drain: web.2 of shop is in trouble: Error R14 (3 reports within 2m)"),
        1
    );
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn reports_count_by_their_own_time_in_any_order() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for ago in [20, 400, 60, 390, 380] {
        post(&service, frame(ago, "web.1", R14)).await;
    }
    assert_eq!(lists(&heroku), 1);
    post(&service, frame(40, "web.1", R14)).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn reports_older_than_the_last_one_that_counted_are_ignored() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "2 in 2m")]).await;
    for ago in [10, 20, 15, 12] {
        post(&service, frame(ago, "web.1", R14)).await;
    }
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(service.log.count("web.1 of shop is in trouble") + service.log.count("still in trouble"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn errors_and_memory_are_counted_separately() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("MEMORY_LIMIT", "90%")]).await;
    for ago in [20, 0] {
        post(&service, frame(ago, "web.1", HIGH_MEMORY) + &frame(ago, "web.1", R14)).await;
    }
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_problems_of_a_dyno_in_one_batch_the_later_counts() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(100));
    let service = Service::with(&heroku, &[("MIN_AGE", "0s"), ("MEMORY_LIMIT", "90%")]).await;
    let late = [95, 90, 85].map(|ago| frame(ago, "web.1", R14)).concat();
    post(&service, [60, 50, 40].map(|ago| frame(ago, "web.1", HIGH_MEMORY)).concat() + &late).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_tolerance_that_can_never_be_reached_is_logged_as_a_warning() {
    let (heroku, _) = shop(1).await;
    for (tolerance, warnings) in [("3 in 39s", 1), ("3 in 40s", 0)] {
        let service = Service::with(&heroku, &[("TOLERANCE", tolerance)]).await;
        assert_eq!(service.log.count("WARN dyno_restarter::drain::settings: TOLERANCE requires 3 reports"), warnings);
        service.stop().await;
    }
}
