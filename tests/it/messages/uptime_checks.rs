//! Checks from outside, which name no dyno.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ALL, DEPLOY, NO_ALERT, RECOVERED, TEST, check, check_json, form, get, json, payload};

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
        ("down", get("monitorID=7&monitorFriendlyName=shop&alertType=1&alertTypeFriendlyName=Down"), ALL),
        ("up", get("monitorID=7&alertType=2&alertTypeFriendlyName=Up"), RECOVERED),
        ("a second question mark", get("?monitorID=7&alertType=2"), RECOVERED),
        ("a certificate", get("alertType=3"), NO_ALERT),
        ("a form", form(&[("monitorID", "7"), ("alertType", "2")]), RECOVERED),
        ("a form, down", form(&[("monitorID", "7"), ("alertType", "1"), ("alertDetails", "up? ok?")]), ALL),
        ("JSON", json(&json!({ "monitorID": 7, "alertType": 2 })), RECOVERED),
        ("JSON in strings", json(&json!({ "monitorID": "7", "alertType": "2" })), RECOVERED),
        ("JSON, down", json(&json!({ "monitorID": 7, "alertType": 1 })), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn snitches_and_warnings_about_domains_and_links_are_read() {
    let snitch = |status: &str, before: &str| {
        json(
            &json!({ "type": "snitch.changed", "data": { "snitch": { "status": status, "previous_status": before } } }),
        )
    };
    let oh_dear = |kind: &str| json(&json!({ "type": format!("{kind}Notification"), "site": { "url": "x" } }));
    check(vec![
        ("Dead Man's Snitch", snitch("missing", "healthy"), ALL),
        ("Dead Man's Snitch, reporting again", snitch("healthy", "missing"), RECOVERED),
        ("Dead Man's Snitch, paused", snitch("paused", "healthy"), NO_ALERT),
        ("Oh Dear, cron", oh_dear("cronCheckFailed"), ALL),
        ("Oh Dear, links", oh_dear("brokenLinksFound"), NO_ALERT),
        ("Oh Dear, DNS", oh_dear("dnsRecordsChanged"), NO_ALERT),
        ("Oh Dear, a domain", oh_dear("domainExpiresSoon"), NO_ALERT),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn uptime_kuma_sends_its_heartbeat_in_the_url_too() {
    let kuma = |heartbeat: &str| {
        let fields = [("msg", "front page"), ("heartbeat", heartbeat)];
        get(&form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish())
    };
    check(vec![
        ("up", kuma(r#"{"status":1}"#), RECOVERED),
        ("down", kuma(r#"{"status":0}"#), ALL),
        ("a test", kuma("null"), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_component_has_the_state_of_its_alert_and_a_maintenance_is_none() {
    check_json(&[
        (json!({ "component_update": { "old_status": "major_outage", "new_status": "operational" } }), RECOVERED),
        (json!({ "component": { "status": "under_maintenance" } }), NO_ALERT),
        (json!({ "incident": { "status": "in_progress", "impact": "maintenance" } }), NO_ALERT),
        (json!({ "incident": { "status": "investigating", "impact": "major" } }), ALL),
        (json!({ "maintenance": { "status": "INPROGRESS" } }), NO_ALERT),
    ])
    .await;
}
