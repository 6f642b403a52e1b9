//! Rule 4: a dyno that does not come up, or goes down again, ends the pass. The others keep running.

use std::time::Duration;

use dyno_restarter::restart::{End, Failure, Outcome};
use simulator::{Fault, On};

use crate::service::{Service, deletes, dyno_name, held_by, lists, seconds, shop};

fn failed(dyno: &str) -> End {
    End::Failed(dyno_name(dyno))
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_never_comes_up_ends_the_pass_and_the_others_keep_running() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.2"), Outcome::Failed(Failure::NotUp { within: seconds(120) }));
    assert_eq!(["web.3", "web.4"].map(|dyno| service.outcome(dyno)), [Outcome::Due, Outcome::Due]);
    assert_eq!(service.end(), Some(failed("web.2")));
    assert_eq!((service.report().alerts, service.report().took.as_secs() / 60), (1, 2));
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 3));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_crashes_ends_the_pass_at_once() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").crashes_on_boot();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let outcome = service.outcome("web.1");
    assert!(matches!(outcome, Outcome::Failed(Failure::Crashed { after }) if after.as_secs() == 6), "{outcome:?}");
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_vanishes_with_its_restart_ends_the_pass() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").vanishes_on_restart();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.end(), Some(failed("web.1")));
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_crashes_after_it_was_up_ends_the_pass_and_holds_the_next() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    shop.dyno("web.1").crash();
    service.passes(1).await;
    assert!(matches!(service.outcome("web.1"), Outcome::Failed(Failure::Crashed { .. })));
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
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
    assert_eq!(service.end(), Some(failed("web.1")));
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
    assert_eq!(service.end(), Some(failed("web.1")));
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.4"), held_by("web.1"));
    service.stop().await;
    assert_eq!(shop.restarts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn with_two_in_flight_the_other_is_waited_for_when_one_fails() {
    let (heroku, shop) = shop(5).await;
    shop.dyno("web.1").crashes_on_boot();
    let shop = shop.boot_time(seconds(10));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.2").word(), "restarted");
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_the_api_asks_for_a_pause_stops_the_next_restart() {
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
async fn a_crash_while_another_dyno_settles_stops_the_next_restart() {
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
async fn a_failure_is_still_the_reason_when_the_api_or_the_service_ends_after_it() {
    for api_ends in [true, false] {
        let (heroku, shop) = shop(5).await;
        shop.dyno("web.1").crashes_on_boot();
        shop.dyno("web.2").never_boots();
        let mut service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
        service.alert().await;
        heroku.until(|_| shop.restarts().len() == 2 && shop.state("web.1") == "crashed").await;
        // The second look from here on is asked for when the answer to the first one, which shows the crash, is known.
        let looks = lists(&heroku) + 2;
        heroku.until(|heroku| lists(heroku) == looks).await;
        if api_ends {
            heroku.misbehave(On::List, Fault::Status(401), usize::MAX);
            service.passes(1).await;
        }
        service.terminate();
        service.ended().await.expect("it ends well");
        assert_eq!(service.end(), Some(failed("web.1")), "the API ends: {api_ends}");
        assert!(matches!(service.outcome("web.2"), Outcome::Failed(Failure::NotSeenUp)));
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_fail_no_healthy_dyno() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(4));
    let service = Service::with(&heroku, &[("BOOT_TIMEOUT", "5s")]).await;
    heroku.misbehave(On::List, Fault::Delay(Duration::from_millis(2_900)), usize::MAX);
    service.alert_and_pass("").await;
    assert_eq!(service.end(), None);
    service.stop().await;
    assert_eq!(shop.restarts().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_restarted_on_a_list_that_took_long() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(1));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    heroku.misbehave(On::List, Fault::Delay(seconds(9)), usize::MAX);
    let looks = lists(&heroku);
    heroku.until(|heroku| lists(heroku) > looks).await;
    // The list on its way shows it up.
    shop.dyno("web.1").set_state("crashed");
    service.passes(1).await;
    service.stop().await;
    assert_eq!((shop.restarts(), shop.fewest_up("web")), (vec!["web.1".to_owned()], 2));
}

#[tokio::test(start_paused = true)]
async fn a_deploy_that_a_list_does_not_show_yet_is_not_restarted() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Delay(seconds(9)), 1);
    service.alert().await;
    tokio::time::sleep(seconds(2)).await;
    shop.deploy();
    service.passes(1).await;
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn an_api_that_stays_slow_ends_a_pass_after_a_quarter_of_an_hour() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Delay(seconds(9)), usize::MAX);
    service.alert_and_pass("").await;
    let end = service.end().expect("it ended early").to_string();
    assert!(end.contains("Heroku took 9.0s to list the dynos"), "{end}");
    assert_eq!(deletes(&heroku), 0);
    // The last pause, of up to a minute, is left out, and the last answer is waited for.
    let took = service.report().took.as_secs();
    assert!((15 * 60 - 60..=15 * 60 + 9).contains(&took), "{took} s");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_api_is_on_the_status_and_asked_less_and_less_often() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Delay(Duration::from_millis(3_100)), usize::MAX);
    service.alert().await;
    tokio::time::sleep(seconds(60)).await;
    assert!(lists(&heroku) < 12, "{} lists", lists(&heroku));
    let status = crate::status::status(&service).await;
    let summary = status["summary"].as_str().expect("a sentence");
    assert!(summary.contains("Heroku took 3.1s to list the dynos"), "{summary}");
    heroku.misbehave(On::List, Fault::Delay(Duration::ZERO), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_list_that_shows_a_deploy_ends_the_pass() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Delay(seconds(4)), usize::MAX);
    service.alert().await;
    tokio::time::sleep(seconds(6)).await;
    shop.deploy();
    service.passes(1).await;
    assert_eq!((deletes(&heroku), service.end()), (0, None));
    service.stop().await;
}
