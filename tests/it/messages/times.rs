//! Which of the times in an alert are those of the alert.

use jiff::Timestamp;
use serde_json::json;

use super::{ALL, ago, check, check_json, json};
use crate::service::seconds;

#[tokio::test(start_paused = true)]
async fn the_time_of_an_alert_is_that_of_its_own_fields_its_events_and_its_lines() {
    let old = ago(86_000);
    let line = format!("{old} heroku[web.2]: Error R14");
    check(vec![
        ("a line", json(&json!({ "line": line })), ""),
        ("a line, without a scope", json(&json!({ "line": line })).unscoped(), ""),
        ("AppSignal", json(&json!({ "exception": { "time": "2019-01-09 09:03:57 UTC" } })), ""),
        ("an event", json(&json!({ "events": [{ "timestamp": old }] })), ""),
        ("an event beside a dyno", json(&json!({ "dyno": "web.1", "events": [{ "timestamp": old }] })), ""),
        (
            "a part that names a dyno",
            json(&json!({ "x": [{ "time": old, "dyno": "web.1" }, { "dyno": "web.2" }] })),
            "web.2",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_part_that_is_no_event_and_names_no_dyno_does_not_count() {
    let old = ago(86_000);
    // The last error of the project, and not the outage, is that old.
    let project = json!({ "name": "shop", "last_notice_at": old });
    let outage = json!({ "down_at": ago(5), "up_at": null });
    check_json(&[
        (json!({ "event": "down", "project": project, "site": { "state": "down" }, "outage": outage }), ALL),
        (json!({ "build": { "started_at": old } }), ALL),
        (json!({ "history": [{ "timestamp": old }] }), ALL),
        (json!({ "labels": { "time": old } }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_of_a_group_has_its_own_time_or_that_of_the_group_or_is_about_now() {
    let alert = |at: Option<u64>| json!({ "status": "firing", "startsAt": at.map(ago), "labels": { "dyno": "web.1" } });
    let old = Some(86_000);
    check_json(&[
        (json!({ "alerts": [alert(old)] }), ""),
        (json!({ "alerts": [alert(None), alert(None)], "timestamp": ago(86_000) }), ""),
        (json!({ "alerts": [alert(None), alert(old)] }), "web.1"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn times_are_read_in_many_forms() {
    let old = Timestamp::now() - seconds(86_000);
    let forms = [
        json!(old.as_second()),
        json!(old.as_millisecond()),
        json!(old.as_microsecond()),
        json!(old.as_second().to_string()),
        json!(format!("{}.25", old.as_second())),
        json!(old.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        json!(old.strftime("%Y-%m-%d %H:%M:%S +0000").to_string()),
        json!(old.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()),
    ];
    check_json(&forms.map(|time| (json!({ "timestamp": time }), ""))).await;
}
