//! A minimal HTTP client. It opens a connection for each request.

use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, HOST};
use axum::http::{HeaderMap, Method, Request, StatusCode, request};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use simulator::Heroku;
use tokio::net::TcpStream;

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        let value = value.unwrap_or_else(|| panic!("no header {name} in {:?}", self.headers));
        value.to_str().expect("the header is text")
    }

    /// Returns this field of each entry of a list.
    pub(crate) fn column(&self, field: &str) -> Vec<String> {
        let list = self.json();
        let list = list.as_array().expect("the answer is a list");
        let text = |entry: &Value| entry[field].as_str().unwrap_or("-").to_owned();
        list.iter().map(text).collect()
    }
}

/// Builds a request with the headers that the API requires.
pub(crate) fn request(method: Method, path: &str) -> request::Builder {
    request_without_headers(method, path)
        .header(ACCEPT, "application/vnd.heroku+json; version=3")
        .header(AUTHORIZATION, format!("Bearer {}", Heroku::TOKEN))
}

/// Builds a request without the headers that the API requires.
pub(crate) fn request_without_headers(method: Method, path: &str) -> request::Builder {
    Request::builder().method(method).uri(path).header(HOST, "api.heroku.com")
}

pub(crate) async fn get(heroku: &Heroku, path: &str) -> Answer {
    send(heroku, request(Method::GET, path)).await
}

pub(crate) async fn delete(heroku: &Heroku, path: &str) -> Answer {
    send(heroku, request(Method::DELETE, path)).await
}

pub(crate) async fn list(heroku: &Heroku, range: &str) -> Answer {
    send(heroku, request(Method::GET, "/apps/shop/dynos").header("Range", range)).await
}

pub(crate) async fn send(heroku: &Heroku, request: request::Builder) -> Answer {
    try_send(heroku, request, "").await.expect("there is an answer")
}

pub(crate) async fn send_json(heroku: &Heroku, method: Method, path: &str, body: &str) -> Answer {
    try_send(heroku, request(method, path), body).await.expect("there is an answer")
}

pub(crate) async fn try_send(heroku: &Heroku, request: request::Builder, body: &str) -> hyper::Result<Answer> {
    let (head, body) = send_streaming(heroku, request, body).await?.into_parts();
    let bytes = body.collect().await?.to_bytes();
    Ok(Answer { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() })
}

/// Sends a request, and returns the response before its body is read.
pub(crate) async fn send_streaming(
    heroku: &Heroku,
    request: request::Builder,
    body: &str,
) -> hyper::Result<hyper::Response<Incoming>> {
    let address = heroku.url().replace("http://", "");
    let stream = TcpStream::connect(address).await.expect("the simulator listens");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let body = Body::from(body.to_owned());
    sender.send_request(request.body(body).expect("the request is valid")).await
}
