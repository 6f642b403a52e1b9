//! Rule 3, the number of dynos that must run before another one is restarted.

use dyno_restarter::restart::{End, Outcome, Skip};

use crate::service::{Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn max_unavailable_is_the_number_of_dynos_that_may_be_down_at_once() {
    for (max_unavailable, fewest_up) in [("2", 3), ("3", 2), ("9", 0)] {
        let (heroku, shop) = shop(5).await;
        let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", max_unavailable)]).await;
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (5, fewest_up));
    }
}

#[tokio::test(start_paused = true)]
async fn max_unavailable_holds_although_the_list_shows_a_restart_late() {
    let (heroku, shop) = shop(5).await;
    let shop = shop.restart_lag(seconds(8));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn dynos_that_were_down_before_the_pass_do_not_count() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.2").crash();
    shop.reset_fewest_up();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3", "web.4"]);
    assert_eq!(shop.fewest_up("web"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_boots_for_ever_by_itself_does_not_keep_the_others_from_being_restarted() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.3").set_state("starting").age(seconds(5));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_down_because_of_somebody_else_is_waited_for() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(20));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"] && shop.state("web.1") == "starting").await;
    tokio::time::sleep(seconds(15)).await;
    shop.dyno("web.3").restart_from_outside();
    let up_then = shop.up("web");
    heroku.until(|_| shop.restarts().len() == 2).await;
    assert_eq!((up_then, shop.state("web.3").as_str()), (1, "up"));
    service.passes(1).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_dyno_that_crashes_and_stays_down_ends_the_pass() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.4").crash();
    service.passes(1).await;
    assert_eq!(service.end(), Some(End::Short { running: 3, needed: 4 }));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_vanishes_before_its_turn_ends_the_pass() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.2").vanish();
    service.passes(1).await;
    assert_eq!(service.outcome("web.2"), Outcome::Skipped(Skip::Gone));
    assert!(matches!(service.end(), Some(End::Short { .. })));
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn two_restarters_of_one_app_do_not_add_up() {
    let (heroku, shop) = shop(4).await;
    let (one, other) = (Service::start(&heroku).await, Service::start(&heroku).await);
    one.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    tokio::time::sleep(seconds(1)).await;
    other.alert().await;
    tokio::time::sleep(seconds(300)).await;
    one.stop().await;
    other.stop().await;
    assert_eq!((shop.up("web"), shop.fewest_up("web")), (4, 3));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_the_service_restarted_before_its_own_restart_is_waited_for() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(60));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.stop().await;
    let successor = Service::start(&heroku).await;
    successor.alert_and_pass("").await;
    successor.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (3, 2));
}
