//! An alert that is delivered several times counts once, and only an alert that was acted on counts as delivered.

use dyno_restarter::SeenIds;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::affected::{post, post_and_pass};
use crate::service::{KEY, Service, first_line, lists, seconds, shop};

const TRIGGERED: &str = "Restart triggered";
const REPEATED: &str = "Already triggered: this alert came before";

/// The text of the answer to an alert with this ID and body.
async fn deliver(service: &Service, query: &str, id: &str, body: Value) -> String {
    let request = service.request(Method::POST, query).bearer_auth(KEY).header("webhook-id", id);
    first_line(&request.body(body.to_string()).send().await.expect("answered").text().await.expect("whole"))
}

#[tokio::test(start_paused = true)]
async fn the_same_sequence_number_in_another_alert_is_no_repetition() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let alert = |dyno: &str| json!({ "sequence": 1, "labels": { "dyno": dyno } });
    for dyno in ["web.1", "web.2"] {
        assert_eq!(post(&service, "scope=affected", &alert(dyno)).await.1, TRIGGERED, "{dyno}");
        assert_eq!(post(&service, "scope=affected", &alert(dyno)).await.1, REPEATED, "{dyno}");
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

#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_repeated_within_ten_minutes_costs_nothing() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "event": { "s": 40_634_540_484_u64, "m": "Error R14" } });
    post_and_pass(&service, "", &body).await;
    let calls = heroku.calls().len();
    tokio::time::sleep(seconds(590)).await;
    let again = post(&service, "", &body).await;
    assert_eq!(again, (202, REPEATED.to_owned()));
    assert_eq!(heroku.calls().len(), calls);
    tokio::time::sleep(seconds(20)).await;
    post_and_pass(&service, "", &body).await;
    service.stop().await;
    assert_eq!(shop.restarts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_delivery_is_recognised_by_its_id_its_nonce_or_its_sequence() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let deliver = async |header: &'static str, body: Value| {
        let request = service.request(Method::POST, "").bearer_auth(KEY).header(header, "abc").body(body.to_string());
        first_line(&request.send().await.expect("answered").text().await.expect("whole"))
    };
    for header in ["webhook-id", "x-le-nonce", "request-id", "idempotency-key", "x-honeycomb-webhook-delivery-id"]
        .into_iter()
        .chain(["svix-id", "x-amz-sns-message-id", "x-github-delivery"])
    {
        assert_eq!(deliver(header, json!({})).await, TRIGGERED, "{header}");
        assert!(deliver(header, json!({ "other": 1 })).await == REPEATED, "{header}");
    }
    for body in [
        json!({ "max_id": "12", "min_id": "11" }),
        json!({ "max_id": "12", "min_id": "10" }),
        json!({ "Type": "Notification", "MessageId": "22b80b92" }),
        json!({ "delivery_id": "7c3f" }),
        json!({ "s": 7 }),
        json!({ "sequence": 8 }),
    ] {
        assert_eq!(deliver("x-other", body.clone()).await, TRIGGERED, "{body}");
        assert!(deliver("x-other", body.clone()).await == REPEATED, "{body}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_known_id_of_several_is_enough_to_recognise_a_delivery() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (sequence, answer) in [(1, TRIGGERED), (2, REPEATED)] {
        let body = json!({ "sequence": sequence }).to_string();
        let request = service.request(Method::POST, "").bearer_auth(KEY).header("webhook-id", "7").body(body);
        let text = request.send().await.expect("answered").text().await.expect("whole");
        assert_eq!(first_line(&text), answer);
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_deliveries_are_remembered_and_no_more() {
    let seen = SeenIds::default();
    let are_new = |number: usize| seen.insert_new(number.to_string());
    assert!((0..10_000).all(are_new));
    assert!(!are_new(0) && !are_new(9_999));
    assert!(are_new(10_000) && are_new(0) && !are_new(9_999));
}

#[tokio::test(start_paused = true)]
async fn the_same_delivery_for_another_app_or_after_a_dry_run_is_no_repetition() {
    let (heroku, _) = shop(1).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let body = json!({ "sequence": 7, "labels": { "s": 7 } });
    for query in ["app=shop&dry_run=true", "app=shop", "app=blog"] {
        assert!(post(&service, query, &body).await.1 != REPEATED, "{query}");
    }
    service.stop().await;
    assert!(lists(&heroku) >= 2);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_was_answered_503_is_not_answered_202_the_next_time() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    for _ in 0..2 {
        assert_eq!(post(&service, "", &json!({ "sequence": 7 })).await.0, 503);
    }
    service.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_was_cut_off_is_acted_on_when_it_comes_as_a_whole() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "alerts": [{ "dyno": "web.1" }, { "dyno": "web.2" }] });
    let head = format!(
        "POST /restart_web_dynos?scope=affected HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nwebhook-id: 7\r\n\
         Content-Length: 99\r\n\r\n"
    );
    let cut_off = head + &body.to_string()[..30];
    let deliver_a_part = async || {
        let mut stream = TcpStream::connect(&service.address).await.expect("connected");
        stream.write_all(cut_off.as_bytes()).await.expect("sent");
    };
    deliver_a_part().await;
    service.log.until(|log| log.count("was accepted and asks for web.1") == 1).await;
    assert_eq!(deliver(&service, "scope=affected", "7", body).await, TRIGGERED);
    deliver_a_part().await;
    service.log.until(|log| log.count("was delivered again and counts once") == 1).await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    service.stop().await;
}
