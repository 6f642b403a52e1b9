//! Messages whose state is said in other words, in other fields and in other forms, each next to one of the same sender
//! that must restart. Each row is a dry run through the front door, for an app with three web dynos and a worker.

use std::io::Write;

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use dyno_restarter::alert::Alert;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use proptest::prelude::*;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{KEY, Service, shop};

const ALL: &str = "web.1 web.2 web.3";
const RECOVERED: &str = "Ignored: the alert has recovered";
const ACKNOWLEDGED: &str = "Ignored: the alert has been acknowledged";
const TEST: &str = "Ignored: the alert is a test";
const DEPLOY: &str = "Ignored: the message is about a deploy";
const HANDSHAKE: &str = "Ignored: the message only asks whether this is the right address";
const NO_ALERT: &str = "Ignored: the message is not an alert";

/// The dynos that a dry run would restart, or the answer if there is none.
async fn decision(service: &Service, query: &str, content_type: &str, body: Vec<u8>) -> String {
    let request = service.request(Method::POST, &format!("dry_run=true&{query}")).bearer_auth(KEY);
    let answer = request.header("content-type", content_type).body(body).send().await.expect("answered");
    let text = answer.text().await.expect("whole");
    let due: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(": would be restarted")).collect();
    if text.starts_with("Dry run") { due.join(" ") } else { text }
}

async fn check(rows: &[(Value, &str)]) {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    for (body, expected) in rows {
        let decided = decision(&service, "scope=affected", "application/json", body.to_string().into_bytes()).await;
        assert_eq!(decided, *expected, "{body}");
    }
    service.stop().await;
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
    check(&[
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
        (on_call("unacknowledge", "firing"), ACKNOWLEDGED),
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
async fn each_word_of_a_recovery_is_known_and_each_word_of_trouble_outweighs_it() {
    let quiet = "resolved recovered recovery closed ok okay normal up end ended cleared clear fixed healthy inactive \
                 success successful passing passed online operational available auto_resolved auto_closed \
                 back_to_normal HOST_IS_UP CRITICAL_TO_OK X_CLOSE_Y fooRecoveredBar problem-resolved alarm.cleared \
                 recovered_from_failure resolved_error resolve recover close succeeded pass good green stable \
                 solved restored check_in_reporting resolved_critical";
    let silent = "silenced paused suppressed disabled maintenance dismissed under_maintenance in_maintenance scheduled_maintenance \
                  unmonitored cancelled canceled deleted insufficient_data";
    let trouble = "firing alerting triggered down critical problem open reopened error failed failing degraded warning \
                   unhealthy offline unreachable no_data OK_TO_CRITICAL resolved_to_triggered dns_resolve_failed \
                   incident.reopened HTTPDown check.failed recovery_failed re_triggered trigger crit opened \
                   failure fail fired started warn re_warn outage unavailable breached violated fatal emergency crashed \
                   dead re_no_data major_outage partial_outage unresolve unresolved";
    // Known to nobody, or not what they seem to be.
    let unknown = "wobbling backup_started scale_up not_resolved could_not_resolve could_not_recover close_to_limit";
    let mut rows = Vec::new();
    for (words, alone, with_recovery) in
        [(quiet, RECOVERED, RECOVERED), (silent, NO_ALERT, RECOVERED), (trouble, ALL, ALL), (unknown, ALL, RECOVERED)]
    {
        for word in words.split_whitespace() {
            rows.push((json!({ "status": word }), alone));
            if word != "backup_started" {
                rows.push((json!({ "state": word, "event": "resolved" }), with_recovery));
            }
        }
    }
    check(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn news_about_an_incident_counts_for_more_than_its_state() {
    let pager_duty =
        |kind: &str| json!({ "event": { "event_type": kind, "data": { "status": "triggered", "type": "incident" } } });
    let opsgenie = |action: &str| json!({ "action": action, "alert": { "message": "memory", "status": "open" } });
    let mut rows = vec![
        (pager_duty("incident.triggered"), ALL),
        (pager_duty("incident.reopened"), ALL),
        (json!({ "event": { "event_type": "service.created" } }), NO_ALERT),
        (json!({ "event": { "event_type": "service.down" } }), ALL),
        (json!({ "data": { "status": "Deactivated" } }), RECOVERED),
        (json!({ "data": { "status": "Activated" } }), ALL),
        (pager_duty("incident.acknowledged"), ACKNOWLEDGED),
        (pager_duty("incident.unacknowledged"), ACKNOWLEDGED),
        (opsgenie("Acknowledge"), ACKNOWLEDGED),
        (json!({ "event": { "event_type": "pagey.ping", "data": { "message": "hello", "type": "ping" } } }), TEST),
        (json!({ "heartbeat": null, "monitor": null, "msg": "My hook Testing" }), TEST),
        (json!({ "event_name": "deploy", "data": { "deploy": { "id": 1 } } }), DEPLOY),
        (json!({ "event": "deployment.finished", "status": "failed" }), DEPLOY),
        (json!([{ "event": "check.ssl_expiration", "check": { "token": "ab" } }]), NO_ALERT),
        (json!([{ "event": "check.ssl_invalid", "check": { "token": "ab" } }]), NO_ALERT),
        (json!([{ "event": "check.down", "check": { "token": "ab" } }]), ALL),
        (json!({ "type": "certificateExpiresSoonNotification" }), NO_ALERT),
        (json!({ "alert_type": "ALERT_SSL" }), NO_ALERT),
        (json!({ "trigger": "PRIORITY_CHANGED", "state": "ACTIVATED" }), NO_ALERT),
        (json!({ "trigger": "INCIDENT_ACKNOWLEDGED", "state": "ACTIVATED" }), ACKNOWLEDGED),
    ];
    for news in
        "priority_updated responder.added responder.replied annotated status_update_published escalated delegated \
                 reassigned custom_field_values.updated incident_type.changed service_updated conference_bridge.updated \
                 workflow.started workflow.completed action_invocation.created action_invocation.terminated"
            .split_whitespace()
    {
        rows.push((pager_duty(&format!("incident.{news}")), NO_ALERT));
    }
    for news in
        "AddNote AddTags RemoveTags UpdatePriority AssignOwnership UpdateDescription Snooze SnoozeEnded AddRecipient \
                 AddTeam AddResponder TakeOwnership EscalateNext"
            .split_whitespace()
    {
        rows.push((opsgenie(news), NO_ALERT));
    }
    check(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_text_for_people_counts_by_its_beginning_if_nothing_else_gives_a_state() {
    let mut rows = Vec::new();
    for beginning in
        ["RESOLVED: x", "[Resolved] x", "✅ [Resolved] x", "✅ **Recovered** - x", "Monitor is UP: shop", "[✅ Up] x"]
    {
        for field in ["text", "content", "message", "title", "subject"] {
            rows.push((json!({ field: beginning }), RECOVERED));
        }
        rows.push((json!({ "attachments": [{ "title": beginning, "color": "good" }] }), RECOVERED));
        rows.push((json!({ "status": "firing", "title": beginning }), ALL));
        rows.push((json!({ "status": "wobbling", "text": beginning }), ALL));
        rows.push((json!({ "event": { "m": beginning, "text": beginning } }), ALL));
    }
    for other in
        ["DOWN: x", "[Firing] x", "🔥 [Triggered] Resolved: x", "Not resolved: x", "Resolved x", "shop is up: x", "up"]
    {
        for field in ["text", "content", "message", "title"] {
            rows.push((json!({ field: other }), ALL));
        }
    }
    check(&rows).await;
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    for (heartbeat, expected) in [(r#"{"status":1}"#, RECOVERED), (r#"{"status":0}"#, ALL), ("null", ALL)] {
        let heartbeat: String = form_urlencoded::byte_serialize(heartbeat.as_bytes()).collect();
        let query = format!("msg=front+page&heartbeat={heartbeat}");
        assert_eq!(decision(&service, &query, "", Vec::new()).await, expected, "{query}");
    }
    for (text, expected) in [("RESOLVED: x", RECOVERED), ("✅ [Resolved] x", RECOVERED), ("DOWN: x", ALL)] {
        assert_eq!(decision(&service, "", "text/plain", text.as_bytes().to_vec()).await, expected, "{text}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_name_of_a_rule_is_no_state() {
    check(&[
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
        decision(&service, "", "application/json", body.to_string().into_bytes()).await;
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
        let sent = body.to_string().into_bytes();
        assert_eq!(decision(&service, "", "application/json", sent.clone()).await, "web.1");
        assert_eq!(service.log.count(&format!("add {only_if} to the URL")), 1, "{}", service.log.text());
        assert_eq!(decision(&service, only_if, "application/json", sent).await, "web.1");
        assert!(decision(&service, only_if, "application/json", b"{}".to_vec()).await.starts_with("Ignored"));
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_text_of_an_alert_puts_a_control_character_into_the_log() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let url = "https://sns.example.com/?Token=2336";
    for hidden in ["\u{202e}", "\u{2028}", "\n", "\u{1b}[31m"] {
        for (body, expected) in [
            (json!({ "status": format!("wob{hidden}bling") }), "web.1"),
            (json!({ format!("sta{hidden}tus"): "wobbling" }), "web.1"),
            (json!({ "Type": "SubscriptionConfirmation", "SubscribeURL": format!("{url}{hidden}FAKE") }), HANDSHAKE),
        ] {
            assert_eq!(
                decision(&service, "", "application/json", body.to_string().into_bytes()).await,
                expected,
                "{body}"
            );
        }
    }
    let text = service.log.text();
    assert!(!text.contains(['\u{202e}', '\u{2028}', '\u{1b}']) && !text.contains("FAKE"), "{text}");
    assert!(text.lines().all(|line| !line.starts_with("bling")), "{text}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn dynos_are_named_in_many_ways() {
    let tagged = |tags: Value| json!({ "transition": "Triggered", "tags": tags });
    check(&[
        (tagged(json!("appname:shop,dyno:web.2,dynotype:web")), "web.2"),
        (tagged(json!("dynoname:web.2,appname:shop")), "web.2"),
        (tagged(json!(["env:prod", "dyno_name:web.2"])), "web.2"),
        (tagged(json!("host:shop.web.2")), "web.2"),
        (tagged(json!([["environment", "production"], ["dyno", "web.2"]])), "web.2"),
        (tagged(json!([{ "key": "dyno", "value": "web.2" }, { "key": "x", "value": "web.1" }])), "web.2"),
        (tagged(json!({ "dyno": "web.2" })), "web.2"),
        (json!({ "action": "triggered", "data": { "event": { "tags": [["dyno", "web.2"]] } } }), "web.2"),
        (json!({ "host": "shop.web.2" }), "web.2"),
        (json!({ "proc_id": "web.2" }), "web.2"),
        (json!([{ "host": "host", "ident": "heroku", "pid": "web.2", "message": "Error R14" }]), "web.2"),
        (json!({ "appname": "heroku", "procid": "web.2", "message": "Error R14" }), "web.2"),
        (json!({ "dyno": { "name": "web.2", "type": "web" }, "app": { "name": "shop" } }), "web.2"),
        // These name no dyno of a watched type.
        (tagged(json!([["dyno", "heroku.5-1"], ["x", "web.2"]])), ALL),
        (json!({ "host": "db.redis.1" }), ALL),
        (json!({ "host": "web.2" }), ALL),
        (json!({ "host": "shop.example.com" }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_about_an_app_that_is_not_watched_is_told_so() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for (tags, expected) in [
        ("appname:nosuch", "the alert names nosuch, which is not watched here"),
        ("host:other.web.2", "the alert names other, which is not watched here"),
        ("env:prod", "app is missing; accepted: blog, shop"),
        ("appname:shop", ALL),
    ] {
        let body = json!({ "tags": tags }).to_string().into_bytes();
        assert_eq!(decision(&service, "", "application/json", body).await, expected, "{tags}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn handshakes_are_answered_and_restart_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336";
    let grid = json!([{ "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": { "validationCode": "A-1" } }]);
    for (query, body, expected) in [
        ("", json!({ "Type": "SubscriptionConfirmation", "SubscribeURL": url, "Message": "Open it" }), HANDSHAKE),
        ("", grid, r#"{"validationResponse":"A-1"}"#),
        ("", json!({ "type": "url_verification", "challenge": "abc" }), r#"{"challenge":"abc"}"#),
        ("hub.mode=subscribe&hub.challenge=17", json!({}), "17"),
        ("", json!({ "Type": "Notification", "Message": "Error R14", "challenge": "abc" }), "web.1"),
    ] {
        let body = body.to_string().into_bytes();
        assert_eq!(decision(&service, query, "text/plain", body).await, expected);
    }
    assert_eq!(service.log.count(&format!("to receive alerts, confirm the subscription: open {url}")), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_if_decides_by_any_field_of_any_form() {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    let no_field = "Ignored: it has no field color, which only_if in the URL asks for";
    let other = "Ignored: its field color has another value than only_if in the URL asks for";
    let body = r#"{"data":{"alert":{"Color":"Red","count":3,"hot":true,"dyno":"web.2"}},"labels":[{"k":"v"}]}"#;
    for (content_type, form) in forms(body).into_iter().filter(|(content_type, _)| *content_type != "deflate") {
        for (query, expected) in [
            ("only_if=color:red", "web.2"),
            ("only_if=COLOR:Red", "web.2"),
            ("only_if=color:blue,red", "web.2"),
            ("only_if=alert.color:red&only_if=count:3&only_if=hot:TRUE&only_if=k:v", "web.2"),
            ("only_if=color:blue", other),
            ("only_if=color:red&only_if=color:blue", other),
        ] {
            let query = format!("scope=affected&{query}");
            assert_eq!(
                decision(&service, &query, content_type, form.clone()).await,
                expected,
                "{query} {content_type}"
            );
        }
    }
    for (query, body, expected) in [
        ("only_if=color:red&Color=RED", "", ALL),
        ("only_if=color:red", "", no_field),
        ("only_if=color:red", r#"{"x":"color","status":"firing"}"#, no_field),
        ("only_if=color:red", r#"{"multicolor":"red"}"#, no_field),
        ("only_if=color:red", r#"{"color":"blue","labels":{"color":"red"}}"#, other),
        ("only_if=color:red", r#"{"color":{"color":"red"}}"#, other),
        ("only_if=color:red", r#"{"colors":[{"color":"blue"},{"color":"red"}]}"#, ALL),
        ("only_if=color:red", r#"{"color":"red","status":"resolved"}"#, RECOVERED),
        ("only_if=color", "{}", "only_if: accepted: FIELD:VALUE or FIELD:VALUE,VALUE, such as only_if=status:firing"),
        ("onlyIf=color:red", "{}", "the parameter onlyIf is misspelt; accepted: only_if"),
    ] {
        assert_eq!(decision(&service, query, "application/json", body.into()).await, expected, "{query} {body}");
    }
    service.stop().await;
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory has room");
    encoder.finish().expect("memory has room")
}

/// The same JSON in each form in which senders send it.
fn forms(body: &str) -> Vec<(&'static str, Vec<u8>)> {
    let text = json!(body).to_string();
    let form = |name: &str| form_urlencoded::Serializer::new(String::new()).append_pair(name, body).finish();
    let multipart = format!("--kk\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{body}\r\n--kk--\r\n");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(body.as_bytes()).expect("memory has room");
    let inner = body.strip_suffix('}').expect("an object");
    vec![
        ("application/json", body.into()),
        ("text/plain", format!("\u{feff} {body}\n").into()),
        ("text/plain; charset=UTF-8", format!(r#"{{"Type":"Notification","Message":{text}}}"#).into()),
        ("application/json", format!(r#"{{"Message":{}}}"#, json!(format!(r#"{{"Message":{text}}}"#))).into()),
        ("application/x-www-form-urlencoded", form("payload").into()),
        ("application/x-www-form-urlencoded", form("data").into()),
        ("multipart/form-data; boundary=kk", multipart.into()),
        ("application/json", gzip(body.as_bytes())),
        ("deflate", zlib.finish().expect("memory has room")),
        ("application/json", format!("{inner},}}").into()),
        ("application/json", format!("{inner},\"message\":\"first\nsecond\tthird\"}}").into()),
        ("application/json", format!("{inner},\"message\":\"a \"quoted\" word\", \"x\": \"C:\\dir\"}}").into()),
        ("application/json", format!("{inner},\"value\":NaN,\"other\":-Infinity}}").into()),
        ("application/json", format!("{{\"message\":\"first\nsecond\",\"value\":NaN,{}", &body[1..]).into()),
        ("application/x-ndjson", format!("{body}\n{body}\n").into()),
        ("application/json", format!("{body} and more").into()),
        ("application/json", format!("{inner},\"message\":\"cut o").into()),
        ("application/json", format!("{{\"Message\":{}}}", json!(format!("{inner},\"message\":\"a\nb\",}}"))).into()),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_alert_says_the_same_in_every_form() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for (body, expected) in [
        (r#"{"status":"resolved","app":"shop","dyno":"web.2"}"#, RECOVERED),
        (r#"{"status":"firing","app":"shop","dyno":"web.2"}"#, "web.2"),
        (r#"{"app":"shop","status":"firing"}"#, ALL),
    ] {
        for (content_type, form) in forms(body) {
            let query = "scope=affected&dry_run=true";
            let mut request = service.request(Method::POST, query).bearer_auth(KEY).body(form.clone());
            let (name, value) = match content_type {
                "deflate" => ("content-encoding", content_type),
                _ => ("content-type", content_type),
            };
            request = request.header(name, value);
            let text = request.send().await.expect("answered").text().await.expect("whole");
            let due: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(": would be restarted")).collect();
            let decided = if text.starts_with("Dry run") { due.join(" ") } else { text };
            assert_eq!(decided, expected, "{content_type} {}", String::from_utf8_lossy(&form));
        }
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_an_app_prints_as_json_is_no_alert() {
    let event = |message: &str| json!({ "program": "heroku/web.2", "message": message });
    check(&[
        (json!({ "events": [event(r#"{"status":"resolved"}"#)] }), "web.2"),
        (json!({ "events": [event(r#"{"app":"blog","dyno":"web.1"}"#)] }), "web.2"),
        (json!({ "status": "firing", "labels": { "note": r#"{"status":"resolved"}"# } }), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn alerts_that_are_cut_off_may_be_firing() {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    let bomb = json!({ "alerts": [{ "status": "resolved" }, { "x": "x".repeat(9_000_000) }] }).to_string();
    assert_eq!(decision(&service, "", "application/json", gzip(bomb.as_bytes())).await, ALL);
    let mut cut = gzip(br#"{"status":"resolved","alerts":[]}"#);
    cut.truncate(cut.len() - 8);
    assert_eq!(decision(&service, "", "application/json", cut).await, RECOVERED);
    service.stop().await;
}

proptest! {
    #[test]
    fn any_form_of_an_alert_that_has_recovered_has_recovered(before: String, after: String, number: f64) {
        let body = json!({ "a": before, "status": "Resolved", "z": [after, number], "labels": { "status": "firing" } });
        for (content_type, form) in forms(&body.to_string()) {
            let name = if content_type == "deflate" { CONTENT_ENCODING } else { CONTENT_TYPE };
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(content_type))]);
            let alert = Alert::read(&headers, "", &form, None);
            prop_assert!(alert.inactive.is_some(), "{content_type} {}", String::from_utf8_lossy(&form));
        }
    }
}
