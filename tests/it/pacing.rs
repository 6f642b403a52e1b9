//! How often the Platform API is asked: its allowance is shared with everything else on the account.

use std::time::Duration;

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
    let calls: Vec<_> = heroku.calls()[before..].iter().map(|call| call.at).collect();
    let busiest =
        calls.iter().map(|from| calls.iter().filter(|at| (*from..*from + seconds(60)).contains(at)).count()).max();
    assert!(busiest <= Some(6) && calls.len() >= 15 && deletes(&heroku) == 0, "{busiest:?} of {}", calls.len());
}

#[tokio::test(start_paused = true)]
async fn alerts_when_restarts_are_refused_do_not_use_up_the_allowance() {
    let (heroku, _) = shop(2).await;
    heroku.set_token_scope(&["read"]);
    let service = Service::start(&heroku).await;
    for _ in 0..120 {
        service.alert().await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    service.stop().await;
    assert!(heroku.calls().len() <= 13, "{}", heroku.calls().len());
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
