//! Rule 4: a dyno that we restarted is ours until it has been up for `MIN_AGE`. While it is down, alerts restart no other.

use simulator::{Fault, On};

use crate::service::{Service, deletes, held_by, seconds, shop};

#[tokio::test(start_paused = true)]
async fn after_a_failure_alerts_restart_nothing_until_the_dyno_is_up_again() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.3"), held_by("web.2"));
    shop.dyno("web.2").comes_up();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_alerts_count_again_when_the_window_has_passed() {
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
async fn a_dyno_that_crashes_after_the_pass_holds_the_others_until_it_is_up() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.1").await;
    shop.dyno("web.1").crash();
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.2"), held_by("web.1"));
    shop.dyno("web.1").comes_up();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_starting_again_after_a_crash_holds_the_others() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.1").await;
    tokio::time::sleep(seconds(25)).await;
    shop.dyno("web.1").never_boots().restart_from_outside();
    tokio::time::sleep(seconds(15)).await;
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.2"), held_by("web.1"));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_min_age_holds_the_others_and_a_later_one_does_not() {
    for (up_for, restarts) in [(330, 3), (60, 1)] {
        let (heroku, shop) = shop(3).await;
        let service = Service::start(&heroku).await;
        service.alert_and_pass("dyno=web.1").await;
        tokio::time::sleep(seconds(up_for)).await;
        shop.dyno("web.1").crash();
        tokio::time::sleep(seconds(600)).await;
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!(shop.restarts().len(), restarts, "it was up for {up_for} s");
    }
}

#[tokio::test(start_paused = true)]
async fn when_two_are_down_both_must_come_up_before_alerts_restart_again() {
    let (heroku, shop) = shop(6).await;
    for name in ["web.1", "web.2"] {
        shop.dyno(name).crashes_on_boot();
    }
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    shop.dyno("web.2").comes_up();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_was_not_up_when_the_pass_ended_holds_the_next() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").never_boots();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    heroku.misbehave(On::List, Fault::Status(401), 1);
    service.passes(1).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_shows_late_is_not_repeated_by_the_next_pass() {
    let (heroku, shop) = shop(2).await;
    _ = shop.restart_lag(seconds(9));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|heroku| deletes(heroku) == 1).await;
    heroku.misbehave(On::List, Fault::Status(401), 1);
    service.passes(1).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(deletes(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_missing_long_after_it_came_up_holds_nothing() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.3").await;
    tokio::time::sleep(seconds(1200)).await;
    shop.dyno("web.3").vanish();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3", "web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_heroku_cycled_long_after_our_restart_is_not_ours_again() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.3").await;
    tokio::time::sleep(seconds(3000)).await;
    shop.dyno("web.3").restart_from_outside();
    tokio::time::sleep(seconds(400)).await;
    service.alert_and_pass("dyno=web.1").await;
    shop.dyno("web.3").crash();
    service.alert_and_pass("dyno=web.2").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3", "web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_restarts_no_dyno_whose_restart_may_still_come() {
    for query in ["", "force=true"] {
        let (heroku, shop) = shop(1).await;
        let _ = shop.restart_lag(seconds(9));
        let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
        service.alert().await;
        heroku.until(|heroku| deletes(heroku) == 1).await;
        heroku.misbehave(On::List, Fault::Status(401), 1);
        service.passes(1).await;
        tokio::time::sleep(seconds(1)).await;
        service.alert_and_pass(query).await;
        service.stop().await;
        assert_eq!(deletes(&heroku), 1, "{query}");
    }
}
