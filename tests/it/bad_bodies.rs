//! Malformed bodies. With a valid key, they are ordinary alerts.

use reqwest::Method;
use serde_json::json;
use simulator::App;

use crate::service::{KEY, Service, first_line, seconds, shop};

/// Posts a body and waits for the pass. Returns whether the body was understood.
async fn is_understood(service: &Service, shop: &App, content_type: &str, body: Vec<u8>) -> bool {
    let (before, restarts) = (service.log.count("was not understood"), shop.restarts().len());
    let request = service.request(Method::POST, "").bearer_auth(KEY).header("content-type", content_type).body(body);
    let answer = request.send().await.expect("answered");
    assert_eq!(answer.status(), 202, "{content_type}");
    service.log.until(|_| shop.restarts().len() > restarts).await;
    // Such bodies are logged at most once a minute, and a dyno is restarted at most every five minutes.
    tokio::time::sleep(seconds(400)).await;
    service.log.count("was not understood") == before
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_are_ordinary_alerts_and_the_log_says_so() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "1000 in 1h")]).await;
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(10_000), close.repeat(10_000)).into_bytes();
    for body in [
        br#"{"status": "resol"#.to_vec(),
        br#"{"status": ]"#.to_vec(),
        br#"["status", }"#.to_vec(),
        deep("[", "]"),
        deep(r#"{"a":"#, "}"),
    ] {
        assert!(!is_understood(&service, &shop, "application/json", body).await);
    }
    let payload = b"payload=%7B%22status%22%3A%22resol".to_vec();
    assert!(!is_understood(&service, &shop, "application/x-www-form-urlencoded", payload).await);
    assert_eq!(
        service.log.count("the body of an alert was not understood: it is broken JSON, around line 1, column"),
        6
    );
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn odd_bodies_are_ordinary_alerts_too() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "1000 in 1h")]).await;
    let fields = "field=%zz%ff&".repeat(1000);
    let numbers =
        json!({ "status": 7, "event": 1.5, "alerts": "x", "events": { "program": 3 }, "payload": true, "dyno": 4 });
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", fields.into_bytes()),
        ("application/json", numbers.to_string().into_bytes()),
        ("application/json", br#"{"status": "\u0000", "t": 1e300, "s": -1, "date": 99999999999999999999}"#.to_vec()),
        ("application/json", b"\xef\xbb\xbf  {}".to_vec()),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nresolved\r\n--x--".to_vec()),
        ("", b"\0\x01\x02\xff".to_vec()),
    ] {
        assert!(is_understood(&service, &shop, content_type, body).await, "{content_type}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_in_bytes_that_are_no_text_is_still_understood() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let body = b"{\"event\": {\"m\": \"\xff\xfe heroku[web.2]: Error R14\"}}".to_vec();
    let request = service.request(Method::POST, "scope=affected").bearer_auth(KEY).body(body);
    assert_eq!(request.send().await.expect("answered").status(), 202);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_body_compressed_in_another_way_is_an_ordinary_alert_and_the_log_says_so() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let request = service.request(Method::POST, "").bearer_auth(KEY).header("content-encoding", "br").body("\x1f");
    assert_eq!(request.send().await.expect("answered").status(), 202);
    service.passes(1).await;
    assert_eq!(service.log.count("the body of an alert was not understood: it is compressed"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_the_body_does_not_undo_what_the_head_says() {
    let (heroku, _) = shop(1).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let send = async |header: (&'static str, &'static str), query: &str, body: &'static str| {
        let request = service.request(Method::POST, query).bearer_auth(KEY).header(header.0, header.1).body(body);
        first_line(&request.send().await.expect("answered").text().await.expect("whole"))
    };
    assert!(send(("x-rapid7-event", "test"), "app=shop", "{").await.starts_with("Ignored"));
    assert_eq!(send(("webhook-id", "7"), "", r#"{"app":"shop", "#).await, "Restart triggered");
    assert!(send(("webhook-id", "7"), "", r#"{"app":"shop", "#).await.starts_with("Already"));
    assert_eq!(
        send(("content-encoding", "identity"), "app=shop", r#"{"status":"ok"}"#).await,
        "Ignored: the alert has recovered"
    );
    assert_eq!(send(("x", "y"), "", "{").await, "app is missing; accepted: blog, shop");
    service.stop().await;
}

/// A reset of the connection drops the handler.
#[tokio::test(start_paused = true)]
async fn a_sender_whose_connection_breaks_still_triggers() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let stream = service.begin("/restart_web_dynos", 1000, b"{").await;
    tokio::time::sleep(seconds(1)).await;
    socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).expect("it is set");
    drop(stream);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
