//! What monitoring services send, in each state, and what the service does about it. Each row is a dry run with
//! `scope=affected` through the front door, for an app with three web dynos and a worker.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{KEY, Service, shop};

/// One message of a sender.
struct Message {
    method: Method,
    headers: Vec<(&'static str, &'static str)>,
    query: String,
    body: String,
}

const ALL: &str = "web.1 web.2 web.3";
const RECOVERED: &str = "Ignored: the alert has recovered";
const ACKNOWLEDGED: &str = "Ignored: the alert has been acknowledged";
const TEST: &str = "Ignored: the alert is a test";
const DEPLOY: &str = "Ignored: the message is about a deploy";
const NO_ALERT: &str = "Ignored: the message is not an alert";
const WORKER: &str = "Ignored: it names only worker.1, of no process type in PROCESS_TYPES";

const METRICS: &str =
    "source=web.3 dyno=heroku.57521933.95b18a95-11e0-466d-92db-81b09bdcb0bd sample#memory_total=1132MB";
const ROUTER: &str = concat!(
    r#"at=error code=H12 desc="Request timeout" method=GET path="/a?b= dyno=web.3 " host=shop.example request_id=6eb9 "#,
    r#"fwd="1.2.3.4" dyno=web.2 connect=0ms service=30001ms status=503 bytes=0 protocol=https"#,
);

fn now() -> String {
    Timestamp::now().to_string()
}

fn json(body: &Value) -> Message {
    let headers = vec![("content-type", "application/json")];
    Message { method: Method::POST, headers, query: String::new(), body: body.to_string() }
}

fn form(fields: &[(&str, &str)]) -> Message {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let headers = vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
    Message { method: Method::POST, headers, query: String::new(), body }
}

fn payload(body: &Value) -> Message {
    form(&[("payload", &body.to_string())])
}

fn get(query: &str) -> Message {
    Message { method: Method::GET, headers: Vec::new(), query: query.to_owned(), body: String::new() }
}

fn with(mut message: Message, name: &'static str, value: &'static str) -> Message {
    message.headers.push((name, value));
    message
}

/// What the service would do about the message: the dynos to restart, or why there are none.
async fn decision(service: &Service, message: Message) -> String {
    let query = format!("dry_run=true&scope=affected{}", message.query);
    let mut request = service.request(message.method, &query).bearer_auth(KEY).body(message.body);
    for (name, value) in message.headers {
        request = request.header(name, value);
    }
    let answer = request.send().await.expect("the service answers");
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.expect("the answer is whole");
    let due = text.lines().filter_map(|line| line.strip_suffix(": would be restarted"));
    if text.starts_with("Dry run") { due.collect::<Vec<_>>().join(" ") } else { text }
}

async fn check(rows: Vec<(&str, Message, &str)>) {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    for (name, message, expected) in rows {
        assert_eq!(decision(&service, message).await, expected, "{name}");
    }
    service.stop().await;
}

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

fn alertmanager(status: &str, alerts: &[(&str, &str)]) -> Value {
    let alert = |&(status, dyno): &(&str, &str)| {
        json!({
            "status": status,
            "labels": { "alertname": "HerokuR14", "app": "shop", "dyno": dyno, "severity": "critical" },
            "annotations": { "description": format!("heroku[{dyno}]: Error R14 (Memory quota exceeded)") },
            "startsAt": now(), "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "a1bc48475b20e73d",
        })
    };
    let alerts: Vec<Value> = alerts.iter().map(alert).collect();
    json!({
        "receiver": "heroku-restart", "status": status, "alerts": alerts, "version": "4",
        "groupLabels": { "alertname": "HerokuR14" }, "commonLabels": { "app": "shop" },
        "commonAnnotations": { "summary": "heroku[web.3]: of all of them" },
        "groupKey": "{}:{alertname=\"HerokuR14\"}", "truncatedAlerts": 0,
    })
}

#[tokio::test(start_paused = true)]
async fn alertmanager_and_grafana_give_each_alert_a_state() {
    let grafana = |status: &str, title: &str, state: &str, alerts: &[(&str, &str)]| {
        let mut body = alertmanager(status, alerts);
        for (name, value) in [("title", title), ("state", state), ("message", "**Resolved** heroku[web.3]: x")] {
            body[name] = json!(value);
        }
        body
    };
    let mut trial = grafana("firing", "[FIRING:1] TestAlert Grafana", "alerting", &[]);
    trial["alerts"] = json!([{ "status": "firing", "labels": { "alertname": "TestAlert", "instance": "Grafana" } }]);
    let mixed = [("firing", "web.1"), ("resolved", "web.2")];
    let unnamed = json!({ "status": "firing", "alerts": [{ "status": "firing", "labels": { "team": "blue" } }] });
    check(vec![
        ("firing", json(&alertmanager("firing", &[("firing", "web.1"), ("firing", "web.2")])), "web.1 web.2"),
        ("mixed", json(&alertmanager("firing", &mixed)), "web.1"),
        ("resolved", json(&alertmanager("resolved", &[("resolved", "web.2")])), RECOVERED),
        ("all are resolved, the group is not", json(&alertmanager("firing", &[("resolved", "web.2")])), RECOVERED),
        ("no dyno named", json(&unnamed), ALL),
        ("a worker", json(&alertmanager("firing", &[("firing", "worker.1")])), WORKER),
        ("Grafana", json(&grafana("firing", "[FIRING:1, RESOLVED:1] R14", "alerting", &mixed)), "web.1"),
        ("Grafana, resolved", json(&grafana("resolved", "[RESOLVED] R14", "ok", &[("resolved", "web.1")])), RECOVERED),
        ("Grafana's test button", json(&trial), TEST),
        ("legacy Grafana", json(&json!({ "state": "ok", "ruleName": "R14", "title": "[OK] R14" })), RECOVERED),
        ("legacy Grafana's test button", json(&json!({ "state": "alerting", "ruleName": "Test notification" })), TEST),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn datadog_says_that_it_has_recovered_in_the_transition_or_only_in_the_title() {
    let templated = |transition: &str| {
        let title = format!("[{transition}] Heroku R14");
        json!({ "event": transition, "title": title, "scope": "dyno:web.2,env:prod", "date": "1755684000000" })
    };
    let mut fresh = templated("Triggered");
    fresh["date"] = json!(Timestamp::now().as_millisecond().to_string());
    let titled =
        |title: &str| json!({ "body": "x", "event_type": "log_alert", "title": title, "date": "$DATE", "id": "1" });
    let typed = |word: &str| json!({ "alert_type": word, "title": "R14", "host": "web.2" });
    check(vec![
        ("triggered", json(&fresh), "web.2"),
        ("triggered long ago", json(&templated("Triggered")), ""),
        ("recovered", json(&templated("Recovered")), RECOVERED),
        ("a title", json(&titled("[Triggered on {host:web.1}] R14")), ALL),
        ("triggered again", json(&titled("[Re-Triggered] R14")), ALL),
        ("a title that says recovered", json(&titled("[Recovered on {host:web.1}] R14")), RECOVERED),
        ("a title with the word elsewhere", json(&titled("Recovered from [Recovered]?")), ALL),
        ("an error", json(&typed("error")), ALL),
        ("success", json(&typed("success")), RECOVERED),
        ("a template that was not filled in", json(&titled("$EVENT_TITLE")), ALL),
        ("as a form", form(&[("transition", "Recovered"), ("tags", "dyno:web.1")]), RECOVERED),
        ("as a form, triggered", form(&[("transition", "Triggered"), ("tags", "dyno:web.1, app:shop")]), "web.1"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_incident_restarts_dynos_only_when_it_opens() {
    let relic = |state: &str, trigger: &str| json!({ "id": "7", "title": ["R14"], "state": state, "trigger": trigger, "impactedEntities": ["web.2"] });
    let stack = |status: &str| {
        let attributes =
            json!({ "name": "shop", "cause": "Status 500, resolved", "status": status, "started_at": now() });
        json!({ "data": { "id": "25", "type": "incident", "attributes": attributes } })
    };
    check(vec![
        ("New Relic", json(&relic("ACTIVATED", "STATE_CHANGE")), "web.2"),
        ("New Relic, acknowledged", json(&relic("ACKNOWLEDGED", "STATE_CHANGE")), ACKNOWLEDGED),
        ("New Relic, closed", json(&relic("CLOSED", "STATE_CHANGE")), RECOVERED),
        ("New Relic, one incident of several", json(&relic("ACTIVATED", "INCIDENT_CLOSED")), RECOVERED),
        ("legacy New Relic", json(&json!({ "current_state": "open", "condition_name": "R14" })), ALL),
        ("legacy New Relic, closed", json(&json!({ "current_state": "closed", "condition_name": "R14" })), RECOVERED),
        ("Better Stack", json(&stack("Started")), ALL),
        ("Better Stack, acknowledged", json(&stack("Acknowledged")), ACKNOWLEDGED),
        ("Better Stack, resolved", json(&stack("Resolved")), RECOVERED),
        ("PagerDuty", json(&json!({ "event": { "event_type": "incident.triggered", "data": {} } })), ALL),
        ("PagerDuty, resolved", json(&json!({ "event": { "event_type": "incident.resolved" } })), RECOVERED),
        ("AppSignal", json(&json!({ "state": "open", "trigger_name": "R14" })), ALL),
        ("AppSignal, closed", json(&json!({ "state": "closed", "trigger_name": "R14" })), RECOVERED),
        ("AppSignal, an exception", json(&json!({ "exception": { "exception": "NoMemoryError" } })), ALL),
        ("AppSignal, a deploy", json(&json!({ "marker": { "user": "ann", "revision": "3107ddc4" } })), DEPLOY),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn sentry_gives_the_state_in_its_action_and_the_kind_in_a_header() {
    let resource =
        |name, action: &str| with(json(&json!({ "action": action, "data": {} })), "sentry-hook-resource", name);
    check(vec![
        ("an issue alert", resource("event_alert", "triggered"), ALL),
        ("a metric alert", resource("metric_alert", "critical"), ALL),
        ("a metric alert, resolved", resource("metric_alert", "resolved"), RECOVERED),
        ("an issue", resource("issue", "created"), ALL),
        ("an issue that is assigned", resource("issue", "assigned"), NO_ALERT),
        ("an installation", resource("installation", "created"), NO_ALERT),
        ("a comment", resource("comment", "created"), NO_ALERT),
        ("an analysis", resource("seer", "root_cause_started"), NO_ALERT),
        ("a build", resource("preprod_artifact", "size_analysis_completed"), NO_ALERT),
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
        ("plain text", Message { body: line.clone(), headers: vec![], ..get("") }, "web.2"),
        ("two lines", json(&json!({ "text": format!("{line}\n{}", line.replace("web.2", "web.3")) })), "web.2 web.3"),
        ("app output that quotes a line", json(&json!({ "m": format!("{} app[web.1]: {line}", now()) })), ALL),
        ("Rapid7's test", with(json(&json!({})), "x-rapid7-event", "test"), TEST),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn monitors_that_have_recovered_restart_nothing() {
    let badger =
        |event: &str| json(&json!({ "event": event, "message": "[shop] resolved?", "project": { "name": "shop" } }));
    let librato = |more: Value| {
        let mut body = json!({ "alert": { "name": "memory" }, "trigger_time": Timestamp::now().as_second() });
        body["violations"] = json!({ "web.2": [{ "metric": "memory", "value": 600, "recorded_at": 1_389_391_083 }] });
        for (name, value) in more.as_object().expect("it is one") {
            body[name] = value.clone();
        }
        payload(&body)
    };
    check(vec![
        ("Honeybadger", badger("occurred"), ALL),
        ("Honeybadger, resolved", badger("resolved"), RECOVERED),
        ("Honeybadger, a deploy", badger("deployed"), DEPLOY),
        ("Honeybadger, down", badger("down"), ALL),
        ("Honeybadger, up", badger("up"), RECOVERED),
        ("Honeybadger, an alarm", badger("alarm_alert"), ALL),
        ("Honeybadger, an alarm that has recovered", badger("alarm_ok"), RECOVERED),
        ("Honeybadger, a check-in", badger("check_in_reporting"), RECOVERED),
        ("Honeybadger, assigned", badger("assigned"), NO_ALERT),
        ("Librato, cleared", librato(json!({ "clear": "normal" })), RECOVERED),
        ("Librato, a test", librato(json!({ "triggered_by_user_test": true })), TEST),
        ("Librato, not a test", librato(json!({ "triggered_by_user_test": false, "violations": {} })), ALL),
        ("Scout, began", payload(&json!({ "lifecycle": "start", "title": "Memory" })), ALL),
        ("Scout, ended", payload(&json!({ "lifecycle": "end", "title": "Memory" })), RECOVERED),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn uptime_robot_gives_the_state_as_a_number_in_the_url_a_form_or_json() {
    check(vec![
        ("down", get("&monitorID=7&monitorFriendlyName=shop&alertType=1&alertTypeFriendlyName=Down"), ALL),
        ("up", get("&monitorID=7&alertType=2&alertTypeFriendlyName=Up"), RECOVERED),
        ("a second question mark", get("?monitorID=7&alertType=2"), RECOVERED),
        ("a certificate", get("&alertType=3"), NO_ALERT),
        ("a form", form(&[("monitorID", "7"), ("alertType", "2")]), RECOVERED),
        ("a form, down", form(&[("monitorID", "7"), ("alertType", "1"), ("alertDetails", "up? ok?")]), ALL),
        ("JSON", json(&json!({ "monitorID": 7, "alertType": 2 })), RECOVERED),
        ("JSON in strings", json(&json!({ "monitorID": "7", "alertType": "2" })), RECOVERED),
        ("JSON, down", json(&json!({ "monitorID": 7, "alertType": 1 })), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_made_up_by_a_person_is_read_by_the_same_rules() {
    let nested =
        json!({ "app": "shop", "dyno": "web.2", "detail": { "memory": { "state": "ok", "status": "resolved" } } });
    check(vec![
        ("a dyno", json(&json!({ "dyno": "web.2" })), "web.2"),
        ("several", json(&json!({ "dynos": ["web.1", "web.3", "web.x", 7, null] })), "web.1 web.3"),
        ("in the URL", get("&status=resolved"), RECOVERED),
        ("the state of a part", json(&json!({ "labels": { "status": "resolved" }, "dyno": "web.2" })), "web.2"),
        ("the state of a part further in", json(&nested), "web.2"),
        ("another instance", json(&json!({ "dyno": "heroku.123.95b18a95-11e0-466d-92db-81b09bdcb0bd" })), ALL),
        ("sentences", json(&json!({ "status": "resolved? no: still down", "text": "[RESOLVED] not" })), ALL),
        ("a host that looks like a dyno of Fir", json(&json!({ "source": "shop-app-12345" })), ALL),
        ("an empty object", json(&json!({})), ALL),
        ("nothing", get(""), ALL),
        ("a list of alerts", json(&json!([{ "status": "ok" }, { "status": "down", "dyno": "web.1" }])), "web.1"),
        ("JSON that curl calls a form", Message { body: r#"{"status":"ok"}"#.to_owned(), ..form(&[]) }, RECOVERED),
    ])
    .await;
}
