//! Malformed and oversized bodies. With a valid key, they are ordinary alerts.

use proptest::prelude::*;
use reqwest::Method;
use serde_json::json;
use simulator::App;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use axum::http::{HeaderMap, HeaderValue};
use dyno_restarter::alert::Alert;

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
        br#"{"status": }"#.to_vec(),
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
        ("application/json", b"{\"event\": {\"m\": \"\xff\xfe heroku[web.1]: x\"}}".to_vec()),
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

/// In real time: a paused clock would skip ahead while megabytes are copied.
#[tokio::test]
async fn a_hundred_megabytes_are_read_to_their_end_and_count_as_an_ordinary_alert() {
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(std::time::Duration::ZERO);
    let service = Service::start(&heroku).await;
    let mut stream = service.begin("/restart_web_dynos", 100_000_000, b"").await;
    for _ in 0..100 {
        stream.write_all(&vec![b'{'; 1_000_000]).await.expect("the service reads on");
    }
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 202");
    assert_eq!(service.log.count("the body of an alert was not understood: it is too large"), 1);
    heroku.until(|_| shop.restarts().len() == 1).await;
    service.stop().await;
}

#[tokio::test]
async fn a_batch_of_25000_events_names_its_dynos() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(std::time::Duration::ZERO);
    let service = Service::start(&heroku).await;
    let event = |n: u64| {
        let program = if n == 24_999 { "heroku/web.2" } else { "app/web.1" };
        json!({ "id": n, "message": "Error R14 (Memory quota exceeded), resolved\n", "program": program, "source_name": "shop" })
    };
    let body = json!({ "events": (0..25_000).map(event).collect::<Vec<_>>(), "max_id": "7", "min_id": "1" });
    let request = service.request(Method::POST, "scope=affected").bearer_auth(KEY).body(body.to_string());
    assert_eq!(request.send().await.expect("answered").status(), 202);
    heroku.until(|_| shop.restarts() == ["web.2"]).await;
    assert_eq!(service.log.count("not understood"), 0);
    service.stop().await;
}

#[tokio::test]
async fn a_body_of_nearly_eight_megabytes_is_understood() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "padding": "x".repeat(8_000_000), "status": "resolved" }).to_string();
    let answer = service.request(Method::POST, "").bearer_auth(KEY).body(body).send().await.expect("answered");
    assert_eq!(answer.status(), 200);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn large_bodies_that_do_not_end_delay_no_other_body() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut open = Vec::new();
    for _ in 0..50 {
        open.push(service.begin("/restart_web_dynos", 500_000, "x".repeat(400_000).as_bytes()).await);
    }
    tokio::time::sleep(seconds(1)).await;
    let began = tokio::time::Instant::now();
    let body = json!({ "padding": "x".repeat(300_000), "status": "resolved" }).to_string();
    let answer = service.request(Method::POST, "").bearer_auth(KEY).body(body).send().await.expect("answered");
    assert_eq!((answer.status().as_u16(), began.elapsed()), (200, seconds(0)));
    service.stop().await;
}

/// Together they are larger than the memory for large bodies.
#[tokio::test]
async fn large_bodies_that_wait_for_each_other_are_all_understood() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "padding": "x".repeat(7_500_000), "status": "resolved" }).to_string();
    let send = || tokio::spawn(service.request(Method::POST, "").bearer_auth(KEY).body(body.clone()).send());
    for answer in (0..8).map(|_| send()).collect::<Vec<_>>() {
        assert_eq!(answer.await.expect("it is not aborted").expect("answered").status(), 200);
    }
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

/// Pieces of messages, valid and invalid, in random order.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u",
        "&",
        "=",
        "%",
        "+",
        "?",
        "payload=",
        "\"status\":\"resolved\"",
        "\"alerts\":[",
        "\"events\":[",
        "\"dyno\":\"web.1\"",
        "\"program\":\"heroku/web.1\"",
        "heroku[web.2]: ",
        "heroku web.1 - - ",
        "dyno=web.3 ",
        "at=error ",
        "app[",
        "\"t\":1442224191123",
        "1e999",
        "-",
        "null",
        "true",
        "2015-09-14T09:49:51.123456+00:00",
        "é",
        "\u{0}",
        "\n",
    ];
    let word = proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let piece = prop_oneof![4 => word, 1 => prop::collection::vec(any::<u8>(), 0..8)];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn read(content_type: &str, query: &str, body: &[u8]) -> Alert {
    let content_type = HeaderValue::from_str(content_type).expect("a header");
    Alert::read(&HeaderMap::from_iter([(axum::http::header::CONTENT_TYPE, content_type)]), query, body, None)
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(body in scraps(), query in scraps(), is_form: bool) {
        let content_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        let alert = read(content_type, &String::from_utf8_lossy(&query), &body);
        let shop = dyno_restarter::heroku::AppName::parse("shop").expect("a name");
        prop_assert!(alert.affected_dynos(&shop, |_| false).is_some());
    }

    #[test]
    fn a_form_is_decoded_as_browsers_encode_it(value in "[a-f0-9%+&=;é ]{0,20}", more in proptest::collection::vec(any::<u8>(), 0..20)) {
        let mut body = b"delivery_id=x".to_vec();
        body.extend(value.into_bytes());
        body.extend(more);
        let expected = form_urlencoded::parse(&body).find(|(name, _)| name == "delivery_id");
        let id = format!("delivery/{}", expected.expect("it is the first").1.trim());
        let alert = read("application/x-www-form-urlencoded", "", &body);
        prop_assert_eq!(alert.deliveries.first(), Some(&id));
    }

    #[test]
    fn no_text_in_a_log_line_makes_an_alert_recover(
        word in proptest::sample::select(vec!["resolved", "ok", "up", "[RESOLVED]", "status=closed", "test", "2"]),
        rest: String,
    ) {
        for field in ["message", "m", "text", "line", "log", "description"] {
            for text in [word.to_owned(), format!("{word} {rest}")] {
                let body = json!({ "event": { field: text } }).to_string();
                prop_assert!(read("application/json", "", body.as_bytes()).inactive.is_none());
            }
        }
    }

    #[test]
    fn a_state_is_found_among_any_other_fields(before: String, after: String) {
        let body = json!({ "a": before, "status": "Resolved", "z": [after], "labels": { "status": "firing" } });
        prop_assert!(read("application/json", "", body.to_string().as_bytes()).inactive.is_some());
    }

    #[test]
    fn of_json_cut_off_anywhere_what_stands_in_front_counts(at in 1_usize..60) {
        let body = br#"{"status":"resolved","dyno":"web.1","event":{"m":"heroku[web.2]"}}"#;
        let alert = read("application/json", "", &body[..at]);
        let is_told = at >= r#"{"status":"resolved""#.len();
        prop_assert_eq!((alert.error.is_some(), alert.inactive.is_some()), (true, is_told));
    }
}

#[test]
fn what_is_repeated_without_end_is_read_once() {
    let repeat = |text: &str| text.repeat(300_000 / text.len());
    for text in
        ["heroku[", "heroku ", "heroku[web.1 app[", "at=error dyno=", "\n", "app heroku web.1 - ", "a,", "-", "?"]
    {
        for field in ["m", "tags", "dyno", "status", "s", "t", "program", "title"] {
            let alert = read("application/json", "", json!({ field: repeat(text) }).to_string().as_bytes());
            assert_eq!((alert.inactive, alert.error), (None, None), "{text} in {field}");
        }
        assert_eq!(read("application/x-www-form-urlencoded", "", repeat(text).as_bytes()).error, None);
    }
}
