//! Rule 6: answers of the Platform API that are too long, malformed, or not what was asked for.

use dyno_restarter::heroku::Error;
use dyno_restarter::restart::{End, Failure, Outcome, Skip};
use serde_json::json;
use simulator::{Fault, Heroku, On};

use crate::service::{Service, deletes, lists, seconds, shop};

/// The error of the API that ended the last pass.
fn api_error(service: &Service) -> Error {
    match service.end() {
        Some(End::Api(error)) => error,
        end => panic!("no error of the API ended the pass, but {end:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_ends_the_pass() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::EndlessList, usize::MAX);
    service.alert_and_pass("").await;
    assert!(matches!(api_error(&service), Error::Endless(_)));
    service.stop().await;
    assert_eq!((lists(&heroku), deletes(&heroku)), (21, 0));
}

/// In real time: the paused clock would run away while megabytes are copied.
#[tokio::test]
async fn a_body_without_an_end_ends_the_pass() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::HugeBody, 1);
    service.alert_and_pass("").await;
    assert!(matches!(api_error(&service), Error::Endless(_)));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed_with_the_token() {
    let (heroku, _) = shop(1).await;
    let elsewhere = Heroku::start().await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Redirect(format!("{}/apps/shop/dynos", elsewhere.url())), 1);
    service.alert_and_pass("").await;
    let error = api_error(&service);
    assert!(matches!(error, Error::Refused(_)) && error.to_string().contains("302"), "{error}");
    service.stop().await;
    assert_eq!(elsewhere.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_message_with_control_characters_is_cut_to_one_line() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = format!(r#"{{"error":"\u001b[31mred\n{}"}}"#, "long ".repeat(1000));
    heroku.misbehave(On::List, Fault::Answer { status: 422, headers: vec![], body }, 1);
    service.alert_and_pass("").await;
    let told = api_error(&service).to_string();
    assert!(told.contains("422 [31mred long long") && told.contains("lo…"), "{told}");
    assert!(told.len() < 800 && !told.contains(char::is_control), "{told}");
    service.stop().await;
}

/// In real time: it is a large list.
#[tokio::test]
async fn a_list_of_several_pages_is_read_to_its_end() {
    let (heroku, _) = shop(1100).await;
    let service = Service::start(&heroku).await;
    let ranges: Vec<_> = heroku.calls().into_iter().map(|call| call.range.expect("it asks for a range")).collect();
    assert_eq!((ranges.len(), ranges[0].as_str()), (2, "name ..; max=1000"));
    let dry_run = service.ask("dry_run=true").await.1;
    assert_eq!(dry_run.lines().filter(|line| line.ends_with(": would be restarted")).count(), 1100);
    service.stop().await;
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
async fn unknown_states_and_absent_fields_are_tolerated() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.1").without("created_at");
    shop.dyno("web.2").without("id").without("updated_at").with_field("surprise", json!([1]));
    shop.dyno("web.3").set_state("hibernating");
    shop.dyno("web.4").with_field("state", json!(null));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    for (dyno, state) in [("web.3", "hibernating"), ("web.4", "")] {
        assert_eq!(service.outcome(dyno), Outcome::Skipped(Skip::NotUp(state.into())));
    }
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn characters_that_change_how_a_line_is_shown_never_reach_the_log() {
    const HOSTILE: &str = "a\u{202e}b\u{2028}c\u{2066}d\u{feff}e\u{85}f\u{7}g\nh\u{e0001}i";
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").set_state(HOSTILE);
    shop.dyno("web.2").with_field("created_at", json!(HOSTILE));
    shop.dyno("web.3").with_field("size", json!(HOSTILE));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    for body in [
        json!({ "id": HOSTILE, "message": HOSTILE }).to_string(),
        HOSTILE.to_owned(),
        json!([{ "name": HOSTILE, "state": 1 }]).to_string(),
    ] {
        for status in [200, 404, 422] {
            let fault = Fault::Answer { status, headers: vec![("request-id", "x".to_owned())], body: body.clone() };
            heroku.misbehave(On::List, fault, 1);
            service.alert_and_pass("force=true").await;
        }
    }
    let told = service.log.lines("");
    let hostile = |c: char| c.is_control() || HOSTILE.contains(c) && !c.is_ascii();
    let shown: Vec<_> = told.iter().filter(|line| line.contains(hostile)).collect();
    service.stop().await;
    assert!(shown.is_empty() && told.iter().any(|line| line.contains("a b c d e f g h i")), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_are_left_alone() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").with_field("created_at", json!("yesterday"));
    shop.dyno("web.2").with_field("name", json!("../web"));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_records_of_one_name_the_later_counts() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").age(seconds(10)).with_field("name", json!("web.1"));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let outcome = service.outcome("web.1");
    assert!(matches!(outcome, Outcome::Skipped(Skip::Young { age, .. }) if age.as_secs() == 10), "{outcome:?}");
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn every_call_has_the_user_agent_of_the_service() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    let user_agent = format!("dyno-restarter/{}", env!("CARGO_PKG_VERSION"));
    assert!(heroku.calls().iter().all(|call| call.user_agent.as_ref() == Some(&user_agent)));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_out_of_date_restarts_no_process_that_began_since() {
    let (heroku, shop) = shop(1).await;
    let request = reqwest::Client::new().get(format!("{}/apps/shop/dynos", heroku.url())).bearer_auth(Heroku::TOKEN);
    let request = request.header("accept", "application/vnd.heroku+json; version=3");
    let body = request.send().await.expect("answered").text().await.expect("whole");
    shop.dyno("web.1").restart_from_outside();
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Answer { status: 200, headers: vec![], body }, 1);
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_heroku_lists_and_does_not_find_stops_no_other() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::Restart, Fault::Status(404), 1);
    service.alert_and_pass("").await;
    assert!(matches!(service.outcome("web.1"), Outcome::Failed(Failure::Refused(_))));
    assert_eq!((shop.restarts(), service.end()), (vec!["web.2".to_owned(), "web.3".to_owned()], None));
    service.stop().await;
}
