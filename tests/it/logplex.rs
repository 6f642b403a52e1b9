//! What the parser finds in the body of a log drain, and what it ignores. The input is bytes, the output events; there
//! is no service and no Heroku.

mod any_bytes;
mod drain_requests;
mod errors;
mod frames;
mod lines;
mod memory;

use dyno_restarter::logplex::{Code, Event, Interest, events};

const TIME: &str = "2025-01-02T00:51:32.761835+00:00";

const H12: &str = r#"at=error code=H12 desc="Request timeout" method=GET path="/slow" host=shop.example.com fwd="203.0.113.7" dyno=web.2 connect=0ms service=30001ms status=503 bytes=0 protocol=https"#;

const MEMORY: &str = "source=web.9 dyno=heroku.1.4cf08a3d-2f18-4746-baa3-8374af270390 sample#memory_total=256.80MB sample#memory_rss=1.25MB sample#memory_cache=4.55MB sample#memory_pgpgin=1651pages sample#memory_quota=512.00MB";

#[test]
fn the_events_of_a_whole_body_are_found_in_order() {
    let body = [
        frame(b"<172>1 2014-11-11T08:24:25+00:00 host heroku logplex - Error L10 (output buffer overflow): 1 messages dropped since 2014-11-07T23:29:45+00:00."),
        line_of("heroku", "web.1", "Process running mem=736M(143.8%)\n"),
        line_of("heroku", "web.1", "Error R14 (Memory quota exceeded)\n"),
        line_of("app", "web.1", "line one\n134 <134>1 fake embedded frame\nline three\n"),
        line_of("heroku", "router", &format!("{H12}\n")),
        line_of("heroku", "web.1", &format!("{MEMORY}\n")),
        line_of("heroku", "worker.1", "Error R15 (Memory quota vastly exceeded)"),
    ]
    .concat();
    let expected = ["R14 of web.1", "H12 of web.2", "269274317 of 536870912 bytes, web.1", "R15 of worker.1"];
    assert_eq!(events_in(&body, &everything()), expected);
}

fn frame(message: &[u8]) -> Vec<u8> {
    [format!("{} ", message.len()).as_bytes(), message].concat()
}

/// A frame with one line.
fn line_of(app_name: &str, process: &str, text: &str) -> Vec<u8> {
    frame(format!("<134>1 {TIME} host {app_name} {process} - {text}").as_bytes())
}

/// The event of one line, as text.
fn event_of(app_name: &str, process: &str, text: &str) -> Option<String> {
    let mut events = events_in(&line_of(app_name, process, text), &everything());
    assert!(events.len() <= 1, "{events:?}");
    events.pop()
}

/// The events of a body, as text.
fn events_in(body: &[u8], interest: &Interest) -> Vec<String> {
    let text = |event| match event {
        Event::Error { code, dyno } => format!("{code} of {dyno}"),
        Event::Memory { dyno, total, quota: Some(quota) } => format!("{total} of {quota} bytes, {dyno}"),
        Event::Memory { dyno, total, quota: None } => format!("{total} bytes, {dyno}"),
        Event::DrainRequest { host } => format!("drain of {host}"),
    };
    events(body, interest).map(|(_, event)| text(event)).collect()
}

/// Every error of a dyno, of the router and of logplex, except those with the number 99.
fn everything() -> Interest {
    let every =
        ["R", "H", "L"].into_iter().flat_map(|letter| (0..99).map(move |number| format!("{letter}{number:02}")));
    Interest { errors: every.map(|text| code(&text)).collect(), memory: true }
}

fn code(text: &str) -> Code {
    Code::parse(text.as_bytes()).expect("a code")
}
