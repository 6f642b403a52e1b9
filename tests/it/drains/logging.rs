//! What the service logs about a drain.

use super::{R14, attach, frame, post, trouble};
use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn batches_are_not_logged_at_info() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let lines =
        |service: &Service| service.log.lines("dyno_restarter").iter().filter(|line| !line.contains("DEBUG")).count();
    let before = lines(&service);
    attach(&shop.clone().runtime_metrics(), &service).await;
    shop.traffic(20.0);
    tokio::time::sleep(seconds(60)).await;
    shop.traffic(0.0);
    shop.drained().await;
    assert_eq!(service.log.count("dyno_restarter::drain::app_drain: receiving the log of shop from drain d."), 1);
    assert_eq!(lines(&service), before + 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_drain_of_an_app_is_logged() {
    let (heroku, shop) = shop(1).await;
    let staging = heroku.create_app("shop-staging").with("web", 1);
    let service = Service::start(&heroku).await;
    attach(&shop, &service).await;
    attach(&staging, &service).await;
    for app in [&shop, &staging] {
        app.platform_line("web.1", R14, seconds(0));
        app.drained().await;
    }
    assert_eq!(service.log.count("receiving the log of shop from another drain, d."), 1);
    assert_eq!(service.log.count("; there are 2 now."), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_of_an_unwatched_type_is_logged_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..3 {
        post(&service, trouble("worker.1")).await;
    }
    let line = "ignoring worker.1 of shop (Error R14): its process type is not in PROCESS_TYPES";
    assert_eq!(service.log.lines(line).iter().filter(|line| line.contains("INFO")).count(), 1);
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_stays_in_trouble_is_logged_every_ten_minutes() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("MIN_AGE", "3h")]).await;
    attach(&shop, &service).await;
    for (reports, logged) in [(30, 1), (6, 2)] {
        for _ in 0..reports {
            shop.platform_line("web.1", R14, seconds(0));
            tokio::time::sleep(seconds(20)).await;
        }
        assert_eq!(service.log.count("dyno_restarter::drain::app_drain: web.1 of shop is in trouble"), logged);
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn reports_that_lead_to_nothing_are_told_one_by_one_at_debug_and_together_every_ten_minutes() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    for dyno in ["web.1", "worker.1", "web.1"] {
        post(&service, frame(0, dyno, R14)).await;
    }
    post(&service, frame(3000, "web.2", R14)).await;
    assert_eq!(service.log.count("dyno_restarter::drain::app_drain: web.1 of shop: Error R14, report 2 of 3"), 1);
    tokio::time::sleep(seconds(601)).await;
    post(&service, trouble("web.2")).await;
    let told = service.log.lines("that caused no restart").pop().expect("it is told");
    for part in ["2 of web.1, where TOLERANCE asks for 3 within 2m", "1 that were too old", "1 of process types"] {
        assert!(told.contains(part), "{told}");
    }
    service.stop().await;
}
