//! The words of states, and the fields in which they count.

use serde_json::json;

use super::{ACKNOWLEDGED, ALL, DEPLOY, HANDSHAKE, NO_ALERT, RECOVERED, TEST, check_json, decision, json};
use crate::service::{Service, shop};

/// Sends each of these words as the state of an alert: alone, beside a recovery and beside trouble in another field.
async fn check_words(words: &str, [alone, with_recovery, with_trouble]: [&str; 3]) {
    let rows = words.split_whitespace().flat_map(|word| {
        [
            (json!({ "status": word }), alone),
            (json!({ "state": word, "event": "resolved" }), with_recovery),
            (json!({ "state": word, "event": "triggered" }), with_trouble),
        ]
    });
    check_json(&rows.collect::<Vec<_>>()).await;
}

#[tokio::test(start_paused = true)]
async fn trouble_outweighs_a_word_of_recovery_or_of_a_test() {
    let recovered = "resolved resolve recovered recover recovery closed close cleared clear fixed ended solved restored \
                     mitigated ok okay normal up end healthy inactive deactivated success successful succeeded pass passed passing \
                     online operational available good green stable running reachable responding completed finished done \
                     autoresolved not_firing not_triggered not_alerting no_longer_firing no_longer_active \
                     check_in_reporting";
    check_words(recovered, [RECOVERED, RECOVERED, ALL]).await;
    let test = "test testing ping pagey.ping test_notification test_alert test_event test_message webhook_test sample";
    check_words(test, [TEST, RECOVERED, ALL]).await;
    let silent = "silenced paused suspended no_alert suppressed disabled maintenance under_maintenance in_maintenance \
                  scheduled_maintenance unmonitored dismissed cancelled canceled deleted delete insufficient_data \
                  scheduled postmortem";
    check_words(silent, [NO_ALERT, RECOVERED, ALL]).await;
    let trouble = "firing alerting triggered trigger down critical problem error failed failing failure degraded outage \
                   offline unhealthy unreachable opened reopened started open reopen fired fail crit fatal emergency \
                   warn warning re_warn no_data re_no_data unavailable unresolve unresolved breached violated crashed \
                   dead";
    check_words(trouble, [ALL; 3]).await;
}

#[tokio::test(start_paused = true)]
async fn news_outweighs_trouble_and_recoveries() {
    let acknowledged = "acknowledged acknowledge acknowledgement acknowledgment acked ack";
    check_words(acknowledged, [ACKNOWLEDGED; 3]).await;
    check_words("deployed deploy deployment release", [DEPLOY; 3]).await;
    let news = "commented comment assigned assign unassigned reassigned annotated snoozed snooze escalated escalate \
                delegated responder subscriber recipient cert certificate ssl delegate unsnoozed silence unsilence \
                unsilenced muted unmuted ignored archived annotate note merged downtime_start downtime_end \
                downtime_removed downtime_cancelled unacknowledged unacknowledge flapping_start flapping_end flapping_stop flapping_disabled \
                error_activity assigned_to_user";
    check_words(news, [NO_ALERT; 3]).await;
}

#[tokio::test(start_paused = true)]
async fn a_word_of_any_change_and_a_word_that_is_not_known_are_outweighed_by_any_state() {
    let any_change = "activated active created create updated changed state_change status_change new info notification \
                      log_alert metric_alert occurred alarm_alert";
    check_words(any_change, [ALL, RECOVERED, ALL]).await;
    let unknown = "wobbling scale_up could_not_resolve close_to_limit";
    check_words(unknown, [ALL, RECOVERED, ALL]).await;
    // The beginning of a text counts only if no field has a state, not even one that is not known.
    let with_text = |word: &str| json!({ "status": word, "text": "RESOLVED: x" });
    let known = any_change.split_whitespace().map(|word| (with_text(word), RECOVERED));
    check_json(&known.chain(unknown.split_whitespace().map(|word| (with_text(word), ALL))).collect::<Vec<_>>()).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_is_read_in_a_code_of_several_words() {
    let recovered = "X_CLOSE_Y fooRecoveredBar problem-resolved alarm.cleared recovered_from_failure CRITICAL_TO_OK \
                     resolved_error auto_resolved back_to_normal resolved_critical";
    check_json(&[(json!({ "status": "UP (200)" }), RECOVERED), (json!({ "status": "DOWN (500, was OK)" }), ALL)]).await;
    check_json(&[(json!({ "status": "completed", "conclusion": "failure" }), ALL)]).await;
    check_words(recovered, [RECOVERED, RECOVERED, ALL]).await;
    let trouble = "OK_TO_CRITICAL resolved_to_triggered dns_resolve_failed incident.reopened HTTPDown check.failed \
                   recovery_failed re_triggered major_outage";
    check_words(trouble, [ALL; 3]).await;
    // The start of a backup is trouble, too, but only where nothing else is said.
    check_json(&[(json!({ "status": "backup_started" }), ALL)]).await;
    let subjects = "incident issue alert alarm monitor check event host site server service state status group item app \
                    is are was has been now back again";
    let rows = subjects.split(' ').map(|subject| (json!({ "status": format!("{subject}_up") }), RECOVERED));
    check_json(&rows.collect::<Vec<_>>()).await;
    let negations = "not no never cannot still non";
    let rows = negations.split(' ').map(|negation| (json!({ "status": format!("{negation}_resolved") }), ALL));
    check_json(&rows.collect::<Vec<_>>()).await;
}

#[tokio::test(start_paused = true)]
async fn a_code_that_names_a_thing_and_what_happened_to_it_is_news() {
    for (things, changes, expected) in [
        (
            "note notes priority assignee owner ownership tag tags description details severity field fields values title type \
             service workflow bridge conference link attachment message urgency subscription",
            "updated add added update change changed edit edited set remove removed delete deleted posted published \
             replied completed",
            NO_ALERT,
        ),
        ("workflow invocation", "started succeeded failed terminated queued sent created", NO_ALERT),
        ("service team", "created add", NO_ALERT),
        ("ownership", "take taken", NO_ALERT),
        ("incident", "updated linked", NO_ALERT),
        ("update status", "published posted", NO_ALERT),
        ("task action membership follow", "granted revoked created updated completed", NO_ALERT),
        ("domain links content dns", "expires expiring expired found changed", NO_ALERT),
        ("deploy deployment release", "started succeeded success finished completed created failed", DEPLOY),
        ("deploy deployment release", "updated notification", DEPLOY),
        ("subscription", "confirmation validation verification", HANDSHAKE),
    ] {
        let (first_thing, first_change) = (things.split(' ').next(), changes.split(' ').next());
        let codes = things.split(' ').map(|thing| [Some(thing), first_change]);
        let codes = codes.chain(changes.split(' ').map(|change| [first_thing, Some(change)]));
        let row = |code: [Option<&str>; 2]| {
            (json!({ "event_type": code.map(Option::unwrap_or_default).join("_"), "status": "triggered" }), expected)
        };
        check_json(&codes.map(row).collect::<Vec<_>>()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_status_is_told_by_another_field() {
    let mut rows = Vec::new();
    for thing in ["status", "monitor.status", "service_state", "HealthStatus", "component.health", "incident_state"] {
        for change in ["changed", "change", "updated"] {
            if thing == "incident_state" && change == "updated" {
                continue;
            }
            let event = format!("{thing}_{change}");
            rows.push((json!({ "event": event, "status": "down" }), ALL));
            rows.push((json!({ "type": event, "data": { "status": "down" } }), ALL));
            rows.push((json!({ "event": event, "status": "up" }), RECOVERED));
            rows.push((json!({ "event": event }), ALL));
        }
    }
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_remark_behind_a_state_may_say_that_it_is_acknowledged() {
    check_json(&[
        (json!({ "status": "Down (Acknowledged)" }), ACKNOWLEDGED),
        (json!({ "status": "Down (release)" }), ALL),
        (json!({ "status": "Down (not acknowledged)" }), ALL),
        (json!({ "status": "not acknowledged" }), ALL),
        (json!({ "status": "acknowledged_to_triggered" }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_type_and_a_severity_are_states_in_a_few_words_only() {
    let severities = "ok okay clear cleared resolved recovered recovery".split(' ');
    let mut rows: Vec<_> = severities.map(|word| (json!({ "severity": word }), RECOVERED)).collect();
    rows.extend(["low", "info", "closed"].map(|word| (json!({ "severity": word }), ALL)));
    rows.extend([
        (json!({ "type": "url_verification" }), HANDSHAKE),
        (json!({ "hub.mode": "subscribe" }), HANDSHAKE),
        (json!({ "Type": "UnsubscribeConfirmation" }), HANDSHAKE),
        (json!({ "type": "test" }), TEST),
        (json!({ "type": "unresolve", "severity": "ok" }), ALL),
        (json!({ "type": "acknowledge" }), ACKNOWLEDGED),
        (json!({ "type": "unacknowledge" }), NO_ALERT),
        (json!({ "issue_event_type_name": "issue_resolved" }), RECOVERED),
        (json!({ "event": { "type": "incident.notes.starred" } }), NO_ALERT),
        (json!({ "type": "silence" }), NO_ALERT),
        (json!({ "type": "comment" }), NO_ALERT),
        (json!({ "type": "release" }), DEPLOY),
        (json!({ "type": "unsilence" }), NO_ALERT),
        (json!({ "type": "incident.cancelled" }), NO_ALERT),
        (json!({ "type": "cancelled" }), ALL),
        (json!({ "event": { "event_definition_type": "test-dummy-v1" } }), TEST),
        (json!({ "alert_name": "Test Alert" }), TEST),
        (json!({ "rule_name": "Test notification" }), TEST),
        (json!({ "is_test": 1 }), TEST),
        (json!({ "is_test": "false" }), ALL),
    ]);
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_rule_is_no_state() {
    check_json(&[
        (json!({ "trigger": "Ping", "status": "PROBLEM" }), ALL),
        (json!({ "trigger": "Ping" }), ALL),
        (json!({ "trigger": "Deployment", "status": "PROBLEM" }), ALL),
        (json!({ "trigger": "Disk is down", "status": "OK" }), RECOVERED),
        (json!({ "severity": "critical", "level": "error", "status": "resolved" }), RECOVERED),
        (json!({ "type": "ping", "monitor": { "status": "ok" } }), ALL),
        (json!({ "type": "error", "status": "resolved" }), RECOVERED),
        (json!({ "type": "test" }), TEST),
        (json!({ "type": "test_event" }), TEST),
        (json!({ "type": "test", "status": "firing" }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_word_that_is_not_known_restarts_and_the_log_names_it() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for body in [json!({ "status": "wobbling" }), json!({ "status": "firing", "state": "wavering" }), json!({})] {
        decision(&service, json(&body)).await;
    }
    assert_eq!(service.log.count("an alert says wobbling in its field status"), 1);
    assert_eq!(service.log.count("add only_if=status:wobbling to the URL"), 1);
    assert_eq!(service.log.count("a word that is not known"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_log_shows_an_only_if_that_can_be_pasted_into_the_url() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (body, only_if) in [
        (json!({ "status": "on the blink" }), "only_if=status:on%20the%20blink"),
        (json!({ "Alert State": "défaut/2" }), "only_if=Alert%20State:d%C3%A9faut%2F2"),
    ] {
        assert_eq!(decision(&service, json(&body)).await, "web.1");
        assert_eq!(service.log.count(&format!("add {only_if} to the URL")), 1, "{}", service.log.text());
        assert_eq!(decision(&service, json(&body).asking(only_if)).await, "web.1");
        assert!(decision(&service, json(&json!({})).asking(only_if)).await.starts_with("Ignored"));
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn in_a_code_how_bad_it_was_counts_less_than_what_became_of_it() {
    check_json(&[
        (json!({ "eventType": "POLICY_CLOSE_CRITICAL" }), RECOVERED),
        (json!({ "eventType": "POLICY_CANCELED_WARNING" }), NO_ALERT),
        (json!({ "eventType": "POLICY_OPEN_CRITICAL" }), ALL),
        (json!({ "status": "ALARM_RESOLVED_ERROR" }), RECOVERED),
        (json!({ "status": "http_error" }), ALL),
        (json!({ "eventType": "APPLICATION_DEPLOYMENT" }), DEPLOY),
        (json!({ "status": "Warning ended (now: Down)" }), ALL),
        (json!({ "status": " (now:".repeat(100_000) }), ALL),
        (json!({ "status": "Down ended (now: Up)" }), RECOVERED),
        (json!({ "alert_type": "http_alert_origin_error", "alert_event": "ALERT_STATE_EVENT_END" }), RECOVERED),
        (json!({ "alert_type": "http_alert_origin_error", "alert_event": "ALERT_STATE_EVENT_START" }), ALL),
        (json!({ "event": "uptime.up" }), RECOVERED),
        (json!({ "NewStateValue": "ALARM", "Subject": "Resolved: x" }), ALL),
        (json!({ "hoststate": "UP", "servicestate": "UNKNOWN" }), ALL),
        (json!({ "status": "ACCEPTED", "eventType": "alert-accepted" }), ACKNOWLEDGED),
        (json!({ "event": "hostRetire" }), NO_ALERT),
        (json!({ "webhookEvent": "comment_created" }), NO_ALERT),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn whether_it_is_firing_or_up_may_be_a_boolean() {
    check_json(&[
        (json!({ "firing": false }), RECOVERED),
        (json!({ "is_open": false, "name": "x" }), RECOVERED),
        (json!({ "firing": true }), ALL),
        (json!({ "firing": 1, "resolved": 1 }), ALL),
        (json!({ "passing": true }), RECOVERED),
        (json!({ "passing": false }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_in_several_words_is_no_state() {
    check_json(&[
        (json!({ "event_name": "Subscriber worker is down", "event_value": "1" }), ALL),
        (json!({ "event_name": "Comment service is down", "status": "PROBLEM" }), ALL),
        (json!({ "event": { "name": "Comment service is down", "status": "PROBLEM" } }), ALL),
        (json!({ "event_name": "Website failed", "event_value": "0", "event_status": "RESOLVED" }), RECOVERED),
        (json!({ "event_name": "Service unavailable", "status": "resolved" }), RECOVERED),
        (json!({ "event_name": "incident_resolved" }), RECOVERED),
        (json!({ "level": "error", "error": { "type": "ConnectionClosedError", "message": "closed" } }), ALL),
        (json!({ "type": "StreamClosedError" }), ALL),
        (json!({ "exception": { "type": "AlreadyClosed" } }), ALL),
        (json!({ "event": "monitor.status_updated", "status": "down" }), ALL),
        (json!({ "status": "down", "maintenance": {} }), ALL),
        (json!({ "event": "threshold breached", "status": "OK" }), ALL),
        (json!({ "event": "OOMKilled", "state": "running" }), ALL),
        (json!({ "clear": "no" }), ALL),
        (json!({ "alert_phase": "RESOLVED", "entity_state": "OK" }), RECOVERED),
        (json!({ "current": { "status": "up" }, "previous": { "status": "down" } }), RECOVERED),
        (json!({ "status": { "label": "Resolved" } }), RECOVERED),
        (json!({ "status": "No Data Recovered" }), RECOVERED),
        (json!({ "status": "DOWN → UP" }), RECOVERED),
        (json!([{ "json": { "status": "resolved" } }]), RECOVERED),
        (json!({ "AppName": "GoAlert", "Type": "AlertStatus", "LogEntry": "Closed" }), RECOVERED),
        (json!({ "AppName": "GoAlert", "Type": "ScheduleOnCallUsers", "Users": [] }), NO_ALERT),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_alert_as_its_first_sender_sent_it_counts_only_where_nothing_else_gives_a_state() {
    let original = json!({ "status": "firing", "alerts": [{ "status": "firing", "labels": { "dyno": "web.2" } }] });
    check_json(&[
        (json!({ "event": { "type": "resolve" }, "alert_group": { "state": "resolved" }, "alert_payload": original }), RECOVERED),
        (json!({ "event": { "type": "alert group created" }, "alert_group": {}, "alert_payload": original }), "web.2"),
    ])
    .await;
}
