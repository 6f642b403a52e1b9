//! When restarts do not help.

use crate::service::{Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_dyno_that_never_comes_up_ends_the_pass_and_the_others_keep_running() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("web.2 of shop: failed: it is down: not up 2m after its restart"), 1);
    assert_eq!(service.log.count("did not get to web.3 and web.4; ended early: web.2 did not come up"), 1);
    assert_eq!(service.log.count("pass over shop (1 alert, 2m"), 1);
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 3));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_crashes_ends_the_pass_at_once() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("web.1 of shop: failed: it is down: it crashed within 6s of its restart"), 1);
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_vanishes_with_its_restart_ends_the_pass() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").vanishes_on_restart();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn with_two_in_hand_the_other_is_seen_through_when_one_fails() {
    let (heroku, shop) = shop(5).await;
    shop.dyno("web.1").crashes_on_boot();
    let shop = shop.boot_time(seconds(10));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("web.2 of shop: restarted, up again"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_automatic_restarts_pause_until_the_dyno_is_up_again() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.alert_and_pass("").await;
    assert_eq!(
        service.log.count("web.3 of shop: left alone: automatic restarts are on hold: web.2 is not up since"),
        1
    );
    assert_eq!(
        service
            .log
            .lines("WARN")
            .last()
            .map(|line| line.contains("web.3 (automatic restarts are on hold: web.2 is not up")),
        Some(true)
    );
    shop.dyno("web.2").comes_up();
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("alerts restart dynos of shop again"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_automatic_restarts_resume_when_the_window_has_passed() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "3 in 30m")]).await;
    service.alert_and_pass("").await;
    tokio::time::sleep(seconds(29 * 60)).await;
    service.alert_and_pass("").await;
    assert_eq!(shop.restarts().len(), 1);
    tokio::time::sleep(seconds(60)).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn force_overrides_a_halt_and_min_age_and_giving_up() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "1 in 1h")]).await;
    service.alert_and_pass("").await;
    service.alert_and_pass("dyno=web.3&force=true").await;
    service.alert_and_pass("dyno=web.3&force=true").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn force_for_one_dyno_does_not_force_the_others() {
    let (heroku, shop) = shop(3).await;
    for name in ["web.2", "web.3"] {
        shop.dyno(name).age(seconds(10));
    }
    let service = Service::start(&heroku).await;
    service.alert().await;
    assert_eq!(service.ask("dyno=web.3&force=true").await.0, 202);
    service.passes(1).await;
    service.log.until(|log| log.count("pass over ") == 2 || log.count("(2 alerts") == 1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn young_dynos_are_left_alone() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").age(seconds(200));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_is_given_up_on_after_three_restarts_and_re_armed_by_time() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..8 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    assert_eq!((shop.restarts().len(), service.log.count("giving up on web.1 of shop")), (3, 1));
    tokio::time::sleep(seconds(15 * 60)).await;
    service.alert_and_pass("").await;
    assert_eq!((shop.restarts().len(), service.log.count("web.1 of shop may be restarted again")), (4, 1));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_fir_dyno_is_given_up_on_although_its_name_changes() {
    let heroku = simulator::Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 2);
    let service = Service::start(&heroku).await;
    for _ in 0..5 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    service.stop().await;
    assert_eq!(shop.restarts().len(), 6);
}
