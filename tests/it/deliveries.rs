//! An alert that is delivered several times counts once, and only an alert that was acted on counts as delivered.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{KEY, Service, first_line, shop};

const TRIGGERED: &str = "Restart triggered";
const REPEATED: &str = "Already triggered: this alert came before";

/// The text of the answer to an alert with this ID and body.
async fn deliver(service: &Service, query: &str, id: &str, body: Value) -> String {
    let request = service.request(Method::POST, query).bearer_auth(KEY).header("webhook-id", id);
    first_line(&request.body(body.to_string()).send().await.expect("answered").text().await.expect("whole"))
}

async fn post(service: &Service, query: &str, body: &Value) -> String {
    let request = service.request(Method::POST, query).bearer_auth(KEY).body(body.to_string());
    first_line(&request.send().await.expect("answered").text().await.expect("whole"))
}

#[tokio::test(start_paused = true)]
async fn the_same_sequence_number_in_another_alert_is_no_repetition() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let alert = |dyno: &str| json!({ "sequence": 1, "labels": { "dyno": dyno } });
    for dyno in ["web.1", "web.2"] {
        assert_eq!(post(&service, "scope=affected", &alert(dyno)).await, TRIGGERED, "{dyno}");
        assert_eq!(post(&service, "scope=affected", &alert(dyno)).await, REPEATED, "{dyno}");
    }
    heroku.until(|_| shop.restarts().len() == 2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_was_answered_400_is_acted_on_when_its_body_is_corrected() {
    let (heroku, _) = shop(1).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(deliver(&service, "", "7", json!({})).await, "app is missing; accepted: blog, shop");
    assert_eq!(deliver(&service, "", "7", json!({ "app": "shop" })).await, TRIGGERED);
    assert_eq!(deliver(&service, "", "7", json!({ "app": "shop" })).await, REPEATED);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_was_ignored_is_acted_on_when_it_comes_again_and_is_firing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    assert_eq!(deliver(&service, "", "7", json!({ "status": "resolved" })).await, "Ignored: the alert has recovered");
    assert_eq!(deliver(&service, "", "7", json!({ "status": "firing" })).await, TRIGGERED);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ids_that_differ_in_their_last_character_only_are_two_deliveries() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let long = "x".repeat(1_000);
    for end in ["1", "2"] {
        assert_eq!(deliver(&service, "", &format!("{long}{end}"), json!({})).await, TRIGGERED, "{end}");
        assert_eq!(deliver(&service, "", &format!("{long}{end}"), json!({})).await, REPEATED, "{end}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_equal_deliveries_at_the_same_time_one_is_acted_on() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let twice = tokio::join!(deliver(&service, "", "7", json!({})), deliver(&service, "", "7", json!({})));
    let mut texts = [twice.0, twice.1];
    texts.sort();
    assert_eq!(texts, [REPEATED, TRIGGERED]);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_delivery_whose_pass_failed_on_a_401_is_acted_on_when_it_comes_again() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(simulator::On::List, simulator::Fault::Status(401), 1);
    assert_eq!(deliver(&service, "", "7", json!({})).await, TRIGGERED);
    service.passes(1).await;
    assert_eq!(deliver(&service, "", "7", json!({})).await, TRIGGERED);
    service.passes(2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
