//! Rule 1: alerts merge into one pass behind the running one, and none is dropped.

use std::sync::Arc;

use dyno_restarter::restart::{Outcome, Skip};

use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_thousand_alerts_at_once_restart_every_dyno_once() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    for _ in 0..20 {
        tokio::join!(ask_25(&service), ask_25(&service));
    }
    service.passes(2).await;
    assert_eq!(service.reports().iter().map(|report| report.alerts).sum::<u64>(), 1000);
    service.stop().await;
    assert_eq!((shop.restarts(), shop.fewest_up("web")), (shop.names()[..4].to_vec(), 3));
    assert_eq!(deletes(&heroku), 4);
    assert!(lists(&heroku) <= 12, "{} lists", lists(&heroku));
}

async fn ask_25(service: &Service) {
    for _ in 0..25 {
        service.alert().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_for_one_dyno_restarts_that_one() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.2").await;
    service.alert_and_pass("dyno=web.9").await;
    assert_eq!(service.outcome("web.9"), Outcome::Skipped(Skip::Unknown));
    let (status, text) = service.ask("dyno=worker.1").await;
    assert_eq!(
        (status, &*text),
        (200, "Ignored: it names only worker.1, and their process types are not in PROCESS_TYPES")
    );
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn alerts_for_different_dynos_merge_into_one_pass() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    for dyno in ["web.3", "web.2", "web.3"] {
        assert_eq!(service.ask(&format!("dyno={dyno}")).await.0, 202);
    }
    service.passes(2).await;
    let report = service.report();
    assert_eq!(report.dynos.keys().map(ToString::to_string).collect::<Vec<_>>(), ["web.2", "web.3"]);
    assert_eq!(report.alerts, 3);
    service.stop().await;
    assert_eq!(shop.restarts().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn apps_are_restarted_independently_of_each_other() {
    let (heroku, shop) = shop(3).await;
    let blog = heroku.create_app("blog").with("web", 2);
    shop.dyno("web.1").never_boots();
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(service.ask("app=shop").await.0, 202);
    assert_eq!(service.ask("app=blog").await.0, 202);
    service.passes(1).await;
    assert_eq!((service.reports().len(), shop.restarts().len(), blog.restarts().len()), (0, 1, 2));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_passes_that_restarted_nothing_the_latest_25_are_kept() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").crash();
    let service = Service::start(&heroku).await;
    for _ in 0..60 {
        service.alert().await;
        tokio::time::sleep(seconds(20)).await;
    }
    let reports = service.reports();
    assert!(reports.len() == 25 && reports.iter().all(|report| Arc::strong_count(report) == 2));
    service.stop().await;
}
