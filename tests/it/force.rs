//! `force=true` overrides `MIN_AGE`, holds and giving up, and nothing else.

use simulator::{Fault, On};

use crate::service::{Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn force_overrides_a_hold_min_age_and_giving_up() {
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
    if service.report().alerts == 1 {
        service.passes(2).await;
    }
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn beside_a_failed_dyno_a_forced_pass_takes_down_one_less_at_once() {
    let (heroku, shop) = shop(6).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("dyno=web.1").await;
    service.alert_and_pass("force=true").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (6, 4));
}

#[tokio::test(start_paused = true)]
async fn a_forced_alert_restarts_no_process_that_began_after_it() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Status(503), 3);
    assert_eq!(service.ask("force=true&dyno=web.2").await.0, 202);
    tokio::time::sleep(seconds(1)).await;
    shop.dyno("web.2").restart_from_outside();
    service.passes(1).await;
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_forced_alert_after_dry_runs_does_not_wait_for_the_allowance() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..4 {
        assert_eq!(service.ask("dry_run=true").await.0, 200);
    }
    let began = heroku.now();
    assert_eq!(service.ask("force=true").await.0, 202);
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert!(heroku.now().duration_since(began).as_secs() < 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_forced_alert_that_comes_while_the_dyno_boots_is_served_by_that_restart() {
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(10));
    let service = Service::start(&heroku).await;
    for _ in 0..8 {
        service.ask("force=true&dyno=web.1").await;
        tokio::time::sleep(seconds(1)).await;
    }
    service.passes(2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_about_a_dyno_that_nobody_has_seen_up_for_long_is_acted_on() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::with(&heroku, &[("MIN_AGE", "5s")]).await;
    service.alert_and_pass("").await;
    shop.dyno("web.1").boots_normally().restart_from_outside();
    tokio::time::sleep(seconds(20)).await;
    heroku.misbehave(On::List, Fault::Status(503), 1);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_never_happened_serves_no_later_alert() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::Restart, Fault::AcceptWithoutEffect, 1);
    service.alert().await;
    tokio::time::sleep(seconds(10)).await;
    service.ask("force=true").await;
    service.passes(2).await;
    service.stop().await;
    assert_eq!((deletes(&heroku), shop.restarts().len()), (2, 1));
}
