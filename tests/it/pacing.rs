//! How often the Platform API is asked: its allowance is shared with everything else on the account.

use std::time::Duration;

use simulator::{Fault, Heroku, On};

use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn alerts_when_nothing_is_due_cost_at_most_six_calls_a_minute() {
    let (heroku, shop) = shop(2).await;
    for name in ["web.1", "web.2"] {
        shop.dyno(name).age(seconds(0));
    }
    let service = Service::with(&heroku, &[("MIN_AGE", "24h")]).await;
    let before = heroku.calls().len();
    for _ in 0..600 {
        service.alert().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    service.stop().await;
    let (busiest, calls) = (busiest_minute(&heroku, before), heroku.calls().len() - before);
    assert!(busiest <= 6 && calls >= 15 && deletes(&heroku) == 0, "{busiest} of {calls}");
}

#[tokio::test(start_paused = true)]
async fn alerts_when_restarts_are_refused_cost_at_most_six_calls_a_minute() {
    let (heroku, _) = shop(2).await;
    heroku.set_token_scope(&["read"]);
    let service = Service::start(&heroku).await;
    let before = heroku.calls().len();
    for _ in 0..600 {
        service.alert().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    service.stop().await;
    assert!(busiest_minute(&heroku, before) <= 6 && deletes(&heroku) >= 9, "{}", busiest_minute(&heroku, before));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_waits_for_missing_dynos_costs_at_most_six_calls_a_minute() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.2").set_state("starting").age(seconds(5));
    let service = Service::with(&heroku, &[("BOOT_TIMEOUT", "10m")]).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1 && shop.up("web") == 3).await;
    tokio::time::sleep(seconds(10)).await;
    shop.dyno("web.2").vanish();
    shop.dyno("web.3").crash();
    let before = heroku.calls().len();
    tokio::time::sleep(seconds(5 * 60)).await;
    assert!(busiest_minute(&heroku, before) <= 6, "{:#?}", &heroku.calls()[before..]);
    service.stop().await;
}

/// The most calls that were made within a minute, without the first `before` calls.
fn busiest_minute(heroku: &Heroku, before: usize) -> usize {
    let calls: Vec<_> = heroku.calls()[before..].iter().map(|call| call.at).collect();
    let in_minute = |from: &Duration| calls.iter().filter(|at| *from <= **at && **at < *from + seconds(60)).count();
    calls.iter().map(in_minute).max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn restarts_that_are_refused_again_and_again_cost_few_calls() {
    for (fault, most) in [(Fault::RetryAfter("0"), 80), (Fault::Status(404), 5)] {
        let (heroku, _) = shop(20).await;
        let service = Service::start(&heroku).await;
        heroku.misbehave(On::Restart, fault, usize::MAX);
        let before = heroku.calls().len();
        service.alert_and_pass("").await;
        let calls = heroku.calls().len() - before;
        assert!(calls <= most, "{calls} calls");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn polling_slows_down_when_the_rate_limit_runs_low() {
    let mut looks = Vec::new();
    for remaining in [4500, 200] {
        let (heroku, shop) = shop(1).await;
        let _ = shop.boot_time(seconds(90));
        let service = Service::start(&heroku).await;
        heroku.set_rate_limit_remaining(remaining);
        service.alert_and_pass("").await;
        service.stop().await;
        looks.push(lists(&heroku));
    }
    assert!(looks[0] > 25 && looks[1] < 12, "{looks:?}");
}

#[tokio::test(start_paused = true)]
async fn a_used_up_rate_limit_is_waited_for() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    heroku.set_rate_limit_remaining(0);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}
