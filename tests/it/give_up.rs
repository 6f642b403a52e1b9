//! Rule 5: a dyno that was restarted too often is left alone, because restarts do not help.

use dyno_restarter::restart::{Outcome, Skip};

use crate::service::{Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_dyno_is_given_up_on_after_three_restarts_and_restarted_again_when_the_window_has_passed() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..8 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    let outcome = service.outcome("web.1");
    assert!(matches!(outcome, Outcome::Skipped(Skip::GivenUp { restarts: 3, window, .. }) if window == seconds(3600)));
    assert_eq!(shop.restarts().len(), 3);
    tokio::time::sleep(seconds(15 * 60)).await;
    service.alert_and_pass("").await;
    assert_eq!((shop.restarts().len(), service.outcome("web.1").word()), (4, "restarted"));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_one_dyno_leaves_the_others_to_be_restarted() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "1 in 1h")]).await;
    service.alert_and_pass("dyno=web.1").await;
    tokio::time::sleep(seconds(6 * 60)).await;
    service.alert_and_pass("").await;
    assert!(matches!(service.outcome("web.1"), Outcome::Skipped(Skip::GivenUp { restarts: 1, .. })));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}
