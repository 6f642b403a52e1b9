//! No key and no token is shown anywhere.

use simulator::{Fault, Heroku, On};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{KEY, Service, config, environment, shop};

const WRONG_KEY: &str = "a-wrong-key-that-is-secret-too";

/// Sends an alert and returns the first line of the answer. An HTTP client would log what it sends, here where the log of
/// the service is captured.
async fn send(service: &Service, query: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = format!("GET /restart_web_dynos{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_the_log_at_any_level_even_when_the_api_quotes_it() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let token = Heroku::TOKEN;
    for status in [500, 401] {
        let body = format!(r#"{{"message":"you sent \u0048{} and {token}"}}"#, &token[1..]);
        let headers = vec![("Request-Id", token.to_owned())];
        heroku.misbehave(On::List, Fault::Answer { status, headers, body }, 1);
    }
    for (query, headers) in
        [(String::new(), format!("Authorization: Bearer {KEY}\r\n")), (format!("?key={KEY}"), String::new())]
    {
        assert_eq!(send(&service, &query, &headers).await, "HTTP/1.1 202 Accepted");
    }
    let (in_query, in_header) = (format!("?key={WRONG_KEY}"), format!("Authorization: Bearer {WRONG_KEY}\r\n"));
    assert_eq!(send(&service, &in_query, "").await, "HTTP/1.1 403 Forbidden");
    assert_eq!(send(&service, "", &in_header).await, "HTTP/1.1 403 Forbidden");
    service.passes(2).await;
    let log = service.log.text();
    for secret in [token, KEY, WRONG_KEY] {
        assert_eq!(service.log.count(secret), 0, "{secret} is in the log:\n{log}");
    }
    assert!(log.contains("TRACE") && log.contains("you sent [token] and [token] (Request-Id [token])"), "{log}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn secrets_do_not_show_in_a_debug_print_of_the_settings() {
    let (heroku, _) = shop(1).await;
    let shown = format!("{:?}", config(&environment(&heroku, &[])).expect("all is right"));
    assert!(!shown.contains(KEY) && !shown.contains(Heroku::TOKEN), "{shown}");
}
