//! Measures how fast the bodies of alerts are read, compared with `serde_json`, which builds a tree from the same
//! bytes.
//!
//! ```sh
//! cargo bench --bench bodies    # about half a minute
//! cargo test --bench bodies     # a short run that only shows that the benchmark works
//! ```
//!
//! Each round reads the body and then builds the tree. The result is the median of the ratios of all rounds, with the
//! lowest and the highest ratio in brackets. 1 MB is a million bytes.
//!
//! A parser that searches such a tree takes at least as long as building it. Both times include the decoding of a form.

#![expect(clippy::print_stdout, reason = "the benchmark prints its results")]

use std::time::{Duration, Instant};

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use dyno_restarter::alert::Alert;
use serde_json::{Value, json};

/// The time in which the largest batch of a log service should be read.
const GOAL: Duration = Duration::from_millis(100);

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// A body to read.
struct Sample {
    name: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let rounds = if is_bench { 21 } else { 1 };
    if !is_bench {
        println!("a short run that only shows that the benchmark works; use `cargo bench` to measure");
    }
    println!("\n{:34}{:>10}{:>12}{:>10}{:>24}", "", "size", "time", "MB/s", "tree time / time");
    for sample in samples() {
        sample.measure(rounds);
    }
    println!();
}

fn samples() -> Vec<Sample> {
    let batch = batch(13_500).to_string();
    let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &batch).finish();
    let single = batch_of(&[event(1)]).to_string();
    let largest = format!("[{}0]", "0,".repeat(4_000_000));
    vec![
        Sample { name: "a batch of log lines", content_type: JSON, body: batch.into_bytes() },
        Sample { name: "the same batch as a form", content_type: FORM, body: form.into_bytes() },
        Sample { name: "one log line, a thousand times", content_type: JSON, body: single.into_bytes() },
        Sample { name: "8 MB of numbers", content_type: JSON, body: largest.into_bytes() },
    ]
}

/// Builds a batch in the format of a log service. A batch of 13,500 events has about 5 MB.
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

impl Sample {
    fn measure(&self, rounds: usize) {
        let repetitions = self.repetitions();
        let content_type = HeaderValue::from_static(self.content_type);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, content_type)]);
        let (mut read_times, mut ratios) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let read_time = time(repetitions, || assert!(Alert::read(&headers, "", &self.body, None).error.is_none()));
            let tree_time = time(repetitions, || assert!(self.tree().is_some()));
            ratios.push(tree_time.as_secs_f64() / read_time.as_secs_f64());
            read_times.push(read_time);
        }
        read_times.sort_unstable();
        ratios.sort_by(f64::total_cmp);
        let (time, ratio) = (read_times[read_times.len() / 2], ratios[ratios.len() / 2]);
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

/// Returns the average time of one repetition.
fn time(repetitions: u32, mut act: impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..repetitions {
        act();
    }
    start.elapsed() / repetitions
}
