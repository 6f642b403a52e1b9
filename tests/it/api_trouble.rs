//! Rule 6: a Platform API in trouble does not lose a restart, and causes none twice.

use dyno_restarter::heroku::Error;
use dyno_restarter::restart::{End, Outcome};
use simulator::{Fault, On};

use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn no_trouble_with_the_list_loses_the_restart() {
    for fault in [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
        Fault::RetryAfter("30"),
        Fault::RetryAfter("Tue, 24 Nov 2026 08:49:37 GMT"),
        Fault::RetryAfter("1353003093"),
        Fault::RetryAfter("soon"),
        Fault::RetryAfter("-1"),
        Fault::Stall,
        Fault::Reset,
        Fault::BrokenJson,
        Fault::Html,
    ] {
        let (heroku, shop) = shop(2).await;
        let service = Service::start(&heroku).await;
        let told = format!("{fault:?}");
        heroku.misbehave(On::List, fault, 3);
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (2, 1), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_trouble_with_a_restart_loses_it_or_does_it_twice() {
    for fault in [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
        Fault::RetryAfter("30"),
        Fault::Stall,
        Fault::Reset,
        Fault::LoseAnswer,
        Fault::StallAfterEffect,
    ] {
        let (heroku, shop) = shop(2).await;
        let service = Service::start(&heroku).await;
        let told = format!("{fault:?}");
        heroku.misbehave(On::Restart, fault, 2);
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!((shop.restarts(), shop.fewest_up("web")), (shop.names()[..2].to_vec(), 1), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_is_lost_is_not_repeated_when_it_took_effect() {
    for fault in [Fault::LoseAnswer, Fault::StallAfterEffect] {
        let (heroku, shop) = shop(2).await;
        let shop = shop.restart_lag(seconds(5));
        let service = Service::start(&heroku).await;
        heroku.misbehave(On::Restart, fault, 1);
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!((deletes(&heroku), shop.restarts().len()), (2, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_is_accepted_and_does_nothing_is_unconfirmed_and_the_pass_goes_on() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::Restart, Fault::AcceptWithoutEffect, 1);
    service.alert_and_pass("").await;
    assert_eq!(service.outcome("web.1"), Outcome::Unconfirmed);
    service.stop().await;
    assert_eq!((shop.restarts(), deletes(&heroku)), (vec!["web.2".to_owned(), "web.3".to_owned()], 3));
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_and_clamped() {
    for (retry_after, shortest, longest) in [("40", 40, 41), ("9999999", 300, 301), ("0", 1, 2)] {
        let (heroku, _) = shop(1).await;
        let service = Service::start(&heroku).await;
        heroku.misbehave(On::List, Fault::RetryAfter(retry_after), 1);
        service.alert_and_pass("").await;
        service.stop().await;
        let calls = heroku.calls();
        let pause = calls[2].at.saturating_sub(calls[1].at);
        assert!(pause >= seconds(shortest) && pause < seconds(longest), "{retry_after}: {pause:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_date_is_honoured_by_the_platforms_clock() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let in_100_seconds = heroku.now() + seconds(100);
    let date = in_100_seconds.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    // Version 2 of the API sent seconds since 1970.
    for (retry_after, shortest, longest) in
        [(date, 97, 102), ((in_100_seconds + seconds(100)).as_second().to_string(), 80, 102)]
    {
        let before = heroku.calls().len();
        heroku.misbehave(On::List, Fault::RetryAfter(retry_after.leak()), 1);
        service.alert_and_pass("dyno=web.9").await;
        let pause = heroku.calls()[before + 1].at.saturating_sub(heroku.calls()[before].at);
        assert!(pause > seconds(shortest) && pause < seconds(longest), "{pause:?}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_list_is_retried_for_15_minutes_with_growing_pauses() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Status(503), usize::MAX);
    service.alert_and_pass("").await;
    assert!(matches!(service.end(), Some(End::Api(Error::Unavailable(_)))));
    let calls = heroku.calls();
    let lasted = calls.last().expect("there were calls").at.saturating_sub(calls[1].at);
    assert!(lasted > seconds(13 * 60) && lasted <= seconds(15 * 60), "{lasted:?}");
    assert!(lists(&heroku) < 35, "{} lists", lists(&heroku));
    heroku.behave();
    let recovered = heroku.now();
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
    assert!(heroku.now().duration_since(recovered).as_secs() < 10, "an alert after an outage is acted on at once");
}

#[tokio::test(start_paused = true)]
async fn a_restart_that_always_fails_with_500_ends_the_pass_after_15_minutes() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::Restart, Fault::Status(500), usize::MAX);
    service.alert_and_pass("").await;
    let took = heroku.calls().last().expect("there were calls").at;
    assert!(took > seconds(13 * 60) && took < seconds(17 * 60), "{took:?}");
    assert!(deletes(&heroku) < 70, "{}", deletes(&heroku));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_while_a_dyno_boots_does_not_make_it_a_failure() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    heroku.misbehave(On::List, Fault::Status(500), 8);
    service.passes(1).await;
    assert_eq!(["web.1", "web.2"].map(|dyno| service.outcome(dyno).word()), ["restarted", "restarted"]);
    assert_eq!(service.end(), None);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_a_person_must_fix_ends_the_pass_without_a_retry_and_has_a_remedy() {
    for (status, remedy) in [(401, "make a new token"), (403, "a collaborator of the app"), (404, "check APP_NAME")] {
        let (heroku, _) = shop(2).await;
        let service = Service::start(&heroku).await;
        heroku.misbehave(On::List, Fault::Status(status), 1);
        service.alert_and_pass("").await;
        let Some(End::Api(error)) = service.end() else { panic!("{:?}", service.end()) };
        assert!(error.remedy().is_some_and(|text| text.contains(remedy)), "{error:?}");
        service.stop().await;
        assert_eq!((deletes(&heroku), lists(&heroku)), (0, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_only_read_ends_the_pass_at_the_first_restart() {
    let (heroku, shop) = shop(3).await;
    heroku.set_token_scope(&["read"]);
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert!(matches!(service.end(), Some(End::Api(Error::Forbidden(_)))));
    service.stop().await;
    assert_eq!((deletes(&heroku), shop.up("web")), (1, 3));
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_resets_the_backoff() {
    let (heroku, shop) = shop(8).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    for restarted in 1..=7 {
        heroku.until(|_| shop.restarts().len() == restarted).await;
        heroku.misbehave(On::List, Fault::Status(503), 1);
    }
    service.passes(1).await;
    service.stop().await;
    let calls = heroku.calls();
    let failed = calls.iter().enumerate().filter(|(_, call)| call.status == Some(503));
    let pauses: Vec<_> = failed.map(|(at, call)| calls[at + 1].at.saturating_sub(call.at)).collect();
    assert!(pauses.len() == 7 && pauses.iter().all(|pause| *pause <= seconds(1)), "{pauses:?}");
}
