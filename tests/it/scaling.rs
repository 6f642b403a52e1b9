//! Scaling while a pass is under way, or while a dyno holds the others.

use dyno_restarter::restart::{Outcome, Skip};
use simulator::{Fault, On};

use crate::service::{Service, held_by, seconds, shop};

#[tokio::test(start_paused = true)]
async fn scaling_down_during_the_pass_does_not_stop_it() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.scale("web", 2);
    shop.reset_fewest_up();
    service.passes(1).await;
    for dyno in ["web.3", "web.4"] {
        assert_eq!(service.outcome(dyno), Outcome::Skipped(Skip::Gone));
    }
    service.stop().await;
    assert_eq!((shop.restarts(), shop.fewest_up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn scaling_down_beside_a_crashed_dyno_does_not_stop_the_pass() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.2").crash();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.scale("web", 3);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn scaling_away_a_dyno_that_was_down_does_not_lower_the_number_that_must_run() {
    let (heroku, shop) = shop(5).await;
    shop.dyno("web.5").crash();
    shop.reset_fewest_up();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.4").crash();
    shop.scale("web", 4);
    service.passes(1).await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn scaling_away_the_dyno_in_flight_is_no_failure() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    shop.scale("web", 1);
    service.passes(1).await;
    assert_eq!((service.outcome("web.2"), service.end()), (Outcome::Skipped(Skip::Gone), None));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn scaling_up_during_the_pass_neither_stops_it_nor_adds_to_it() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.scale("web", 5);
    service.passes(1).await;
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 5));
}

#[tokio::test(start_paused = true)]
async fn a_failed_dyno_that_is_scaled_away_holds_nothing() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.3").crashes_on_boot();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.3").await;
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.1"), held_by("web.3"));
    shop.scale("web", 2);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3", "web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_dyno_that_vanished_while_the_app_is_scaled_to_it_holds_the_others() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.3").crashes_on_boot();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.3").await;
    shop.dyno("web.3").vanish();
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.1"), held_by("web.3"));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3"]);
}

#[tokio::test(start_paused = true)]
async fn a_question_about_the_formation_that_fails_holds_nothing_and_is_repeated() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.3").await;
    shop.scale("web", 2);
    heroku.misbehave(On::Formation, Fault::Status(503), 2);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3", "web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_scaled_away_after_its_record_vanished_has_not_failed() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.4").vanishes_on_restart();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 4).await;
    tokio::time::sleep(seconds(20)).await;
    shop.scale("web", 3);
    service.passes(1).await;
    assert_eq!(service.outcome("web.4"), Outcome::Skipped(Skip::Gone));
    service.stop().await;
}
