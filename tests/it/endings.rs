//! Shutdown: what is finished, what is refused, what is logged.

use std::sync::Arc;

use dyno_restarter::restart::AppName;

use crate::service::{Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn when_told_to_end_the_dyno_in_hand_is_seen_through_and_the_rest_is_named() {
    let (heroku, shop) = shop(4).await;
    let shop = shop.boot_time(seconds(15));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let told = service.log.lines("WARN");
    let expected =
        "restarted web.1; did not get to web.2, web.3 and web.4; ended early: the restarter is being shut down";
    assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    assert_eq!((shop.restarts().len(), shop.state("web.1").as_str()), (1, "up"));
}

#[tokio::test(start_paused = true)]
async fn while_it_ends_new_alerts_are_answered_503() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(15));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    service.log.until(|log| log.count("shutting down") == 1).await;
    assert_eq!(service.ask("").await.0, 503);
    assert_eq!(service.ask("dry_run=true").await.0, 503);
    service.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn a_dyno_in_hand_is_waited_for_25_seconds_and_no_longer() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").never_boots();
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    let began = tokio::time::Instant::now();
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(began.elapsed() >= seconds(25) && began.elapsed() < seconds(28), "{:?}", began.elapsed());
    assert_eq!(service.log.count("web.1 of shop: failed: restarted, but the pass ended before it was seen up"), 1);
}

#[tokio::test(start_paused = true)]
async fn alerts_that_wait_for_the_next_pass_are_named_when_it_ends() {
    let (heroku, shop) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert_eq!(service.ask("dyno=web.1").await.0, 202);
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(service.log.count("WARN"), 1);
    assert_eq!(service.log.count("and alerts for shop are dropped: they asked for web.1"), 1);
}

#[tokio::test(start_paused = true)]
async fn one_warning_names_what_the_pass_did_not_get_to_and_the_alerts_that_waited() {
    let (heroku, shop) = shop(3).await;
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    service.alert().await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let told = service.log.lines("WARN");
    assert!(told.len() == 1 && told[0].contains("did not get to web.2 and web.3; ended early"), "{told:?}");
    assert!(told[0].contains("alerts that waited are dropped: they asked for all watched dynos"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn with_nothing_in_hand_it_ends_at_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let began = tokio::time::Instant::now();
    service.stop().await;
    assert!(began.elapsed() < seconds(1), "{:?}", began.elapsed());
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_once_in_the_middle_of_an_outage() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    heroku.misbehave(simulator::On::List, simulator::Fault::Stall, usize::MAX);
    service.alert().await;
    heroku.until(|heroku| heroku.calls().len() == 2).await;
    let began = tokio::time::Instant::now();
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(began.elapsed() < seconds(3) && deletes(&heroku) == 0, "{:?}", began.elapsed());
}

/// A shop whose passes end at once, as its only dyno is not running, and a blog with one dyno in hand.
async fn shop_and_blog(heroku: &simulator::Heroku, shop: &simulator::App) -> (simulator::App, Service) {
    shop.dyno("web.1").crash();
    let blog = heroku.create_app("blog").with("web", 2).boot_time(seconds(15));
    let service = Service::with(heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(service.ask("app=blog").await.0, 202);
    heroku.until(|_| blog.restarts().len() == 1).await;
    (blog, service)
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_task_of_an_app_ends_the_service_with_an_error() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    service.log.panic_at("pass over shop");
    heroku.misbehave(simulator::On::List, simulator::Fault::Status(401), 1);
    service.alert().await;
    let error = service.ended().await.expect_err("it does not live on").to_string();
    assert!(error.contains("the task that restarts dynos ended unexpectedly") && error.contains("panic"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_of_one_app_the_dyno_in_hand_of_another_is_seen_through_and_alerts_are_answered_503() {
    let (heroku, shop) = shop(1).await;
    let (blog, mut service) = shop_and_blog(&heroku, &shop).await;
    service.log.panic_at("pass over shop");
    assert_eq!(service.ask("app=shop").await.0, 202);
    service.log.until(|log| log.count("shutting down") == 1).await;
    assert_eq!(service.ask("app=blog").await.0, 503);
    let error = service.ended().await.expect_err("it does not live on").to_string();
    assert!(error.contains("ended unexpectedly") && error.contains("panic"), "{error}");
    assert_eq!((blog.restarts(), blog.state("web.1").as_str()), (vec!["web.1".to_owned()], "up"));
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_of_one_app_the_dyno_in_hand_of_another_is_waited_for_25_seconds_and_no_longer() {
    let (heroku, shop) = shop(1).await;
    let (blog, mut service) = shop_and_blog(&heroku, &shop).await;
    blog.boot_time(seconds(300));
    let began = tokio::time::Instant::now();
    service.log.panic_at("pass over shop");
    assert_eq!(service.ask("app=shop").await.0, 202);
    service.ended().await.expect_err("it does not live on");
    assert!(began.elapsed() < seconds(28), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_it_ends_is_an_error() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    service.log.panic_at("pass over shop");
    let error = service.ended().await.expect_err("one task did not end well").to_string();
    assert!(error.contains("ended unexpectedly") && error.contains("panic"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_last_50_reports_are_kept() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").crash();
    let service = Service::start(&heroku).await;
    for _ in 0..60 {
        service.alert().await;
        tokio::time::sleep(seconds(20)).await;
    }
    let reports = service.restarter.reports(&AppName::parse("shop").expect("a name"));
    assert!(reports.len() == 50 && reports.iter().all(|report| Arc::strong_count(report) == 2));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_whose_sender_goes_away_triggers_nothing() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    drop(service.begin("/restart_web_dynos?dry_run=true", 1000, b"{").await);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(deletes(&heroku), 0);
    drop(service.begin("/restart_web_dynos", 1000, b"{").await);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
