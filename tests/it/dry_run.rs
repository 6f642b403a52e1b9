//! A dry run says what a pass would restart, and restarts nothing.

use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_be_restarted_and_restarts_nothing() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").age(seconds(60));
    shop.dyno("web.3").crash();
    let service = Service::start(&heroku).await;
    let (status, text) = service.ask("dry_run=true").await;
    let expected = "Dry run over shop: nothing was restarted\nweb.1: would be restarted\n\
                    web.2: left alone: started 1m before the alert, MIN_AGE is 5m\nweb.3: left alone: it is crashed, not up\n";
    assert_eq!((status, text.as_str()), (200, expected));
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_why_the_dynos_cannot_be_listed() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.revoke_token();
    let (status, text) = service.ask("dry_run=true").await;
    assert!(status == 200 && text.contains("RESTART_API_KEY is wrong, expired or revoked"), "{status} {text}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_during_a_pass_says_so_at_once() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    let answer = service.ask("dry_run=true").await;
    assert_eq!(answer, (200, "A pass over shop is under way; ask again when it has ended".to_owned()));
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
async fn dry_runs_at_the_same_time_share_a_list() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let answers = tokio::join!(service.ask("dry_run=true"), service.ask("dry_run=true"), service.ask("dry_run=true"));
    assert_eq!((answers.0.0, answers.1.0, answers.2.0), (200, 200, 200));
    assert!(lists(&heroku) <= 3, "{}", lists(&heroku));
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
async fn a_dry_run_whose_sender_goes_away_triggers_nothing() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    drop(service.begin("/restart_web_dynos?dry_run=true", 1000, b"{").await);
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(deletes(&heroku), 0);
    drop(service.begin("/restart_web_dynos", 1000, b"{").await);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
