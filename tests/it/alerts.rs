//! The URLs and bodies of alerts, and the answers to them.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{KEY, Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn other_methods_trigger_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for method in [Method::HEAD, Method::OPTIONS, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = service.request(method.clone(), &format!("key={KEY}")).send().await.expect("answered");
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["allow"].to_str().expect("text")),
            (405, "GET, POST"),
            "{method}"
        );
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bad_parameter_is_answered_400_with_what_is_accepted() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (query, accepted) in [
        ("app=blog", "shop"),
        ("dyno=web", "web.1"),
        ("dyno=web.0", "web.1"),
        ("dyno=web.04", "web.1"),
        ("dyno=../../account", "web.1"),
        ("dyno=web.1%0Ainjected", "web.1"),
        ("scope=everything", "all, affected"),
        ("scope=all&dyno=web.1", "one of them"),
        ("force=1", "true, false"),
        ("dry_run=yes", "true, false"),
        ("dyno=web.1&dyno=web.2", "once"),
        ("dryrun=true", "dry_run"),
        ("Dry-Run=true", "dry_run"),
        ("dry=true", "dry_run"),
        ("dynos=web.1", "dyno"),
    ] {
        let (status, text) = service.ask(query).await;
        assert!(status == 400 && text.contains("accepted: ") && text.contains(accepted), "{query}: {status} {text}");
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alert_to_a_wrong_path_is_logged_if_its_key_is_right() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let wrong_path = format!("http://{}/restart?key=", service.address);
    for key in ["wrong", KEY] {
        assert_eq!(reqwest::get(format!("{wrong_path}{key}")).await.expect("answered").status(), 404);
    }
    assert_eq!(service.log.lines("WARN").len(), 1);
    assert_eq!(service.log.count("was not acted on: its path is neither /restart_web_dynos nor /drain"), 1);
    tokio::time::sleep(seconds(61)).await;
    assert_eq!(service.ask("force=1").await.0, 400);
    assert_eq!(service.log.count("an alert was not acted on: invalid value for force; accepted: true, false"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_several_apps_an_alert_must_say_which() {
    let (heroku, shop) = shop(1).await;
    let blog = heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(service.ask("").await, (400, "app is missing; accepted: blog, shop".to_owned()));
    service.alert_and_pass("app=blog").await;
    service.stop().await;
    assert_eq!((blog.restarts(), shop.restarts()), (vec!["web.1".to_owned()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn parameters_that_a_sender_adds_are_ignored() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let answer = service.request(Method::GET, &format!("key={KEY}&monitorID=7&alertType=1&monitorURL=http://x")).send();
    assert_eq!(answer.await.expect("answered").status(), 202);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_of_any_body_is_answered_202_in_text_or_json() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "payload=%7B%22alert%22%3A%7B%7D%7D".to_owned()),
        ("application/json", "{ broken".to_owned()),
        ("image/png", "\u{0}\u{1}".to_owned()),
        ("text/plain", "x".repeat(100_000)),
    ] {
        let request = service.request(Method::POST, "").bearer_auth(KEY).header("content-type", content_type);
        let answer = request.header("accept", "application/json").body(body).send().await.expect("answered");
        assert_eq!(answer.status(), 202);
        let answer: Value = serde_json::from_str(&answer.text().await.expect("whole")).expect("JSON");
        assert_eq!((&answer["app"], &answer["message"]), (&"shop".into(), &"Restart triggered".into()));
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_does_not_end_its_body_is_answered_after_ten_seconds() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = service.begin("/restart_web_dynos", 1000, b"{").await;
    let (began, mut answer) = (tokio::time::Instant::now(), [0; 12]);
    stream.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 202");
    assert!(began.elapsed() >= seconds(10) && began.elapsed() < seconds(11), "{:?}", began.elapsed());
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_outlives_the_routers_90_seconds_and_is_closed_soon_after() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    for _ in 0..2 {
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.expect("answered");
        assert!(answer[..length].ends_with(b"ok"));
        tokio::time::sleep(seconds(91)).await;
    }
    let began = tokio::time::Instant::now();
    assert_eq!(stream.read(&mut [0; 1]).await.expect("closed"), 0);
    assert!(began.elapsed() < seconds(10), "{:?}", began.elapsed());
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_whole_head_is_closed_after_95_seconds() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (before, head) in [(0, ""), (20, "GET /health HTTP/1.1\r\nHost: x"), (0, "\r\n")] {
        tokio::time::sleep(seconds(before)).await;
        let mut stream = TcpStream::connect(&service.address).await.expect("connected");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let began = tokio::time::Instant::now();
        // What the service did not read makes the system reset the connection.
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
        assert_eq!(began.elapsed().as_secs(), 95, "{head:?}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_goes_away_in_the_middle_of_its_body_still_triggers() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let stream = service.begin("/restart_web_dynos", 1000, b"{").await;
    drop(stream);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn health_asks_for_no_key_and_reveals_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let answer = reqwest::get(format!("http://{}/health", service.address)).await.expect("answered");
    assert_eq!((answer.status().as_u16(), answer.text().await.expect("whole").as_str()), (200, "ok"));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sender_of_cloud_events_is_allowed_to_send_if_it_has_the_key() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (key, expected) in [("wrong", (405, None)), (KEY, (200, Some("eventgrid.azure.net")))] {
        let request = service.request(Method::OPTIONS, "").bearer_auth(key);
        let answer = request.header("webhook-request-origin", "eventgrid.azure.net").send().await.expect("answered");
        let allowed = answer.headers().get("webhook-allowed-origin").map(|origin| origin.to_str().expect("text"));
        assert_eq!((answer.status().as_u16(), allowed), expected);
    }
    service.stop().await;
}
