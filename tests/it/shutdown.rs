//! Rule 7: when shutdown is requested, or a task panics, the restarts in flight are waited for and nothing new begins.

use dyno_restarter::restart::{End, Failure, Outcome};
use simulator::{App, Fault, Heroku, On};
use tokio::io::AsyncReadExt;

use crate::service::{KEY, Service, deletes, lists, seconds, shop};

/// What the task of the app `shop` logs at the end of a pass, where the tests make it panic.
const END_OF_PASS: &str = "pass over shop";

/// A shop whose passes end at once, as its only dyno is not running, and a blog with one dyno in flight.
async fn shop_and_blog(heroku: &Heroku, shop: &App) -> (App, Service) {
    shop.dyno("web.1").crash();
    let blog = heroku.create_app("blog").with("web", 2).boot_time(seconds(15));
    let service = Service::with(heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(service.ask("app=blog").await.0, 202);
    heroku.until(|_| blog.restarts().len() == 1).await;
    (blog, service)
}

#[tokio::test(start_paused = true)]
async fn the_dyno_in_flight_is_waited_for_and_the_rest_is_not_restarted() {
    let (heroku, shop) = shop(4).await;
    let shop = shop.boot_time(seconds(15));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(service.outcome("web.1").word(), "restarted");
    assert_eq!(["web.2", "web.3", "web.4"].map(|dyno| service.outcome(dyno)), [const { Outcome::Due }; 3]);
    assert_eq!(service.end(), Some(End::Stopped { waiting: None, trouble: None }));
    assert_eq!((shop.restarts().len(), shop.state("web.1").as_str()), (1, "up"));
}

#[tokio::test(start_paused = true)]
async fn no_restart_begins_after_shutdown_was_requested() {
    let (heroku, shop) = shop(5).await;
    let shop = shop.boot_time(seconds(20));
    let mut service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert().await;
    heroku.until(|heroku| lists(heroku) == 2).await;
    heroku.misbehave(On::List, Fault::Stall, 1);
    heroku.until(|heroku| shop.restarts().len() == 1 && lists(heroku) == 3).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(deletes(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn during_shutdown_alerts_and_dry_runs_are_answered_503() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(15));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    service.until_stopping().await;
    assert_eq!(service.ask("").await.0, 503);
    assert_eq!(service.ask("dry_run=true").await.0, 503);
    service.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn a_dyno_in_flight_is_waited_for_25_seconds_and_no_longer() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").never_boots();
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    let began = tokio::time::Instant::now();
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(began.elapsed() >= seconds(25) && began.elapsed() < seconds(28), "{:?}", began.elapsed());
    assert_eq!(service.outcome("web.1"), Outcome::Failed(Failure::NotSeenUp));
}

#[tokio::test(start_paused = true)]
async fn the_report_says_what_alerts_asked_for_that_waited_for_the_next_pass() {
    let (heroku, shop) = shop(3).await;
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    service.alert().await;
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(["web.2", "web.3"].map(|dyno| service.outcome(dyno)), [Outcome::Due, Outcome::Due]);
    assert_eq!(service.end(), Some(End::Stopped { waiting: Some("all watched dynos".to_owned()), trouble: None }));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_is_cut_short_while_heroku_fails_says_so_and_what_was_asked_for() {
    let (heroku, _) = shop(3).await;
    let mut service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Status(503), usize::MAX);
    service.alert().await;
    service.log.until(|log| log.count("Heroku is unavailable: 503") > 1).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let report =
        service.log.lines("the restarter is being shut down while calls to Heroku fail (Heroku is unavailable: 503");
    let asked = "alerts that waited are dropped: they asked for all watched dynos";
    assert!(report.len() == 1 && report[0].contains(asked), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn with_nothing_in_flight_the_service_ends_at_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let began = tokio::time::Instant::now();
    service.stop().await;
    assert!(began.elapsed() < seconds(1), "{:?}", began.elapsed());
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn during_an_outage_of_the_api_the_service_ends_at_once() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Stall, usize::MAX);
    service.alert().await;
    heroku.until(|heroku| heroku.calls().len() == 2).await;
    let began = tokio::time::Instant::now();
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(began.elapsed() < seconds(3) && deletes(&heroku) == 0, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_task_of_an_app_ends_the_service_with_an_error() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    service.log.panic_at(END_OF_PASS);
    heroku.misbehave(On::List, Fault::Status(401), 1);
    service.alert().await;
    let error = service.ended().await.expect_err("it does not live on").to_string();
    assert!(error.contains("the task that restarts dynos ended unexpectedly") && error.contains("panic"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_the_dyno_in_flight_of_another_app_is_waited_for_and_alerts_are_answered_503() {
    let (heroku, shop) = shop(1).await;
    let (blog, mut service) = shop_and_blog(&heroku, &shop).await;
    service.log.panic_at(END_OF_PASS);
    assert_eq!(service.ask("app=shop").await.0, 202);
    service.until_stopping().await;
    assert_eq!(service.ask("app=blog").await.0, 503);
    let error = service.ended().await.expect_err("it does not live on").to_string();
    assert!(error.contains("ended unexpectedly") && error.contains("panic"), "{error}");
    assert_eq!((blog.restarts(), blog.state("web.1").as_str()), (vec!["web.1".to_owned()], "up"));
}

#[tokio::test(start_paused = true)]
async fn after_a_panic_the_dyno_in_flight_of_another_app_is_waited_for_25_seconds_and_no_longer() {
    let (heroku, shop) = shop(1).await;
    let (blog, mut service) = shop_and_blog(&heroku, &shop).await;
    blog.boot_time(seconds(300));
    let began = tokio::time::Instant::now();
    service.log.panic_at(END_OF_PASS);
    assert_eq!(service.ask("app=shop").await.0, 202);
    service.ended().await.expect_err("it does not live on");
    assert!(began.elapsed() < seconds(28), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_code_of_a_request_ends_the_service_with_an_error() {
    for (line, path, key) in [
        ("an alert for shop was accepted", "restart_web_dynos", KEY),
        ("refused a request", "restart_web_dynos", "wrong"),
        ("was not read: the app in the URL is not watched here", "drain?app=nosuch", KEY),
    ] {
        let (heroku, _) = shop(1).await;
        let mut service = Service::start(&heroku).await;
        service.log.panic_at(line);
        let request = reqwest::Client::new().post(format!("http://{}/{path}", service.address)).bearer_auth(key);
        assert!(request.send().await.is_err(), "{line}");
        let error = service.ended().await.expect_err("it does not live on").to_string();
        assert_eq!(error, "the code that handles a request panicked", "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_code_of_a_request_during_shutdown_is_an_error() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    service.log.panic_at("refused a request");
    assert!(service.request(reqwest::Method::POST, "key=wrong").send().await.is_err());
    service.ended().await.expect_err("a request was not handled");
}

#[tokio::test(start_paused = true)]
async fn a_panic_during_shutdown_is_an_error() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    service.log.panic_at(END_OF_PASS);
    let error = service.ended().await.expect_err("one task did not end well").to_string();
    assert!(error.contains("ended unexpectedly") && error.contains("panic"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_the_api_does_not_answer_does_not_outlive_the_deadline() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").never_boots();
    let mut service = Service::start(&heroku).await;
    heroku.misbehave(On::Formation, Fault::Stall, usize::MAX);
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.terminate();
    tokio::time::sleep(seconds(22)).await;
    shop.dyno("web.1").vanish();
    service.ended().await.expect("it ends well");
    assert!(matches!(service.end(), Some(End::Stopped { .. })));
    assert!(matches!(service.outcome("web.1"), Outcome::Failed(Failure::NotSeenUp)));
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_heroku_asks_for_does_not_hide_that_the_dyno_in_hand_is_up() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(5));
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    heroku.misbehave(On::List, Fault::RetryAfter("120"), 1);
    tokio::time::sleep(seconds(4)).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    assert!(matches!(service.outcome("web.1"), Outcome::Restarted { .. }), "{:?}", service.report());
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_is_on_its_way_at_shutdown_is_answered_503_and_logged() {
    let (heroku, shop) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    let mut stream = service.begin("/restart_web_dynos", 100, b"{").await;
    tokio::time::sleep(seconds(1)).await;
    service.terminate();
    let mut answer = [0; 13];
    {
        let mut ended = std::pin::pin!(service.ended());
        tokio::select! {
            biased;
            _ = &mut ended => panic!("the service ended before it answered"),
            read = stream.read_exact(&mut answer) => assert_eq!(read.expect("answered"), 13),
        }
        ended.await.expect("it ends well");
    }
    assert_eq!(&answer, b"HTTP/1.1 503 ");
    assert_eq!(service.log.count("because the service is being shut down (key 1)"), 1);
    assert!(shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_log_has_only_counted_is_written_at_the_end() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    for _ in 0..15 {
        service.alert().await;
        assert_eq!(service.ask("app=nosuch").await.0, 400);
    }
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(service.log.count("was accepted and asks for all watched dynos"), 11);
    assert_eq!(service.log.count("(5 times within the last minute)"), 1);
    assert_eq!(service.log.count("accepted: shop (14 times within the last minute) (key 1)."), 1);
}
