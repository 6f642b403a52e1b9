//! The end: what is finished, what is refused, what is said.

use std::sync::Arc;

use dyno_restarter::heroku::{Client, Settings};
use dyno_restarter::http::params::Request;
use dyno_restarter::http::webhook::Hearings;
use dyno_restarter::restart::{AppName, GiveUp, Policy, ProcessType, Restarter, Target, Trigger, When, Workers};
use dyno_restarter::shutdown::{self, Switch};
use simulator::Heroku;

use crate::service::{Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn when_told_to_end_the_dyno_in_hand_is_seen_through_and_the_rest_is_named() {
    let (heroku, shop) = shop(4).await;
    let shop = shop.boot_time(seconds(15));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let told = service.log.lines("WARN");
    let expected =
        "restarted web.1; did not get to web.2, web.3 and web.4; ended early: the restarter is being shut down";
    assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    assert_eq!((shop.restarts().len(), shop.state("web.1").as_str()), (1, "up"));
}

#[tokio::test(start_paused = true)]
async fn while_it_ends_new_alerts_are_answered_503() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(15));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    service.log.until(|log| log.count("shutting down") == 1).await;
    assert_eq!(service.ask("").await.0, 503);
    assert_eq!(service.ask("dry_run=true").await.0, 503);
    service.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn a_dyno_in_hand_is_waited_for_25_seconds_and_no_longer() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").never_boots();
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    let began = tokio::time::Instant::now();
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(began.elapsed() >= seconds(25) && began.elapsed() < seconds(28), "{:?}", began.elapsed());
    assert_eq!(service.log.count("web.1 of shop: failed: restarted, but the pass ended before it was seen up"), 1);
}

#[tokio::test(start_paused = true)]
async fn alerts_that_wait_for_the_next_pass_are_named_when_it_ends() {
    let (heroku, shop) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert_eq!(service.ask("dyno=web.1").await.0, 202);
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(service.log.count("WARN"), 1);
    assert_eq!(service.log.count("and alerts for shop are dropped: they asked for web.1"), 1);
}

#[tokio::test(start_paused = true)]
async fn one_warning_names_what_the_pass_did_not_get_to_and_the_alerts_that_waited() {
    let (heroku, shop) = shop(3).await;
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    service.alert().await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let told = service.log.lines("WARN");
    assert!(told.len() == 1 && told[0].contains("did not get to web.2 and web.3; ended early"), "{told:?}");
    assert!(told[0].contains("alerts that waited are dropped: they asked for all watched dynos"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn with_nothing_in_hand_it_ends_at_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let began = tokio::time::Instant::now();
    service.stop().await;
    assert!(began.elapsed() < seconds(1), "{:?}", began.elapsed());
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_once_in_the_middle_of_an_outage() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    heroku.misbehave(simulator::On::List, simulator::Fault::Stall, usize::MAX);
    service.alert().await;
    heroku.until(|heroku| heroku.calls().len() == 2).await;
    let began = tokio::time::Instant::now();
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(began.elapsed() < seconds(3) && deletes(&heroku) == 0, "{:?}", began.elapsed());
}

/// A log that panics stands for a mistake in the code of a task.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_task_of_an_app_ends_the_service_with_an_error() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    let panicking = tracing_subscriber::fmt().with_writer(|| -> std::io::Sink { panic!("a mistake") }).finish();
    let guard = tracing::subscriber::set_default(panicking);
    heroku.misbehave(simulator::On::List, simulator::Fault::Status(401), 1);
    service.alert().await;
    let error = service.ended().await.expect_err("it does not live on").to_string();
    drop(guard);
    assert!(error.contains("the task that restarts dynos ended unexpectedly") && error.contains("panic"), "{error}");
}

/// What makes the passes over `shop`, without a server in front.
fn restarter(heroku: &Heroku) -> (Restarter, Workers, Switch) {
    let client = Client::new(Settings { api_url: heroku.url().parse().expect("a URL"), token: Heroku::TOKEN.into() });
    let policy = Policy {
        process_types: vec![ProcessType::parse("web").expect("a type")],
        min_age: seconds(300),
        boot_timeout: seconds(120),
        settle_time: seconds(0),
        max_unavailable: std::num::NonZeroUsize::MIN,
        give_up_after: GiveUp { restarts: std::num::NonZeroUsize::new(3).expect("not zero"), window: seconds(3600) },
    };
    let (switch, end) = shutdown::switch();
    let (restarter, workers) = Restarter::start(&[app()], &client.expect("a client"), &policy, &end);
    (restarter, workers, switch)
}

fn app() -> AppName {
    AppName::parse("shop").expect("a name")
}

#[tokio::test(start_paused = true)]
async fn the_last_50_reports_are_kept() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").crash();
    let (restarter, mut workers, switch) = restarter(&heroku);
    for _ in 0..60 {
        restarter
            .trigger(
                &app(),
                Trigger { target: Target::all(When::Now), force: false, arrived: tokio::time::Instant::now() },
            )
            .expect("taken");
        tokio::time::sleep(seconds(20)).await;
    }
    let reports = restarter.reports(&app());
    assert!(reports.len() == 50 && reports.iter().all(|report| Arc::strong_count(report) == 2));
    switch.stop();
    assert!(workers.next_end().await.is_some_and(|end| end.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn an_alert_whose_hearing_ends_before_its_body_has_come_triggers_unless_it_is_dismissed() {
    let (heroku, shop) = shop(1).await;
    let (restarter, mut workers, switch) = restarter(&heroku);
    let hearings = Hearings::new(restarter.clone());
    let (head, ()) = axum::http::Request::post("/restart_web_dynos").body(()).expect("a request").into_parts();
    let open = |query| hearings.open(&head, Request::parse(query, &restarter).expect("it is right"), None);
    open("").dismiss();
    drop(open("dry_run=true"));
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
    drop(open(""));
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    switch.stop();
    assert!(workers.next_end().await.is_some_and(|end| end.is_ok()));
}
