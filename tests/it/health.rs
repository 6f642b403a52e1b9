//! `dyno-restarter health`, which the health check of a container runs.

use std::collections::HashMap;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::binary::start;
use crate::command_line::run;
use crate::service::shop;

/// The exit code and what was said on standard output and error, when only PORT is set.
async fn health(port: &str) -> (Option<i32>, String, String) {
    run(&["health"], &HashMap::from([("PORT".to_owned(), port.to_owned())])).await
}

#[tokio::test]
async fn health_is_ok_while_the_service_answers_and_needs_nothing_but_the_port() {
    let (heroku, _) = shop(1).await;
    let (mut child, _log, address) = start(&heroku).await;
    let port = address.rsplit(':').next().expect("it has a port");
    for port in [&address, port, &format!("0.0.0.0:{port}")] {
        assert_eq!(health(port).await, (Some(0), "ok\n".to_owned(), String::new()), "{port}");
    }
    child.kill().await.expect("it is there");
    let (code, told, complaint) = health(&address).await;
    assert_eq!((code, told.as_str()), (Some(1), ""));
    assert!(complaint.starts_with(&format!("no healthy service at {address}: Connection refused")), "{complaint}");
}

#[tokio::test]
async fn another_answer_than_200_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").await.expect("sent");
        }
    });
    let (code, _, complaint) = health(&address).await;
    assert!(code == Some(1) && complaint.contains("not answered with 200"), "{code:?} {complaint}");
}

#[tokio::test]
async fn an_invalid_port_is_named_with_78() {
    let (code, _, complaint) = health("99999").await;
    assert!(code == Some(78) && complaint.contains("\n  PORT is not a port from 1 to 65535"), "{code:?} {complaint}");
}
