//! What monitoring services send, and what the service does about it. Each row of a table is one message, sent as a dry run
//! with `scope=affected` through the front door, for an app with three web dynos and a worker.

mod fields;
mod forms;
mod handshakes;
mod headlines;
mod incidents;
mod log_services;
mod monitors;
mod names;
mod only_if;
mod properties;
mod recipes;
mod states;
mod times;
mod uptime_checks;

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::service::{KEY, Service, seconds, shop};

const ALL: &str = "web.1 web.2 web.3";
const RECOVERED: &str = "Ignored: the alert has recovered";
const ACKNOWLEDGED: &str = "Ignored: the alert has been acknowledged";
const TEST: &str = "Ignored: the alert is a test";
const DEPLOY: &str = "Ignored: the message is about a deploy";
const HANDSHAKE: &str = "Ignored: the message only asks whether this is the right address";
const NO_ALERT: &str = "Ignored: the message is not an alert";
const WORKER: &str = "Ignored: it names only worker.1, and their process types are not in PROCESS_TYPES";

/// One message of a sender.
#[derive(Clone, Debug)]
struct Message {
    method: Method,
    headers: HeaderMap,
    query: String,
    body: Vec<u8>,
}

impl Message {
    fn post(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        let message = Self {
            method: Method::POST,
            headers: HeaderMap::new(),
            query: "scope=affected".to_owned(),
            body: body.into(),
        };
        message.with("content-type", content_type)
    }

    /// Adds a header.
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Adds parameters to the query.
    fn asking(mut self, query: &str) -> Self {
        self.query = format!("{}&{query}", self.query);
        self
    }

    fn unscoped(self) -> Self {
        Self { query: String::new(), ..self }
    }
}

fn json(body: &Value) -> Message {
    Message::post("application/json", body.to_string())
}

fn form(fields: &[(&str, &str)]) -> Message {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    Message::post("application/x-www-form-urlencoded; charset=utf-8", body)
}

/// The form of JSON in a field.
fn payload(body: &Value) -> Message {
    form(&[("payload", &body.to_string())])
}

fn text(body: &str) -> Message {
    Message::post("text/plain", body)
}

fn get(query: &str) -> Message {
    Message { method: Method::GET, ..text("") }.asking(query)
}

/// What the service would do about the message: the dynos to restart, or why there are none.
async fn decision(service: &Service, message: Message) -> String {
    let request = service.request(message.method, &format!("dry_run=true&{}", message.query)).bearer_auth(KEY);
    let answer = request.headers(message.headers).body(message.body).send().await.expect("the service answers");
    let text = answer.text().await.expect("the answer is whole");
    let due = text.lines().filter_map(|line| line.strip_suffix(": would be restarted"));
    if text.starts_with("Dry run") { due.collect::<Vec<_>>().join(" ") } else { text }
}

/// Sends these messages; each with a name for it and what the service should do about it.
async fn check(rows: Vec<(&str, Message, &str)>) {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    for (name, message, expected) in rows {
        assert_eq!(decision(&service, message).await, expected, "{name}");
    }
    service.stop().await;
}

/// Does the same for JSON that needs no name.
async fn check_json(rows: &[(Value, &str)]) {
    let names: Vec<String> = rows.iter().map(|(body, _)| body.to_string()).collect();
    check(names.iter().zip(rows).map(|(name, (body, expected))| (name.as_str(), json(body), *expected)).collect())
        .await;
}

fn now() -> String {
    ago(0)
}

fn ago(time: u64) -> String {
    (Timestamp::now() - seconds(time)).to_string()
}
