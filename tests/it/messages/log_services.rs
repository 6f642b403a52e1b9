//! Services that watch the log: they send the lines that were found, and no recovery.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ALL, RECOVERED, TEST, WORKER, check, check_json, json, now, payload, text};

const METRICS: &str =
    "source=web.3 dyno=heroku.57521933.95b18a95-11e0-466d-92db-81b09bdcb0bd sample#memory_total=1132MB";
const ROUTER: &str = concat!(
    r#"at=error code=H12 desc="Request timeout" method=GET path="/a?b= dyno=web.3 " host=shop.example request_id=6eb9 "#,
    r#"fwd="1.2.3.4" dyno=web.2 connect=0ms service=30001ms status=503 bytes=0 protocol=https"#,
);

fn logentries(dyno: &str, text: &str) -> Value {
    let line = |dyno: &str, text: &str| {
        let at = Timestamp::now();
        json!({ "t": at.as_millisecond(), "s": 40_634_540_484_u64, "m": format!("<45>1 {at} heroku {dyno} - - {text}") })
    };
    json!({
        "alert": { "name": "Heroku R14" },
        "host": { "name": "Heroku", "hostname": "" },
        "log": { "name": "shop" },
        "context": [line("web.3", METRICS), line("web.1", "State changed from starting to up"), line(dyno, text)],
        "event": line(dyno, text),
    })
}

#[tokio::test(start_paused = true)]
async fn logentries_names_the_dyno_of_its_event_and_not_those_of_its_context() {
    let mut bare = logentries("web.2", "Error R14 (Memory quota exceeded)");
    for field in ["context", "host"] {
        bare.as_object_mut().expect("it is one").remove(field);
    }
    check(vec![
        ("a form", payload(&logentries("web.2", "Process running mem=1132M(110.5%)")), "web.2"),
        ("the same as JSON", json(&logentries("web.2", "Error R14 (Memory quota exceeded)")), "web.2"),
        ("without context and host", payload(&bare), "web.2"),
        ("a metrics line", payload(&logentries("web.2", METRICS)), "web.2"),
        ("the router", payload(&logentries("router", ROUTER)), "web.2"),
        ("a worker", payload(&logentries("worker.1", "Error R14 (Memory quota exceeded)")), WORKER),
        ("a dyno that is gone", payload(&logentries("web.9", "Error R14 (Memory quota exceeded)")), ""),
        ("a line with the word resolved", payload(&logentries("web.2", "[resolved] status=resolved ok, up")), "web.2"),
        ("percent signs in a line", json(&logentries("web.2", "100%25 %zz %")), "web.2"),
    ])
    .await;
}

fn papertrail(events: &[(&str, &str)]) -> Value {
    let event = |&(program, message): &(&str, &str)| {
        json!({
            "id": 1_172_555_559_466_221_570_u64, "message": format!("{message}\n"), "program": program,
            "hostname": "shop", "source_name": "shop", "received_at": now(), "severity": "",
        })
    };
    let events: Vec<Value> = events.iter().map(event).collect();
    let query = "program:heroku/web.3 OR \"Error R14\"";
    let search = json!({ "id": 42, "name": "R14", "query": query, "html_edit_url": "https://p.example/web.3" });
    json!({ "max_id": "1", "min_id": "1", "frequency": "minute", "saved_search": search, "events": events, "counts": null })
}

#[tokio::test(start_paused = true)]
async fn papertrail_names_the_dynos_of_its_events() {
    let r14 = "Error R14 (Memory quota exceeded)";
    let counts = json!({ "source_name": "shop", "source_id": 4, "timeseries": { "1453248895": 5 } });
    let quoting = "user searched for heroku[web.3]: Error R14";
    check(vec![
        ("two dynos", payload(&papertrail(&[("heroku/web.1", r14), ("heroku/web.2", r14)])), "web.1 web.2"),
        ("the router", payload(&papertrail(&[("heroku/router", ROUTER)])), "web.2"),
        (
            "app output that quotes a line",
            payload(&papertrail(&[("app/web.3", quoting), ("heroku/web.1", r14)])),
            "web.1",
        ),
        ("app output alone", payload(&papertrail(&[("app/web.3", quoting)])), "web.3"),
        ("app output of two dynos", payload(&papertrail(&[("app/web.3", r14), ("app/web.1", r14)])), "web.1 web.3"),
        ("app output of an add-on", payload(&papertrail(&[("app/postgres.2937", r14)])), ALL),
        ("app output of a worker", payload(&papertrail(&[("app/worker.1", r14)])), ALL),
        ("a worker", payload(&papertrail(&[("heroku/worker.1", r14)])), WORKER),
        ("a worker and a web dyno", payload(&papertrail(&[("heroku/worker.1", r14), ("heroku/web.1", r14)])), "web.1"),
        ("counts alone", payload(&json!({ "counts": [counts], "saved_search": { "name": "R14" } })), ALL),
        ("nothing at all", payload(&papertrail(&[])), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn log_services_send_lines_in_fields_of_any_name() {
    let line = format!("{} heroku[web.2]: Error R14 (Memory quota exceeded)", now());
    let raw = json!([{ "_raw": line, "_messagetime": "1" }]).to_string();
    let sumo = |kind: &str| json!({ "TriggerType": kind, "Query": "heroku[web.3]", "ResultsJson": raw });
    let coralogix = |action: &str| json!({ "alert_action": action, "fields": [{ "key": "text", "value": line }] });
    let loggly = json!({ "alert_name": "R14", "start_time": "Mar 17 11:41:40", "recent_hits": [line], "num_hits": 1 });
    check(vec![
        ("Sumo Logic", json(&sumo("Critical")), "web.2"),
        ("Sumo Logic, resolved", json(&sumo("ResolvedCritical")), RECOVERED),
        ("Sumo Logic, data again", json(&sumo("ResolvedMissingData")), RECOVERED),
        ("Sumo Logic, normal", json(&sumo("Normal")), RECOVERED),
        ("Coralogix", json(&coralogix("trigger")), "web.2"),
        ("Coralogix, resolved", json(&coralogix("resolve")), RECOVERED),
        ("Loggly", json(&loggly), "web.2"),
        ("Loggly, no hits shown", json(&json!({ "alert_name": "R14", "recent_hits": [], "num_hits": 3 })), ALL),
        ("Mezmo", json(&json!({ "line": line, "matches": 3 })), "web.2"),
        ("plain text", text(&line), "web.2"),
        ("two lines", json(&json!({ "text": format!("{line}\n{}", line.replace("web.2", "web.3")) })), "web.2 web.3"),
        ("app output that quotes a line", json(&json!({ "m": format!("{} app[web.1]: {line}", now()) })), ALL),
        ("Rapid7's test", json(&json!({})).with("x-rapid7-event", "test"), TEST),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_an_app_prints_as_json_is_no_alert() {
    let event = |message: &str| json!({ "program": "heroku/web.2", "message": message });
    check_json(&[
        (json!({ "events": [event(r#"{"status":"resolved"}"#)] }), "web.2"),
        (json!({ "events": [event(r#"{"app":"blog","dyno":"web.1"}"#)] }), "web.2"),
        (json!({ "status": "firing", "labels": { "note": r#"{"status":"resolved"}"# } }), ALL),
    ])
    .await;
}
