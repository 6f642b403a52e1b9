//! A rejection reaches its reader, however large the body is that nobody reads.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{KEY, Service, deletes, shop};

/// Sends a request as most clients do: the whole of it first, and only then is the response read.
async fn send_all_then_read(service: &Service, head: &str, length: usize) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(&service.address).await?;
    let head = format!("{head}Host: x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&vec![b'x'; length]).await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    Ok(response)
}

#[tokio::test]
async fn a_rejection_reaches_a_client_that_sends_its_whole_body_first() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let key = format!("Authorization: Bearer {KEY}\r\n");
    for (line, status) in [
        ("POST /restart_web_dynos HTTP/1.1\r\n".to_owned(), "401"),
        ("POST /restart_web_dynos?key=wrong HTTP/1.1\r\n".to_owned(), "403"),
        ("POST /drain HTTP/1.1\r\n".to_owned(), "401"),
        ("POST /nowhere HTTP/1.1\r\n".to_owned(), "404"),
        ("PUT /restart_web_dynos HTTP/1.1\r\n".to_owned(), "405"),
        (format!("POST /restart_web_dynos?app=nosuch HTTP/1.1\r\n{key}"), "400"),
        (format!("POST /restart_web_dynos?dry_runs=true HTTP/1.1\r\n{key}"), "400"),
    ] {
        for length in [20_000, 300_000, 1_000_000, 4_000_000] {
            let response = send_all_then_read(&service, &line, length).await;
            let response = response.unwrap_or_else(|error| panic!("{line}, {length} bytes: {error}"));
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{line}, {length} bytes: {response}");
        }
    }
    service.stop().await;
    assert_eq!(shop.restarts().len(), 0);
}

#[tokio::test]
async fn a_query_of_very_many_parameters_is_rejected_with_the_key_and_without() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let key = format!("Authorization: Bearer {KEY}\r\n");
    for (ampersands, key, statuses) in [
        (7000, "", ["401", "401"]),
        (7000, &key, ["400", "400"]),
        (60_000, "", ["431", "414"]),
        (60_000, &key, ["431", "414"]),
    ] {
        let head = format!("POST /restart_web_dynos?{}dry_run=true HTTP/1.1\r\n{key}", "&".repeat(ampersands));
        let response = send_all_then_read(&service, &head, 0).await.expect("answered");
        let status = response.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{ampersands}: {response}");
    }
    service.stop().await;
    assert_eq!(shop.restarts().len(), 0);
}

#[tokio::test]
async fn a_later_head_of_a_connection_is_limited_as_the_first_one_is() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = |padding: usize| format!("GET /health HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(padding));
    for (padding, status) in [(1, "200"), (15_000, "200"), (20_000, "431")] {
        stream.write_all(head(padding).as_bytes()).await.expect("sent");
        let mut response = [0; 1024];
        let length = stream.read(&mut response).await.expect("answered");
        assert_eq!(str::from_utf8(&response[9..12]), Ok(status), "{length} bytes");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_alert_whose_head_is_not_valid_http_is_lost_with_a_line_in_the_log() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for target in ["a=<b>", "a=\"b\"", "a=b c"] {
        let mut stream = TcpStream::connect(&service.address).await.expect("connected");
        let head = format!("POST /restart_web_dynos?key={KEY}&{target} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut response = String::new();
        stream.read_to_string(&mut response).await.expect("answered");
        assert!(response.starts_with("HTTP/1.1 400"), "{response}");
    }
    service.log.until(|log| log.count("a request was rejected with status 400") > 0).await;
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}
