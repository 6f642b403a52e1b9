//! Monitors of metrics, which send a state, and often groups of alerts.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ACKNOWLEDGED, ALL, NO_ALERT, RECOVERED, TEST, WORKER, check, check_json, form, json, now};
use crate::service::{KEY, Service, shop};

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
async fn the_key_of_a_group_of_alertmanager_is_not_read_as_json() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut body = alertmanager("firing", &[("firing", "web.1")]);
    body["groupKey"] = json!("{}/{severity=\"critical\"}:{alertname=\"HerokuR14\"}");
    let request = service.request(Method::POST, "").bearer_auth(KEY).body(body.to_string());
    assert_eq!(request.send().await.expect("answered").status(), 202);
    assert_eq!(service.log.count("was not understood"), 0);
    service.stop().await;
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
        ("a title", json(&titled("[Triggered on {host:web.1}] R14")), "web.1"),
        ("triggered again", json(&titled("[Re-Triggered] R14")), ALL),
        ("a title that says recovered", json(&titled("[Recovered on {host:web.1}] R14")), RECOVERED),
        ("a title with the word elsewhere", json(&titled("Recovered from [Recovered]?")), ALL),
        ("an error", json(&typed("error")), "web.2"),
        ("success", json(&typed("success")), RECOVERED),
        ("a template that was not filled in", json(&titled("$EVENT_TITLE")), ALL),
        ("as a form", form(&[("transition", "Recovered"), ("tags", "dyno:web.1")]), RECOVERED),
        ("as a form, triggered", form(&[("transition", "Triggered"), ("tags", "dyno:web.1, app:shop")]), "web.1"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_recognised_in_the_words_and_fields_of_each_sender() {
    let kuma = |status: u8, word: &str| json!({ "heartbeat": { "status": status, "msg": "200 - OK" }, "monitor": { "type": "ping", "active": true }, "msg": format!("[front page] [{word}] 200 - OK") });
    let azure = |condition: &str| json!({ "data": { "essentials": { "severity": "Sev3", "monitorCondition": condition }, "alertContext": { "status": "Resolved" } } });
    let bridge = |now: &str, before: &str| json!({ "detail-type": "CloudWatch Alarm State Change", "detail": { "state": { "value": now }, "previousState": { "value": before } } });
    let cloud_watch =
        |now: &str, before: &str| json!({ "AlarmName": "OK", "NewStateValue": now, "OldStateValue": before });
    let on_call = |kind: &str, state: &str| json!({ "event": { "type": kind }, "alert_group": { "state": state }, "alert_payload": { "status": "resolved" } });
    let pager_duty_2 =
        |event: &str, status: &str| json!({ "messages": [{ "event": event, "incident": { "status": status } }] });
    let heartbeat_down = kuma(0, "🔴 Down");
    check_json(&[
        (kuma(1, "✅ Up"), RECOVERED),
        (kuma(3, "🔧 Maintenance"), NO_ALERT),
        (heartbeat_down, ALL),
        (kuma(2, "Pending"), ALL),
        (azure("Resolved"), RECOVERED),
        (azure("Fired"), ALL),
        (bridge("OK", "ALARM"), RECOVERED),
        (bridge("ALARM", "OK"), ALL),
        (cloud_watch("OK", "ALARM"), RECOVERED),
        (cloud_watch("ALARM", "OK"), ALL),
        (cloud_watch("INSUFFICIENT_DATA", "OK"), NO_ALERT),
        (cloud_watch("ALARM", "INSUFFICIENT_DATA"), ALL),
        (bridge("INSUFFICIENT_DATA", "OK"), NO_ALERT),
        (on_call("resolve", "resolved"), RECOVERED),
        (on_call("escalation", "firing"), ALL),
        (on_call("alert group created", "firing"), ALL),
        (on_call("unresolve", "firing"), ALL),
        (on_call("unresolve", "resolved"), ALL),
        (json!({ "status": "silence", "state": "firing" }), NO_ALERT),
        (json!({ "status": "unsilence", "state": "firing" }), NO_ALERT),
        (json!({ "status": "unsilenced", "state": "firing" }), NO_ALERT),
        (on_call("silence", "firing"), NO_ALERT),
        (on_call("unsilence", "firing"), NO_ALERT),
        (on_call("unacknowledge", "firing"), NO_ALERT),
        (on_call("acknowledge", "firing"), ACKNOWLEDGED),
        (pager_duty_2("incident.resolve", "resolved"), RECOVERED),
        (pager_duty_2("incident.trigger", "triggered"), ALL),
        (json!({ "level": "OK", "previousLevel": "CRITICAL", "message": "memory is OK" }), RECOVERED),
        (json!({ "level": "CRITICAL", "previousLevel": "OK", "message": "memory is CRITICAL" }), ALL),
        (
            json!({ "event_name": "resolved_item", "data": { "item": { "title": "NoMemoryError", "status": 2 } } }),
            RECOVERED,
        ),
        (json!({ "event_name": "new_item", "data": { "item": { "title": "NoMemoryError", "status": 1 } } }), ALL),
        (json!({ "alert_type": "ALERT_DEGRADED_RECOVERY", "event": "shop has recovered" }), RECOVERED),
        (json!({ "alert_type": "ALERT_DEGRADED", "event": "shop has degraded" }), ALL),
        (json!({ "type": "uptimeCheckRecoveredNotification" }), RECOVERED),
        (json!({ "type": "uptimeCheckFailedNotification" }), ALL),
        (json!({ "current_state": "UP", "previous_state": "DOWN", "check_type": "HTTP" }), RECOVERED),
        (json!({ "current_state": "DOWN", "previous_state": "UP", "check_type": "HTTP" }), ALL),
        (json!({ "actionGroup": "recovered" }), RECOVERED),
        (json!({ "actionGroup": "threshold met" }), ALL),
        (json!({ "event": { "name": "resolved" } }), RECOVERED),
        (json!({ "status": "✅ Resolved" }), RECOVERED),
        (json!({ "action": "Close", "alert": { "message": "memory" } }), RECOVERED),
        (json!({ "action": "Create", "alert": { "message": "memory" } }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn zabbix_nagios_and_google_cloud_are_read() {
    let zabbix = |value: &str, update: &str| json!({ "event_value": value, "event_update_status": update, "event_name": "memory" });
    let google = |version: &str, state: &str| json!({ "version": version, "incident": { "state": state } });
    let nagios = |kind: &str, state: &str| form(&[("NOTIFICATIONTYPE", kind), ("SERVICESTATE", state)]);
    check(vec![
        ("Zabbix", json(&zabbix("1", "0")), ALL),
        ("Zabbix, whatever its severity says", json(&json!({ "event_value": 1, "severity": "ok" })), ALL),
        ("Zabbix, recovered", json(&zabbix("0", "0")), RECOVERED),
        ("Zabbix, by the trigger", json(&json!({ "trigger_value": 0 })), RECOVERED),
        ("Zabbix, acknowledged", json(&zabbix("1", "1")), NO_ALERT),
        ("Google Cloud", json(&google("1.2", "open")), ALL),
        ("Google Cloud, closed", json(&google("1.2", "closed")), RECOVERED),
        ("Google Cloud's test", json(&google("test", "OPEN")), TEST),
        ("Nagios", nagios("PROBLEM", "CRITICAL"), ALL),
        ("Nagios, recovered", nagios("RECOVERY", "OK"), RECOVERED),
        ("Nagios, a downtime", nagios("DOWNTIMESTART", "CRITICAL"), NO_ALERT),
        (
            "Icinga, flapping",
            json(&json!({ "notification": { "type": "FlappingStart" }, "state": "CRITICAL" })),
            NO_ALERT,
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_text_of_a_group_does_not_name_a_dyno_that_has_recovered() {
    let alerts = json!([{ "status": "firing", "labels": { "team": "blue" } }, { "status": "resolved", "labels": { "dyno": "web.2" } }]);
    check_json(&[(
        json!({ "status": "firing", "alerts": alerts, "message": "Resolved\nheroku[web.2]: Error R14" }),
        ALL,
    )])
    .await;
}

#[tokio::test(start_paused = true)]
async fn alerts_that_are_left_out_of_a_group_may_be_firing() {
    let alerts = json!([{ "status": "resolved", "labels": { "dyno": "web.2" } }]);
    check_json(&[(json!({ "status": "firing", "alerts": alerts, "truncatedAlerts": 3 }), ALL)]).await;
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_row_of_data_does_not_count() {
    check_json(&[(json!({ "status": "firing", "data": [{ "status": "ok", "value": 3 }] }), ALL)]).await;
}
