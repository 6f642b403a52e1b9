//! When a line was written: late, in the future, or unknown.

use jiff::SignedDuration;
use simulator::Heroku;

use super::{R14, frame, frame_at, post};
use crate::service::{KEY, Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_line_from_the_future_counts_as_written_now() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for ago in [-400 * 86_400, 40, 20] {
        post(&service, frame(ago, "web.1", R14)).await;
    }
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_line_without_a_valid_time_counts_as_written_now() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "1 in 2m")]).await;
    post(&service, frame_at("yesterday", "web.1", R14)).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn lines_without_a_time_in_one_batch_count_as_one_report() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    post(&service, [0, 1, 2].map(|_| frame_at("-", "web.1", R14)).concat()).await;
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_old_burst_is_ignored_and_the_log_says_so_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    post(&service, [3000, 2980, 2960].map(|ago| frame(ago, "web.1", R14)).concat()).await;
    post(&service, [2940, 2920].map(|ago| frame(ago, "web.1", R14)).concat()).await;
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(service.log.count("all reports in the last batch of the log of shop are too old"), 1);
    assert_eq!(service.log.count("dyno_restarter::drain::batch: web.1 of shop: Error R14 at "), 5);
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn lines_from_the_future_do_not_hide_other_dynos() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let body: String =
        (100..400).map(|number| frame_at("2062-01-01T00:00:00+00:00", &format!("web.{number}"), R14)).collect();
    post(&service, body).await;
    for ago in (0..30).rev() {
        post(&service, frame(ago * 20, "web.1", R14) + &frame(ago * 20, "web.2", R14)).await;
    }
    service.passes(1).await;
    service.stop().await;
    assert!(!shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn extreme_times_do_no_harm() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "3 in 720h")]).await;
    for at in ["9999-12-30T22:00:00.999999+00:00", "-009999-01-02T01:59:59+00:00", "1970-01-01T00:00:00+25:59"] {
        post(&service, frame_at(at, "web.1", R14)).await;
    }
    for time in ["9999-12-30T22:00:00Z", "9223372036854775807", "-009999-01-02T01:59:59Z"] {
        let body = format!(r#"{{"time":"{time}","t":{}}}"#, i64::MAX);
        let request = service.request(reqwest::Method::POST, "dry_run=true").bearer_auth(KEY).body(body);
        assert_eq!(request.send().await.expect("answered").status(), 200);
    }
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

/// A frame that Heroku writes now, by its own clock.
fn frame_by_the_clock_of(heroku: &simulator::Heroku, process: &str) -> String {
    frame_at(&heroku.now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string(), process, R14)
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_line_goes_by_the_clock_of_heroku() {
    for ahead in [-7200, 7200] {
        let heroku = Heroku::start_with_clock_offset(SignedDuration::from_secs(ahead)).await;
        let shop = heroku.create_app("shop").with("web", 2);
        let service = Service::start(&heroku).await;
        let old = frame_by_the_clock_of(&heroku, "web.2");
        tokio::time::sleep(seconds(1800)).await;
        for _ in 0..3 {
            post(&service, old.clone() + &frame_by_the_clock_of(&heroku, "web.1")).await;
            tokio::time::sleep(seconds(20)).await;
        }
        service.passes(1).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1"], "{ahead} s");
    }
}
