//! A deploy while a pass is under way replaces every dyno.

use dyno_restarter::restart::{Outcome, Skip};

use crate::service::{Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_deploy_during_the_pass_leaves_nothing_to_restart() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.deploy();
    service.passes(1).await;
    service.stop().await;
    heroku.until(|_| shop.up("web") == 4).await;
    assert_eq!((deletes(&heroku), shop.up("web")), (1, 4));
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
    assert_eq!(service.outcome("web.1"), Outcome::Deployed { release: Some(43) });
    assert_eq!(service.outcome("web.2"), Outcome::Skipped(Skip::Deployed { release: Some(43) }));
    assert_eq!(service.end(), None);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_deploy_ends_no_hold_where_there_was_none() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    shop.deploy();
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("alerts restart dynos of shop again"), 0);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
