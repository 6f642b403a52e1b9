//! Large bodies, up to 8 MiB and beyond.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{KEY, Service, seconds, shop};

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
async fn the_rest_of_a_large_body_is_read_after_a_hundred_continue() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = "HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 20000000\r\n\r\n";
    let alert = format!("POST /restart_web_dynos?dry_run=true&key={KEY} {head}");
    stream.write_all(alert.as_bytes()).await.expect("sent");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.expect("answered");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&vec![b'{'; 20_000_000]).await.expect("the service reads on");
    let next = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(next).await.expect("the connection is open");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.expect("answered");
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 2, "{answers}");
    service.stop().await;
}

#[tokio::test]
async fn a_refused_body_in_many_tiny_chunks_is_not_read_to_its_end() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (chunks, answered) in [(1_000, 2), (400_000, 1)] {
        let mut stream = TcpStream::connect(&service.address).await.expect("connected");
        let head = "POST /restart_web_dynos HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let next = "0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let request = format!("{head}{}{next}", "1\r\nx\r\n".repeat(chunks));
        // The service closes the connection while the larger one is sent.
        let (mut receiver, mut sender) = stream.split();
        let mut answers = Vec::new();
        let (_, _) = tokio::join!(sender.write_all(request.as_bytes()), receiver.read_to_end(&mut answers));
        assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 ").count(), answered, "{chunks} chunks");
    }
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
