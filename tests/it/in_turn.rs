//! Rule 3: one after the other, each when the one before is up again.

use dyno_restarter::restart::{Outcome, Skip};

use crate::service::{Service, dyno_name, seconds, shop};

/// How many seconds it took until the dyno was up again.
fn up_again_after(service: &Service, dyno: &str) -> Option<u64> {
    match service.outcome(dyno) {
        Outcome::Restarted { took, .. } => Some(took.as_secs()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn the_running_web_dynos_are_restarted_in_turn() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3", "web.4"]);
    assert_eq!((shop.fewest_up("web"), shop.fewest_up("worker")), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_single_web_dyno_is_restarted_too() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn web_10_comes_after_web_9() {
    let (heroku, shop) = shop(11).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts()[8..], ["web.9", "web.10", "web.11"]);
}

#[tokio::test(start_paused = true)]
async fn process_types_are_restarted_in_the_order_given_and_others_not_at_all() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.with("clock", 1);
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "worker,web")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["worker.1", "web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn the_next_process_type_begins_when_the_one_before_is_up_whatever_max_unavailable_is() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "worker,web"), ("MAX_UNAVAILABLE", "2")]).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    assert_eq!((shop.restarts()[1].as_str(), shop.state("worker.1").as_str()), ("web.1", "up"));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn settle_time_passes_between_a_dyno_that_is_up_and_the_next() {
    let (heroku, _) = shop(2).await;
    let service = Service::with(&heroku, &[("SETTLE_TIME", "40s")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    let restarts: Vec<_> =
        heroku.calls().into_iter().filter(|call| call.method == "DELETE").map(|call| call.at).collect();
    assert!(restarts[1].saturating_sub(restarts[0]) >= seconds(45), "{restarts:?}");
}

#[tokio::test(start_paused = true)]
async fn settle_time_passes_between_process_types_but_not_after_a_failure() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::with(&heroku, &[("SETTLE_TIME", "1h"), ("PROCESS_TYPES", "worker,web")]).await;
    let began = tokio::time::Instant::now();
    service.alert_and_pass("").await;
    assert!(began.elapsed() >= seconds(3600) && began.elapsed() < seconds(3660), "{:?}", began.elapsed());
    service.stop().await;
    assert_eq!(shop.restarts(), ["worker.1", "web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_boots_between_two_looks_is_seen_to_be_a_new_instance() {
    let (heroku, shop) = shop(2).await;
    _ = shop.boot_time(seconds(1));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(["web.1", "web.2"].map(|dyno| up_again_after(&service, dyno)), [Some(3), Some(3)]);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_without_id_and_time_of_creation_is_restarted_when_it_was_down_and_is_up() {
    let (heroku, shop) = shop(2).await;
    for name in ["web.1", "web.2"] {
        shop.dyno(name).without("id").without("created_at");
    }
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(["web.1", "web.2"].map(|dyno| up_again_after(&service, dyno)), [Some(6), Some(6)]);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_whose_restart_the_list_shows_late_is_waited_for() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.restart_lag(seconds(9));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_restarted_by_somebody_else_during_the_pass_is_left_alone() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.3").restart_from_outside();
    service.passes(1).await;
    assert_eq!(service.outcome("web.3"), Outcome::Skipped(Skip::Replaced));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_goes_down_right_before_its_turn_is_left_alone() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("SETTLE_TIME", "30s")]).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"] && shop.state("web.1") == "up").await;
    tokio::time::sleep(seconds(10)).await;
    shop.dyno("web.2").set_state("idle");
    service.passes(1).await;
    assert_eq!(service.outcome("web.2"), Outcome::Skipped(Skip::NotUp("idle".into())));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[test]
fn names_of_dynos_are_in_order_of_their_types_and_numbers() {
    let sorted = [
        "web.1",
        "web.2",
        "web.9",
        "web.10",
        "web.123",
        "web.2345678",
        "web.10000000",
        "web.1-12345",
        "web-12a34bcd56-7efgh",
        "web-a.1",
        "web-a.2",
        "webx.1",
    ];
    let sorted = sorted.map(dyno_name);
    for (place, name) in sorted.iter().enumerate() {
        for (other_place, other) in sorted.iter().enumerate() {
            assert_eq!(name.cmp(other), place.cmp(&other_place), "{name} and {other}");
        }
    }
}
