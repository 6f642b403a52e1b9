//! On Fir a restarted dyno comes back under another name.

use dyno_restarter::restart::Outcome;
use simulator::{App, Heroku};

use crate::service::{Service, seconds};

/// A simulated Heroku with an app `shop` on Fir, which has this number of web dynos.
async fn fir_shop(web_dynos: usize) -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", web_dynos);
    (heroku, shop)
}

#[tokio::test(start_paused = true)]
async fn dynos_that_come_back_under_another_name_are_restarted_in_turn() {
    let (heroku, shop) = fir_shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    for outcome in service.report().dynos.values() {
        let Outcome::Restarted { renamed: Some(name), .. } = outcome else { panic!("{outcome:?}") };
        assert!(name.to_string().starts_with("web-"), "{name}");
    }
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn never_more_than_max_unavailable_are_down() {
    let (heroku, shop) = fir_shop(5).await;
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_crashes_by_itself_is_not_taken_for_the_one_in_flight() {
    let (heroku, shop) = fir_shop(4).await;
    let looper = shop.dyno(&shop.names()[3]).crashes_on_boot().crash();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    let shop = shop.boot_time(seconds(1));
    looper.restart_from_outside();
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn two_in_flight_are_not_taken_for_each_other() {
    let (heroku, shop) = fir_shop(4).await;
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    for _ in 0..6 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    service.stop().await;
    assert_eq!(shop.restarts().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_never_comes_up_holds_the_others_until_its_place_is_filled() {
    let (heroku, shop) = fir_shop(3).await;
    let bad = shop.dyno(&shop.names()[0]).never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.alert_and_pass("").await;
    assert_eq!(shop.restarts().len(), 1);
    bad.comes_up();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_boots_for_ever_by_itself_does_not_fail_a_healthy_restart() {
    let (heroku, shop) = fir_shop(5).await;
    shop.dyno(&shop.names()[4]).set_state("starting").age(seconds(5));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    let failed = service.report().dynos.values().filter(|outcome| matches!(outcome, Outcome::Failed(_))).count();
    assert_eq!((failed, service.end()), (0, None));
    service.stop().await;
    assert_eq!(shop.restarts().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_is_given_up_on_although_its_name_changes() {
    let (heroku, shop) = fir_shop(2).await;
    let service = Service::start(&heroku).await;
    for _ in 0..5 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    service.stop().await;
    assert_eq!(shop.restarts().len(), 6);
}
