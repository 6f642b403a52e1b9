//! Heroku's log drain as the source of alerts.

mod bodies;
mod logging;
mod own_log;
mod repeats;
mod requests;
mod restarts;
mod scale;
mod spaces;
mod symptoms;
mod threshold;
mod times;

use jiff::{SignedDuration, Timestamp};
use reqwest::RequestBuilder;
use simulator::App;

use crate::service::{KEY, Service};

const R14: &str = "Error R14 (Memory quota exceeded)";

/// A measurement above the quota.
const HIGH_MEMORY: &str = "source=web.1 dyno=heroku.1.x sample#memory_total=600.00MB sample#memory_quota=512.00MB";

/// Attaches the log of `app` to the service, as `heroku drains:add` does.
async fn attach(app: &App, service: &Service) {
    app.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
}

/// A frame with one line of the platform, written `ago` seconds ago.
pub(crate) fn frame(ago: i64, process: &str, text: &str) -> String {
    let at = Timestamp::now() - SignedDuration::from_secs(ago);
    frame_at(&at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string(), process, text)
}

/// A frame with a measurement of a dyno's memory, written `ago` seconds ago. The quota is 512 MB.
pub(crate) fn memory(ago: i64, dyno: &str, megabytes: u32) -> String {
    let text =
        format!("source={dyno} dyno=heroku.1.x sample#memory_total={megabytes}.00MB sample#memory_quota=512.00MB");
    frame(ago, dyno, &text)
}

/// A frame with one line of the platform and this timestamp.
fn frame_at(at: &str, process: &str, text: &str) -> String {
    let message = format!("<134>1 {at} host heroku {process} - {text}\n");
    format!("{} {message}", message.len())
}

/// Three reports of one dyno, 20 s apart, the last one just now: enough for a restart.
fn trouble(dyno: &str) -> String {
    [40, 20, 0].map(|ago| frame(ago, dyno, R14)).concat()
}

/// A request with a batch, and without a key unless `query` has it.
fn batch(service: &Service, query: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let url = format!("http://{}/drain?{query}", service.address);
    reqwest::Client::new().post(url).header("content-type", "application/logplex-1").body(body)
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("the service answers").status().as_u16()
}

/// Posts a batch with the key, which must be accepted.
pub(crate) async fn post(service: &Service, body: impl Into<reqwest::Body>) {
    assert_eq!(status(batch(service, "", body).basic_auth("drain", Some(KEY))).await, 204);
}

/// Posts a batch with the key and this id; returns the status.
async fn deliver(service: &Service, frame_id: &str, body: impl Into<reqwest::Body>) -> u16 {
    status(batch(service, "", body).header("logplex-frame-id", frame_id).bearer_auth(KEY)).await
}
