//! Alerts that arrive late: they restart only processes that ran at the time that they tell.

use jiff::Timestamp;
use serde_json::json;

use crate::affected::{post, post_and_pass};
use crate::service::{KEY, Service, deletes, seconds, shop};

fn ago(time: u64) -> String {
    (Timestamp::now() - seconds(time)).to_string()
}

#[tokio::test(start_paused = true)]
async fn an_alert_older_than_the_process_skips_it_and_says_so() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").age(seconds(1800));
    let service = Service::start(&heroku).await;
    // web.2 is an hour old.
    post_and_pass(&service, "", &json!({ "startsAt": ago(2400) })).await;
    assert_eq!(service.log.count(" web.1 of shop: left alone: the trouble was "), 1);
    assert_eq!(service.log.count(" ago, but this process started only "), 2, "{}", service.log.text());
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_minute_between_the_clocks_is_tolerated() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").age(seconds(1800));
    shop.dyno("web.2").age(seconds(1800));
    let service = Service::start(&heroku).await;
    let events = json!([
        { "program": "heroku/web.1", "received_at": ago(1800 + 57) },
        { "program": "heroku/web.2", "received_at": ago(1800 + 64) },
    ]);
    post_and_pass(&service, "scope=affected", &json!({ "events": events })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn of_several_events_of_a_dyno_the_last_one_counts() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let event = |time| json!({ "program": "heroku/web.1", "received_at": ago(time) });
    post_and_pass(&service, "scope=affected", &json!({ "events": [event(9000), event(60), event(8000)] })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_arrives_days_later_restarts_nothing_even_if_forced() {
    let (heroku, shop) = shop(2).await;
    for dyno in ["web.1", "web.2"] {
        shop.dyno(dyno).age(seconds(9 * 86_400));
    }
    let service = Service::start(&heroku).await;
    for query in ["", "force=true", "scope=affected", "dyno=web.1"] {
        post_and_pass(&service, query, &json!({ "dyno": "web.1", "timestamp": ago(3 * 86_400) })).await;
    }
    assert!(service.log.count("longer than Heroku lets a process run") >= 4);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alert_of_ten_hours_ago_is_about_a_dyno_that_runs_for_twenty() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(20 * 3600));
    let service = Service::start(&heroku).await;
    post_and_pass(&service, "", &json!({ "timestamp": ago(10 * 3600) })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn times_that_cannot_be_read_or_lie_ahead_count_as_now() {
    for time in [json!("yesterday"), json!("0001-01-01T00:00:00Z"), json!(0), json!("2999-01-01T00:00:00Z"), json!({})]
    {
        let (heroku, shop) = shop(1).await;
        let service = Service::start(&heroku).await;
        post_and_pass(&service, "", &json!({ "timestamp": time })).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1"], "{time}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dyno_in_the_url_is_late_by_the_time_of_the_alert() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let line = |dyno: &str| json!({ "line": format!("{} heroku[{dyno}]: Error R14", ago(86_000)) });
    for body in [line("web.1"), line("web.2"), json!({ "timestamp": ago(86_000) })] {
        post_and_pass(&service, "dyno=web.1", &body).await;
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_late_alert_and_one_of_now_restart_what_the_one_of_now_asks_for() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    let late = json!({ "timestamp": ago(86_000), "dyno": "web.1" });
    let (one, two) = tokio::join!(post(&service, "", &late), service.ask("dyno=web.2"));
    assert_eq!((one.0, two.0), (202, 202));
    service.log.until(|_| shop.restarts().len() == 1).await;
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn of_a_late_alert_and_one_of_now_about_the_same_the_one_of_now_counts() {
    let (all, one) = ("", "dyno=web.1");
    for (first, second) in [(all, all), (one, one), (one, all), (all, one)] {
        for times in [[86_000, 10], [10, 86_000]] {
            let (heroku, shop) = shop(2).await;
            let service = Service::start(&heroku).await;
            // While a pass is under way they wait together.
            assert_eq!(service.ask("dyno=web.2&force=true").await.0, 202);
            heroku.until(|_| shop.restarts().len() == 1).await;
            for (query, time) in [first, second].iter().zip(times) {
                assert_eq!(post(&service, query, &json!({ "timestamp": ago(time) })).await.0, 202);
            }
            service.passes(2).await;
            service.stop().await;
            assert_eq!(shop.restarts(), ["web.2", "web.1"], "{first} and {second}, {times:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_forced_alert_does_not_force_one_of_now() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").age(seconds(100));
    let service = Service::start(&heroku).await;
    assert_eq!(service.ask("dyno=web.2&force=true").await.0, 202);
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert_eq!(post(&service, "dyno=web.1&force=true", &json!({ "timestamp": ago(5000) })).await.0, 202);
    assert_eq!(service.ask("dyno=web.1").await.0, 202);
    service.passes(2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_report_of_a_drain_does_not_make_an_alert_late_not_even_a_forced_one() {
    for (min_age, query) in [("0s", "dyno=web.2"), ("5m", "dyno=web.2&force=true")] {
        let (heroku, shop) = shop(2).await;
        shop.dyno("web.2").age(seconds(20));
        let service = Service::with(&heroku, &[("MIN_AGE", min_age), ("TOLERANCE", "1 in 2m")]).await;
        shop.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
        assert_eq!(service.ask("dyno=web.1&force=true").await.0, 202);
        heroku.until(|_| shop.restarts().len() == 1).await;
        assert_eq!(post(&service, query, &json!({ "timestamp": ago(15) })).await.0, 202);
        shop.platform_line("web.2", "Error R14 (Memory quota exceeded)", seconds(5));
        service.passes(2).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1", "web.2"], "{query}");
    }
}
