//! Log drains: the format of batches, repeated batches, and dropped lines.

use std::time::Duration;

use axum::http::Method;
use simulator::{App, Heroku};
use tokio::time::sleep;

use crate::client::{get, send_json};
use crate::receiver::{Receiver, messages};

async fn shop(url: &str) -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 2);
    shop.drain_to(url).await;
    (heroku, shop)
}

#[tokio::test(start_paused = true)]
async fn the_lines_of_a_rejected_batch_are_dropped_and_reported() {
    let (receiver, url) = Receiver::start(&[403]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(receiver.bodies().len(), 1);
    shop.dyno("web.2").crash();
    sleep(Duration::from_secs(60)).await;
    let bodies = receiver.bodies();
    let messages = messages(&bodies[1]);
    assert!(messages[0].starts_with("<172>1 "), "{messages:?}");
    let expected = " host heroku logplex - Error L10 (output buffer overflow): 2 messages dropped since ";
    assert!(messages[0].contains(expected), "{messages:?}");
    assert_eq!((messages.len(), receiver.header(1, "logplex-msg-count")), (3, "3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_fails_is_sent_three_times_with_the_same_id() {
    let (receiver, url) = Receiver::start(&[503, 429, 500]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(60)).await;
    let ids: Vec<String> = (0..3).map(|batch| receiver.header(batch, "logplex-frame-id")).collect();
    assert_eq!(ids, vec![ids[0].clone(); 3]);
    assert_eq!(receiver.bodies().len(), 3);
    shop.dyno("web.2").crash();
    sleep(Duration::from_secs(60)).await;
    assert_ne!(receiver.header(3, "logplex-frame-id"), ids[0]);
    assert!(receiver.bodies()[3].contains("2 messages dropped"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_sent_again_after_five_seconds_without_a_response() {
    let (receiver, url) = Receiver::start(&[0]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(4)).await;
    assert_eq!(receiver.bodies().len(), 1);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.bodies().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_drops_the_oldest_lines() {
    let (receiver, url) = Receiver::start(&[0]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(1)).await;
    for _ in 0..520 {
        shop.dyno("web.1").set_state("up").set_state("crashed");
    }
    sleep(Duration::from_secs(60)).await;
    let bodies = receiver.bodies();
    assert_eq!(messages(&bodies[2]).len(), 1024);
    assert!(messages(&bodies[2])[0].contains("State changed from crashed to up"));
    assert!(bodies[2].len() <= 102_400);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_102400_bytes_at_most_or_a_single_larger_line() {
    let (receiver, url) = Receiver::start(&[]).await;
    let (_heroku, shop) = shop(&url).await;
    for length in [9_000; 20].into_iter().chain([200_000, 100]) {
        shop.print("web.1", &"x".repeat(length));
    }
    shop.drained().await;
    let counts: Vec<usize> = receiver.bodies().iter().map(|body| messages(body).len()).collect();
    assert_eq!(counts, [11, 9, 1, 1]);
    let largest = receiver.bodies()[0].len();
    assert!(largest <= 102_400 && largest + 9_000 > 102_400, "{largest}");
}

#[tokio::test(start_paused = true)]
async fn a_repeated_batch_reports_the_lines_that_were_dropped_since() {
    let (receiver, url) = Receiver::start(&[0]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(1)).await;
    for _ in 0..520 {
        shop.dyno("web.1").set_state("up").set_state("crashed");
    }
    sleep(Duration::from_secs(60)).await;
    let bodies = receiver.bodies();
    let (first, again) = (messages(&bodies[0]), messages(&bodies[1]));
    assert!(again[0].contains("Error L10 (output buffer overflow): 16 messages dropped"));
    assert_eq!(again[1..], first);
    assert_eq!(receiver.header(0, "logplex-frame-id"), receiver.header(1, "logplex-frame-id"));
    assert_eq!(receiver.header(1, "logplex-msg-count"), "3");
    assert!(!bodies[2].contains("L10"), "the dropped lines were reported already");
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_the_format_of_logplex() {
    let (receiver, url) = Receiver::start(&[]).await;
    let (heroku, shop) = shop(&url).await;
    shop.dyno("web.1").restart_from_outside();
    heroku.until(|_| shop.state("web.1") == "up").await;
    sleep(Duration::from_secs(1)).await;
    let bodies = receiver.bodies();
    let lines: Vec<&str> = bodies.iter().flat_map(|body| messages(body)).collect();
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line.starts_with("<134>1 ") && line.ends_with('\n')));
    assert!(lines[1].ends_with("+00:00 host heroku web.1 - State changed from up to starting\n"));
    assert_eq!(receiver.uri(0), "/drain?a=b");
    assert_eq!(receiver.header(0, "authorization"), "Basic dXNlcjpzZWNyZXQ=");
    assert_eq!(receiver.header(0, "content-type"), "application/logplex-1");
    assert_eq!(receiver.header(0, "user-agent"), "Logplex/v72");
    assert_eq!(receiver.header(0, "content-length"), bodies[0].len().to_string());
    assert!(receiver.header(0, "logplex-drain-token").starts_with("d."));
    let frame_id = receiver.header(0, "logplex-frame-id");
    assert!(frame_id.len() == 32 && frame_id == frame_id.to_uppercase());
}

#[tokio::test(start_paused = true)]
async fn lines_of_the_same_moment_are_sent_in_one_batch() {
    let (receiver, url) = Receiver::start(&[]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.leak("web", 64.0);
    sleep(Duration::from_secs(261)).await;
    let bodies = receiver.bodies();
    assert_eq!(bodies.len(), 1);
    assert_eq!(messages(&bodies[0]).len(), 4);
    assert!(bodies[0].contains("host heroku web.2 - Error R14 (Memory quota exceeded)\n"));
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_gets_every_line_once_and_in_order() {
    let (receiver, url) = Receiver::slow(Duration::from_secs(4)).await;
    let (_heroku, shop) = shop(&url).await;
    for number in 0..30 {
        shop.dyno("web.1").set_state(&format!("state-{number}"));
        sleep(Duration::from_secs(1)).await;
    }
    shop.drained().await;
    let arrived = receiver.messages();
    let in_order = |number: usize| arrived[number].ends_with(&format!(" to state-{number}\n"));
    assert!(arrived.len() == 30 && (0..30).all(in_order), "{arrived:#?}");
    assert!(receiver.bodies().len() < 12, "waiting lines are sent together");
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_the_response_to_the_last_batch() {
    let (receiver, url) = Receiver::slow(Duration::from_secs(4)).await;
    let (heroku, shop) = shop(&url).await;
    shop.drained().await;
    let began = heroku.now();
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(1)).await;
    shop.dyno("web.2").crash();
    shop.drained().await;
    let took = heroku.now().duration_since(began).as_secs();
    assert_eq!((took, receiver.messages().len()), (8, 4));
}

#[tokio::test(start_paused = true)]
async fn drained_does_not_wait_for_lines_that_are_logged_later() {
    let (receiver, url) = Receiver::slow(Duration::from_secs(4)).await;
    let (_heroku, shop) = shop(&url).await;
    shop.traffic(10.0);
    sleep(Duration::from_secs(1)).await;
    shop.drained().await;
    assert_eq!(receiver.bodies().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn drained_does_not_wait_for_lines_that_were_dropped() {
    let (receiver, url) = Receiver::start(&[500; 3]).await;
    let (_heroku, shop) = shop(&url).await;
    shop.dyno("web.1").crash();
    shop.drained().await;
    assert_eq!(receiver.bodies().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_drain_that_is_added_through_the_api_ships_lines() {
    let (receiver, url) = Receiver::start(&[]).await;
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 1);
    let body = format!(r#"{{"url":"{}"}}"#, url.replace("user:secret", ":secret"));
    let added = send_json(&heroku, Method::POST, "/apps/shop/log-drains", &body).await;
    assert_eq!(added.status, 201);
    assert_eq!(get(&heroku, "/apps/shop/log-drains").await.json()[0], added.json());
    shop.dyno("web.1").crash();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.bodies().len(), 1);
    // Logplex ignores the empty user name, so the password becomes the user name.
    assert_eq!(receiver.header(0, "authorization"), "Basic c2VjcmV0Og==");
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_url_is_not_http_is_rejected() {
    let (heroku, _shop) = shop("http://127.0.0.1:9/").await;
    for url in ["https://example.com/", "nonsense", ""] {
        let body = format!(r#"{{"url":"{url}"}}"#);
        let answer = send_json(&heroku, Method::POST, "/apps/shop/log-drains", &body).await;
        assert_eq!((answer.status.as_u16(), answer.json()["id"].as_str()), (422, Some("invalid_params")));
    }
}
