//! How fast the bodies of alerts are read, compared with `serde_json` building a tree of the same bytes.
//!
//! ```sh
//! cargo bench --bench bodies    # about half a minute
//! cargo test --bench bodies     # a second: shows only that the benchmark works
//! ```
//!
//! The rounds take turns. The median of their ratios counts; the lowest and the highest are in brackets. 1 MB is a million
//! bytes. The tree is the least that a parser with a type per sender would cost, before it looks for anything. For the form,
//! the tree is built after the same decoding.

#![expect(clippy::print_stdout, reason = "the benchmark prints its results")]

use std::time::{Duration, Instant};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use dyno_restarter::alert::Alert;
use serde_json::{Value, json};

/// For the largest batch of a log service.
const GOAL: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

struct Subject {
    name: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_bench { 21 } else { 1 };
    if !is_bench {
        println!("a short run that only shows that the benchmark works; for numbers, use `cargo bench`");
    }
    println!("\n{:34}{:>10}{:>12}{:>10}{:>24}", "", "size", "time", "MB/s", "tree / ours");
    for subject in subjects() {
        subject.measure(rounds);
    }
    println!();
}

fn subjects() -> Vec<Subject> {
    let batch = batch(13_500).to_string();
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &batch).finish();
    let single = batch_of(&[event(1)]).to_string();
    let largest = format!("[{}0]", "0,".repeat(4_000_000));
    vec![
        Subject { name: "a batch of log lines", content_type: JSON, body: batch.into_bytes() },
        Subject { name: "the same as a form", content_type: FORM, body: form.into_bytes() },
        Subject { name: "one log line, a thousand times", content_type: JSON, body: single.into_bytes() },
        Subject { name: "8 MB of nothing but numbers", content_type: JSON, body: largest.into_bytes() },
    ]
}

/// A batch as a log service sends it: 13,500 events are about 5 MB.
fn batch(events: u64) -> Value {
    batch_of(&(0..events).map(event).collect::<Vec<_>>())
}

fn batch_of(events: &[Value]) -> Value {
    json!({
        "max_id": "1172555559466221570", "min_id": "1172555559466221570", "frequency": "minute", "counts": null,
        "saved_search": { "id": 42, "name": "R14", "query": "Error R14", "html_edit_url": "https://logs.example/42" },
        "events": events,
    })
}

fn event(number: u64) -> Value {
    let program = format!("heroku/web.{}", number % 20 + 1);
    json!({
        "id": 1_172_555_559_466_221_570 + number, "message": "Error R14 (Memory quota exceeded)\n", "program": program,
        "source_ip": "54.152.45.17", "facility": "Local0", "severity": "Info", "hostname": "shop", "source_name": "shop",
        "source_id": 5_174_160_982_u64, "display_received_at": "Nov 06 12:04:12 GMT",
        "received_at": "2026-11-06T12:04:12Z", "attributes": { "note": "so that the event has a typical size" },
    })
}

impl Subject {
    fn measure(&self, rounds: usize) {
        let times = self.repetitions();
        let content_type = HeaderValue::from_static(self.content_type);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        let (mut ours, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let reading = time(times, || assert!(Alert::read(&headers, "", &self.body, None).error.is_none()));
            let building = time(times, || assert!(self.tree().is_some()));
            ratios.push(building.as_secs_f64() / reading.as_secs_f64());
            ours.push(reading);
        }
        ours.sort_unstable();
        ratios.sort_by(f64::total_cmp);
        let (time, ratio) = (ours[ours.len() / 2], ratios[ratios.len() / 2]);
        let (lowest, highest) = (ratios[0], ratios[ratios.len() - 1]);
        let megabytes = f64::from(u32::try_from(self.body.len()).expect("a body has a few megabytes")) / 1e6;
        let rate = megabytes / time.as_secs_f64();
        let size = format!("{megabytes:.3} MB");
        let ratio = format!("{ratio:.2} ({lowest:.2}-{highest:.2})");
        let result = if time < GOAL { "met" } else { "NOT MET" };
        println!(
            "{:34}{size:>10}{:>9.3} ms{rate:>10.0}{ratio:>24}  (goal: {result})",
            self.name,
            time.as_secs_f64() * 1e3
        );
    }

    fn repetitions(&self) -> u32 {
        if self.body.len() < 10_000 { 1_000 } else { 1 }
    }

    fn tree(&self) -> Option<Value> {
        match self.content_type {
            FORM => serde_json::from_str(&form_urlencoded::parse(&self.body).next()?.1).ok(),
            _ => serde_json::from_slice(&self.body).ok(),
        }
    }
}

/// The time of one repetition.
fn time(times: u32, mut act: impl FnMut()) -> Duration {
    let begin = Instant::now();
    for _ in 0..times {
        act();
    }
    begin.elapsed() / times
}
