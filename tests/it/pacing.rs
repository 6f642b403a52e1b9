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

/// The most calls that were made within a minute, from this one on.
fn busiest_minute(heroku: &Heroku, before: usize) -> usize {
    let calls: Vec<_> = heroku.calls()[before..].iter().map(|call| call.at).collect();
    let in_minute = |from: &Duration| calls.iter().filter(|at| (*from..*from + seconds(60)).contains(at)).count();
    calls.iter().map(in_minute).max().unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn one_empty_list_does_not_lose_an_alert() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let empty = Fault::Answer { status: 200, headers: vec![], body: "[]".to_owned() };
    heroku.misbehave(On::List, empty, 1);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
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
async fn the_third_dry_run_in_a_row_is_answered_at_once_and_says_how_old_its_list_is() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..2 {
        assert!(service.ask("dry_run=true").await.1.starts_with("Dry run over shop: nothing was restarted"));
        tokio::time::sleep(seconds(2)).await;
    }
    let text = service.ask("dry_run=true").await.1;
    assert!(text.starts_with("Dry run over shop (as of 2s ago): nothing was restarted\nweb.1: would"), "{text}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_right_after_a_dry_run_is_acted_on_at_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let began = tokio::time::Instant::now();
    assert_eq!(service.ask("dry_run=true").await.0, 200);
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert!(began.elapsed() < seconds(1));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn many_dry_runs_at_once_are_one_look() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let answers = tokio::join!(service.ask("dry_run=true"), service.ask("dry_run=true"), service.ask("dry_run=true"));
    assert_eq!((answers.0.0, answers.1.0, answers.2.0), (200, 200, 200));
    assert!(lists(&heroku) <= 3, "{}", lists(&heroku));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn it_looks_less_often_when_the_allowance_runs_low() {
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
async fn an_allowance_that_is_used_up_is_waited_for() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    heroku.set_rate_limit_remaining(0);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}
