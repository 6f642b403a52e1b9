//! What a person reads in the log: what is watched, the plan of a pass, one line for each dyno, and the report.
//!
//! Only here do tests of the restart rules depend on sentences; everywhere else they read the reports.

use simulator::{Fault, On};

use crate::service::{Service, seconds, shop};

const REPORT: &str = ": pass over shop";

/// The levels at which the reports were logged, oldest first.
fn report_levels(service: &Service) -> Vec<String> {
    let level = |line: &String| line.split_whitespace().next().unwrap_or_default().to_owned();
    service.log.lines(REPORT).iter().map(level).collect()
}

#[tokio::test(start_paused = true)]
async fn at_the_start_it_is_logged_what_is_watched() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").crash();
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog"), ("PROCESS_TYPES", "web,worker")]).await;
    assert_eq!(service.log.count("watching shop: 2 web dynos up and 1 worker dyno up"), 1);
    assert_eq!(service.log.count("watching blog: 1 web dyno up and 0 worker dynos up"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_the_start_it_is_logged_what_is_wrong_and_how_to_fix_it_and_alerts_are_acted_on_all_the_same() {
    for (status, level, remedy) in [
        (401, "ERROR", "RESTART_API_KEY is wrong, expired or revoked"),
        (403, "ERROR", "make it a collaborator"),
        (404, "ERROR", "check APP_NAME"),
        (503, "WARN", "alerts are accepted all the same"),
    ] {
        let (heroku, shop) = shop(1).await;
        heroku.misbehave(On::List, Fault::Status(status), 1);
        let service = Service::start(&heroku).await;
        let lines = service.log.lines(level);
        assert!(lines.len() == 1 && lines[0].contains(remedy), "{status}: {lines:?}");
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1"]);
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_start_process_types_that_the_app_does_not_have_are_a_warning() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "web,wbe")]).await;
    assert_eq!(service.log.count("WARN"), 1);
    assert_eq!(service.log.count("shop has no wbe dynos (it has: web and worker); check PROCESS_TYPES"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_the_start_a_token_with_too_large_or_too_small_a_scope_is_logged() {
    for (scope, level, text) in [
        ("global", "WARN", "RESTART_API_KEY has the scope global"),
        ("read", "ERROR", "can list the dynos of shop but not restart them: its scope is read"),
    ] {
        let (heroku, _) = shop(1).await;
        heroku.set_token_scope(&[scope]);
        let service = Service::start(&heroku).await;
        let lines = service.log.lines(level);
        assert!(lines.len() == 1 && lines[0].contains(text), "{lines:?}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_pass_logs_its_plan_a_line_for_each_dyno_and_its_report() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").crash();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let lines = service.log.lines(" INFO dyno_restarter::restart").into_iter();
    let sentences: Vec<_> = lines
        .filter_map(|line| Some(line.split_once(": ")?.1.split(" event=").next()?.split(" app=").next()?.to_owned()))
        .collect();
    let report = "pass over shop (1 alert, 12s): restarted web.1 and web.3; left alone web.2 (it is crashed, not up)";
    let second = "web.2 of shop: left alone: it is crashed, not up";
    let [first, third] = ["web.1", "web.3"].map(|dyno| format!("{dyno} of shop: restarted, up again after 6s"));
    let plan = "restarting web.1 and web.3 of shop, in turn: alerts asked for all watched dynos";
    assert_eq!(sentences, ["watching shop: 2 web dynos up", second, plan, &first, &third, report]);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_an_error_and_the_hold_after_it_is_a_warning_until_it_ends() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.alert_and_pass("").await;
    let held = service.log.lines(REPORT).pop().unwrap_or_default();
    assert!(held.contains("web.3 (automatic restarts are on hold: web.2 is not up after its restart)"), "{held}");
    shop.dyno("web.2").comes_up();
    service.alert_and_pass("").await;
    assert_eq!(report_levels(&service), ["ERROR", "WARN", "INFO"]);
    assert_eq!(service.log.count("did not get to web.3; ended early: web.2 did not come up"), 1);
    assert_eq!(service.log.count("alerts restart dynos of shop again: web.2 is up"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_ends_because_too_few_dynos_run_is_a_warning() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.4").crash();
    service.passes(1).await;
    assert_eq!(report_levels(&service), ["WARN"]);
    assert_eq!(service.log.count("ended early: only 3 dynos are up and 4 are needed"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_api_that_a_person_must_fix_is_one_error_with_a_remedy_and_the_request_id() {
    for (status, remedy) in [(401, "make a new token"), (403, "a collaborator of the app"), (404, "check APP_NAME")] {
        let (heroku, _) = shop(2).await;
        let service = Service::start(&heroku).await;
        heroku.misbehave(On::List, Fault::Status(status), 1);
        service.alert_and_pass("").await;
        let lines = service.log.lines("ERROR");
        assert!(lines.len() == 1 && lines[0].contains(remedy) && lines[0].contains("Request-Id"), "{lines:?}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_reason_why_a_dyno_is_left_alone_is_logged_once() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").crash();
    let service = Service::start(&heroku).await;
    for _ in 0..3 {
        service.alert_and_pass("").await;
    }
    let lines = service.log.lines("web.2 of shop: left alone");
    assert_eq!((lines.len(), lines.iter().filter(|line| line.contains("INFO")).count()), (3, 1), "{lines:?}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn giving_up_on_a_dyno_and_its_end_are_logged_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..8 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(6 * 60)).await;
    }
    assert_eq!(service.log.count("giving up on web.1 of shop"), 1);
    tokio::time::sleep(seconds(15 * 60)).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("web.1 of shop may be restarted again"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_are_logged_at_the_start_and_in_each_pass() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").with_field("created_at", serde_json::json!("yesterday"));
    shop.dyno("web.2").with_field("name", serde_json::json!("../web"));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("2 records in Heroku's list of shop cannot be read"), 2);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_one_warning_names_the_dynos_not_restarted_and_the_alerts_that_waited() {
    let (heroku, shop) = shop(3).await;
    let mut service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    service.alert().await;
    service.terminate();
    service.ended().await.expect("it ends well");
    let lines = service.log.lines("WARN");
    let not_restarted =
        "restarted web.1; did not get to web.2 and web.3; ended early: the restarter is being shut down";
    assert!(lines.len() == 1 && lines[0].contains(not_restarted), "{lines:?}");
    assert!(lines[0].contains("alerts that waited are dropped: they asked for all watched dynos"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn at_shutdown_one_warning_names_the_alerts_that_waited_behind_a_complete_pass() {
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
