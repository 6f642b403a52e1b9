//! Ways in which a restarter could make things worse, one by one.

use simulator::{Fault, Heroku, On};

use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_dyno_that_crashes_after_it_was_up_holds_back_further_restarts() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    shop.dyno("web.1").crash();
    service.passes(1).await;
    assert_eq!(service.log.count("web.1 of shop: failed: it is down: it crashed"), 1);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_crashes_after_the_pass_holds_back_the_next() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.1").await;
    shop.dyno("web.1").crash();
    service.alert_and_pass("").await;
    assert_eq!(
        service.log.count("web.2 of shop: left alone: automatic restarts are on hold: web.1 is not up since"),
        1
    );
    shop.dyno("web.1").comes_up();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_a_pass_lost_sight_of_holds_back_the_next() {
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
async fn one_in_hand_that_crashes_while_the_api_asks_for_a_pause_stops_the_next_restart() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    heroku.misbehave(On::Restart, Fault::RetryAfter("60"), 1);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn one_in_hand_that_crashes_while_another_settles_stops_the_next_restart() {
    let (heroku, shop) = shop(5).await;
    let shop = shop.boot_time(seconds(20));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2"), ("SETTLE_TIME", "60s")]).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    shop.dyno("web.1").comes_up();
    tokio::time::sleep(seconds(10)).await;
    shop.dyno("web.2").crash();
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn no_restart_begins_after_the_end_was_asked_for() {
    let (heroku, shop) = shop(5).await;
    let shop = shop.boot_time(seconds(20));
    let mut service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert().await;
    heroku.until(|heroku| lists(heroku) == 2).await;
    heroku.misbehave(On::List, Fault::Stall, 1);
    heroku.until(|heroku| shop.restarts().len() == 1 && lists(heroku) == 3).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(deletes(&heroku), 1);
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
async fn a_dyno_that_its_predecessor_restarted_is_waited_for() {
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
async fn on_fir_a_dyno_that_crashes_by_itself_is_not_taken_for_the_one_in_hand() {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 4);
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
async fn on_fir_two_at_once_are_not_taken_for_each_other() {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 4);
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    for _ in 0..6 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    service.stop().await;
    assert_eq!(shop.restarts().len(), 12);
}

#[tokio::test(start_paused = true)]
async fn on_fir_a_dyno_that_never_comes_up_halts_alerts_until_its_place_is_filled() {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 3);
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
async fn an_api_that_says_at_once_again_and_again_is_not_hammered() {
    for (fault, most) in [(Fault::RetryAfter("0"), 80), (Fault::Status(404), 3)] {
        let (heroku, _) = shop(20).await;
        let service = Service::start(&heroku).await;
        heroku.misbehave(On::Restart, fault, usize::MAX);
        let before = heroku.calls().len();
        service.alert_and_pass("").await;
        assert!(heroku.calls().len() - before <= most, "{} calls", heroku.calls().len());
        service.stop().await;
    }
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
    assert_eq!(service.log.count("web.2 of shop: left alone: it is idle, not up"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_without_id_and_time_of_creation_is_known_by_having_been_down() {
    let (heroku, shop) = shop(2).await;
    for name in ["web.1", "web.2"] {
        shop.dyno(name).without("id").without("created_at");
    }
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("restarted, up again after 6s"), 2);
    service.stop().await;
}
