//! Rule 4: a dyno that we restarted is ours until it has been up for `MIN_AGE`. While it is down, no other is restarted.

use dyno_restarter::restart::{DynoName, End, Failure, Outcome, Skip};
use simulator::{Fault, On};

use crate::service::{Service, seconds, shop};

fn name(dyno: &str) -> DynoName {
    DynoName::parse(dyno).expect("a valid name")
}

fn held_by(dyno: &str) -> Outcome {
    Outcome::Skipped(Skip::Held(name(dyno)))
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
async fn a_dyno_that_is_down_again_in_the_same_pass_ends_it_although_another_one_came_up() {
    let (heroku, shop) = shop(6).await;
    shop.dyno("web.4").set_state("starting").age(seconds(5));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"] && shop.state("web.1") == "up").await;
    shop.dyno("web.4").comes_up();
    shop.dyno("web.1").crash();
    service.passes(1).await;
    assert_eq!(service.report().end, Some(End::Failed(name("web.1"))));
    assert!(matches!(service.outcome("web.1"), Outcome::Failed(Failure::Crashed { .. })));
    service.stop().await;
    assert!(shop.restarts().len() <= 2, "{:?}", shop.restarts());
}

#[tokio::test(start_paused = true)]
async fn a_dyno_of_the_pass_before_that_goes_down_ends_this_pass_and_holds_the_next() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.1").await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    shop.dyno("web.1").never_boots().restart_from_outside();
    service.passes(2).await;
    assert_eq!(service.report().end, Some(End::Failed(name("web.1"))));
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.4"), held_by("web.1"));
    service.stop().await;
    assert_eq!(shop.restarts().len(), 2);
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
async fn a_crash_after_min_age_is_not_ours_and_one_before_it_is() {
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
async fn an_instance_of_a_later_release_that_is_down_is_no_failure_of_ours() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(20));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.1").never_boots();
    shop.deploy();
    service.passes(1).await;
    assert!(matches!(service.outcome("web.1"), Outcome::Deployed { release: Some(43) }));
    assert!(matches!(service.outcome("web.2"), Outcome::Skipped(Skip::Deployed { release: Some(43) })));
    assert_eq!(service.report().end, None);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_still_the_reason_when_the_api_or_the_service_ends_after_it() {
    for api_ends in [true, false] {
        let (heroku, shop) = shop(5).await;
        shop.dyno("web.1").crashes_on_boot();
        shop.dyno("web.2").never_boots();
        let mut service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
        service.alert().await;
        service.log.until(|log| log.count("web.1 of shop: failed") == 1).await;
        if api_ends {
            heroku.misbehave(On::List, Fault::Status(401), usize::MAX);
            service.passes(1).await;
        }
        service.terminate();
        service.ended().await.expect("it ends well");
        assert_eq!(service.report().end, Some(End::Failed(name("web.1"))), "the API ends: {api_ends}");
        assert!(matches!(service.outcome("web.2"), Outcome::Failed(Failure::NotSeenUp)));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_fail_no_healthy_dyno() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(4));
    let service = Service::with(&heroku, &[("BOOT_TIMEOUT", "5s")]).await;
    heroku.misbehave(On::List, Fault::Delay(std::time::Duration::from_millis(2_900)), usize::MAX);
    service.alert_and_pass("").await;
    assert_eq!(service.report().end, None);
    service.stop().await;
    assert_eq!(shop.restarts().len(), 3);
}
