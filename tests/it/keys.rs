//! Who may ask for a restart.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{KEY, Service, deletes, shop};

const REFUSAL: &str = "You are not allowed to restart the dynos";

/// The status of an alert with these `Authorization` headers and this query.
async fn status(service: &Service, headers: &[String], query: &str) -> u16 {
    let mut request = service.request(Method::POST, query);
    for header in headers {
        request = request.header("authorization", header);
    }
    request.send().await.expect("the service answers").status().as_u16()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

#[tokio::test(start_paused = true)]
async fn no_key_wrong_key_empty_key_and_doubled_key_are_refused_and_nothing_is_restarted() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let right = format!("key={KEY}");
    for query in ["key", "key=", "key=wrong", "key=%00%ff", &format!("{right}&{right}"), &format!("{right}x")] {
        assert_eq!(status(&service, &[], query).await, 403, "{query}");
    }
    let bearer = format!("Bearer {KEY}");
    for header in ["", "Bearer", "Bearer wrong", "Basic", "Basic !", "Basic Og==", KEY, "LE user:signature"] {
        assert_eq!(status(&service, &[header.to_owned()], "").await, 403, "{header}");
    }
    assert_eq!(status(&service, &[bearer.clone(), bearer.clone()], "").await, 403);
    assert_eq!(deletes(&heroku), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_no_key_is_asked_for_one_and_sends_it_then() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let first = service.request(Method::GET, "").send().await.expect("answered");
    let challenge = first.headers().get("www-authenticate").expect("a challenge").to_str().expect("text").to_owned();
    assert_eq!(
        (first.status().as_u16(), challenge.as_str()),
        (401, r#"Basic realm="dyno-restarter", charset="UTF-8""#)
    );
    assert_eq!(first.text().await.expect("whole"), REFUSAL);
    let second = service.request(Method::GET, "").header("authorization", basic("any", KEY)).send().await;
    assert_eq!(second.expect("answered").status(), 202);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn the_log_names_the_key_by_its_name_or_its_number() {
    let (heroku, _) = shop(1).await;
    let keys = "the-old-key-0123456789,papertrail:the-new-key-0123456789,short:but-a-key-x";
    let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", keys)]).await;
    for (key, name) in [
        ("the-old-key-0123456789", "key 1,"),
        ("the-new-key-0123456789", "key papertrail,"),
        ("short:but-a-key-x", "key 3,"),
    ] {
        assert_eq!(status(&service, &[basic("ops", key)], "").await, 202, "{key}");
        assert_eq!(service.log.count(&format!("({name} user ops)")), 1, "{name}");
    }
    assert_eq!(status(&service, &["Bearer papertrail:the-new-key-0123456789".to_owned()], "").await, 403);
    assert_eq!(service.log.count("0123456789"), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_right_key_beside_a_wrong_one_is_refused() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    assert_eq!(status(&service, &[format!("Bearer {KEY}")], "key=wrong").await, 403);
    assert_eq!(status(&service, &["Bearer wrong".to_owned()], &format!("key={KEY}")).await, 403);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_its_sentence_in_text_and_in_json() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let text = service.request(Method::POST, "key=wrong").send().await.expect("answered").text().await;
    assert_eq!(text.expect("whole"), REFUSAL);
    let request = service.request(Method::POST, "key=wrong").header("accept", "application/json");
    let json = request.send().await.expect("answered").text().await.expect("whole");
    assert_eq!(json, format!(r#"{{"error":"{REFUSAL}"}}"#));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_refused_before_the_body_has_come() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = "POST /restart_web_dynos?key=wrong HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered and closed");
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_key_is_taken_as_bearer_as_either_half_of_basic_and_from_the_query() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for header in [format!("Bearer {KEY}"), format!("bearer  {KEY}"), basic(KEY, ""), basic("logplex", KEY)] {
        assert_eq!(status(&service, std::slice::from_ref(&header), "").await, 202, "{header}");
    }
    assert_eq!(status(&service, &[], &format!("key={KEY}")).await, 202);
    assert_eq!(status(&service, &["LE user:signature".to_owned()], &format!("key={KEY}")).await, 202);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_a_key_is_rotated_the_old_and_the_new_one_are_taken() {
    let (heroku, _) = shop(1).await;
    let keys = "the-old-key-0123456789,the+new/key=0123456789";
    let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", keys)]).await;
    for query in ["key=the-old-key-0123456789", "key=the+new/key=0123456789", "key=the%2Bnew/key%3D0123456789"] {
        assert_eq!(status(&service, &[], query).await, 202, "{query}");
    }
    assert_eq!(status(&service, &[], &format!("key={keys}")).await, 403);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_of_any_length_counts_to_its_last_character() {
    let (heroku, _) = shop(1).await;
    let key = (0..100).fold(String::new(), |key, number| key + &number.to_string() + ".");
    for length in [16, 63, 64, 65, 200] {
        let key = &key[..length];
        let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", key)]).await;
        assert_eq!(status(&service, &[format!("Bearer {key}")], "").await, 202, "{length}");
        for wrong in [key[..length - 1].to_owned(), format!("{}x", &key[..length - 1]), format!("{key}%00")] {
            assert_eq!(status(&service, &[], &format!("key={wrong}")).await, 403, "{wrong}");
        }
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_are_logged_by_their_reason_and_those_of_a_minute_are_counted_when_it_ends() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (query, refusal) in [("", 401), ("key=wrong", 403), ("key=wrong", 403), ("key=wrong", 403)] {
        assert_eq!(status(&service, &[], query).await, refusal);
    }
    assert_eq!(status(&service, &["Bearer wrong".to_owned()], "").await, 403);
    assert_eq!(service.log.count("refused a request: "), 3);
    tokio::time::sleep(crate::service::seconds(61)).await;
    assert_eq!(service.log.count("refused a request: "), 4);
    let told = service.log.lines("refused a request: ").pop().expect("there are some");
    assert!(told.contains("the key in its URL") && told.contains("(2 times within the last minute)"), "{told}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_second_question_mark_in_the_query_does_not_invalidate_the_key() {
    let (heroku, _) = shop(1).await;
    let keys = format!("{KEY},a-key?with-a-question-mark");
    let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", &keys)]).await;
    for query in [format!("key={KEY}?monitorID=7"), "key=a-key?with-a-question-mark".to_owned()] {
        assert_eq!(status(&service, &[], &query).await, 202, "{query}");
    }
    for query in [format!("key={KEY}monitorID=7"), format!("key={KEY}?key={KEY}"), format!("key=wrong?{KEY}")] {
        assert_eq!(status(&service, &[], &query).await, 403, "{query}");
    }
    service.stop().await;
}
