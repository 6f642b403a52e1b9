//! `GET /status`: what scripts read. `docs/status.schema.json` describes it, and `docs/status.example.json` shows one.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use simulator::{Fault, Heroku, On};

use crate::drains;
use crate::page::get;
use crate::service::{KEY, Service, seconds, shop};

const SCHEMA: &str = include_str!("../../docs/status.schema.json");
const EXAMPLE: &str = include_str!("../../docs/status.example.json");

pub(crate) async fn status(service: &Service) -> Value {
    let url = format!("http://{}/status", service.address);
    let response = reqwest::Client::new().get(url).basic_auth("me", Some(KEY)).send().await.expect("answered");
    serde_json::from_str(&response.text().await.expect("whole")).expect("it is JSON")
}

/// The schema, with each object limited to the properties that it describes.
fn strict() -> jsonschema::Validator {
    fn limit(schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                fields.values_mut().for_each(limit);
                if fields.get("type") == Some(&json!("object")) {
                    fields.entry("additionalProperties").or_insert(json!(false));
                }
            }
            Value::Array(items) => items.iter_mut().for_each(limit),
            _ => {}
        }
    }
    let mut schema = serde_json::from_str(SCHEMA).expect("it is JSON");
    limit(&mut schema);
    jsonschema::options().should_validate_formats(true).build(&schema).expect("it is a schema")
}

fn assert_fits(status: &Value) {
    let errors: Vec<_> =
        strict().iter_errors(status).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}\n{status:#}");
}

/// A hold, a measurement, a report that counts, and requests that led to nothing.
async fn bad_night(service: &Service) {
    drains::post(service, drains::frame(0, "web.3", "Error R14 (Memory quota exceeded)")).await;
    drains::post(service, drains::memory(0, "web.3", 600)).await;
    service.alert_and_pass("").await;
    service.request(Method::POST, "key=wrong").send().await.expect("answered");
    service.request(Method::POST, "dry=1").bearer_auth(KEY).send().await.expect("answered");
    service.request(Method::POST, "").bearer_auth(KEY).body(r#"{"status":"resolved"}"#).send().await.expect("answered");
}

/// What does not depend on when the test runs.
fn without_times(status: &Value) -> Value {
    match status {
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let is_age = ["age_seconds", "seconds_since"].contains(&name.as_str()) && value.is_u64();
                (name.clone(), if is_age { json!("AGE") } else { without_times(value) })
            };
            fields.iter().map(field).collect()
        }
        Value::Array(items) => items.iter().map(without_times).collect(),
        Value::String(text) if text.parse::<Timestamp>().is_ok() => json!("TIME"),
        Value::String(text) => {
            let is_clock = |word: &&str| word.len() == 8 && word.matches(':').count() == 2;
            let clock = text.split(' ').find(is_clock).unwrap_or("no clock");
            json!(text.replace(clock, "CLOCK"))
        }
        _ => status.clone(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_lacks_a_field_or_has_another_type_does_not_fit_the_schema() {
    let example: Value = serde_json::from_str(EXAMPLE).expect("it is JSON");
    assert!(strict().is_valid(&example));
    for (path, value) in [("/ok", json!("yes")), ("/apps/0/dynos/0/age_seconds", json!(-1)), ("/now", json!("noon"))] {
        let mut wrong = example.clone();
        *wrong.pointer_mut(path).expect("it is there") = value;
        assert!(!strict().is_valid(&wrong), "{path}");
    }
    let mut lacking = example;
    lacking["apps"][0].as_object_mut().expect("an object").remove("holds");
    assert!(!strict().is_valid(&lacking));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_a_bad_night_is_the_one_in_the_docs() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").never_boots();
    let service = Service::with(&heroku, &[("TOLERANCE", "2 in 10m")]).await;
    bad_night(&service).await;
    let told = status(&service).await;
    service.stop().await;
    let example: Value = serde_json::from_str(EXAMPLE).expect("it is JSON");
    assert_eq!(without_times(&told), without_times(&example), "the status is now:\n{told:#}");
    assert_fits(&told);
}

#[tokio::test(start_paused = true)]
async fn the_status_of_one_app_leaves_the_others_out() {
    let (heroku, _) = shop(1).await;
    _ = heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "blog,shop")]).await;
    for query in ["app=blog&dry_run=true", "app=shop&dry_run=true"] {
        service.ask(query).await;
    }
    heroku.misbehave(On::List, Fault::Status(401), 1);
    service.alert_and_pass("app=shop").await;
    let told: Value = serde_json::from_str(&get(&service, "/status?app=blog").await).expect("it is JSON");
    assert_fits(&told);
    assert_eq!((&told["ok"], told["apps"].as_array().map(Vec::len)), (&json!(true), Some(1)), "{told:#}");
    assert_eq!((&told["apps"][0]["app"], told["alerts"].as_array().map(Vec::len)), (&json!("blog"), Some(1)));
    assert_eq!(status(&service).await["ok"], json!(false));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whatever_a_pass_waits_for_fits_the_schema() {
    type SetUp = fn(&Heroku);
    let cases: [(&str, u64, SetUp); 3] = [
        ("boot", 1, |_| {}),
        ("settle_time", 20, |_| {}),
        ("missing_dynos", 70, |heroku| drop(heroku.app("shop").dyno("web.3").crash())),
    ];
    for (waits_for, after, set_up) in cases {
        let (heroku, _) = shop(3).await;
        let service = Service::with(&heroku, &[("SETTLE_TIME", "1m")]).await;
        service.alert().await;
        tokio::time::sleep(seconds(3)).await;
        set_up(&heroku);
        service.alert().await;
        tokio::time::sleep(seconds(after)).await;
        let told = status(&service).await;
        assert!(told["apps"][0]["pass"]["waits_for"].to_string().contains(waits_for), "{waits_for}: {told:#}");
        assert_fits(&told);
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_given_up_on_fits_the_schema() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "1 in 1h")]).await;
    service.alert_and_pass("").await;
    tokio::time::sleep(seconds(400)).await;
    let told = status(&service).await;
    assert_eq!(told["apps"][0]["given_up"][0]["dyno"], json!("web.1"), "{told:#}");
    assert_fits(&told);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_waits_for_heroku_fits_the_schema() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Status(503), usize::MAX);
    service.alert().await;
    tokio::time::sleep(seconds(20)).await;
    let told = status(&service).await;
    assert_eq!(told["apps"][0]["pass"]["waits_for"], json!("heroku"), "{told:#}");
    assert_fits(&told);
    heroku.behave();
    service.passes(1).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_may_list_and_not_restart_is_on_the_status_until_a_restart_is_accepted() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::Restart, Fault::Status(403), 1);
    service.alert_and_pass("").await;
    let status = status(&service).await;
    let summary = status["summary"].as_str().expect("a sentence");
    assert!(summary.starts_with("Dynos of shop cannot be restarted: Heroku denied access: 403"), "{summary}");
    assert!(get(&service, "/ready").await.starts_with("Heroku refuses the calls for an app"));
    service.alert_and_pass("").await;
    assert!(get(&service, "/ready").await.starts_with("ready"));
    service.stop().await;
}
