//! Each name of a field that the rules know, with a value that counts in such a field only.

use serde_json::{Value, json};

use super::{ALL, NO_ALERT, RECOVERED, TEST, ago, check, check_json, form, json};
use crate::service::{Service, shop};

/// Sends a message with each of these fields. `value` makes the message.
async fn check_each(names: &str, message: impl Fn(&str) -> Value, expected: &str) {
    let rows: Vec<_> = names.split_whitespace().map(|name| (message(name), expected)).collect();
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn a_state_is_read_from_each_of_its_fields() {
    let names = "status state event health eventType event_name trigger_type notification_type action event_action \
                 alert_action actionGroup actionGroupName state_name status_name current_alert_phase current_milestone \
                 transition alert_transition lifecycle monitorCondition NewStateValue level severity alert_type type trigger \
                 alertActionGroup alertActionGroupName alert.actionGroup kibana.alert.status stateChange conclusion \
                 NAGIOS_NOTIFICATIONTYPE NAGIOS_SERVICESTATE NAGIOS_HOSTSTATE NOTIFY_NOTIFICATIONTYPE \
                 NOTIFY_SERVICESTATE NOTIFY_HOSTSTATE";
    check_each(names, |name| json!({ name: "Recovered" }), RECOVERED).await;
    let of = "alert alarm check current event health host incident issue monitor new notification overall problem service \
              site to trigger";
    for last in ["status", "State", "event"] {
        check_each(of, |name| json!({ format!("{name}_{last}"): "Resolved" }), RECOVERED).await;
    }
    check_each("old previous last from", |name| json!({ format!("{name}_state"): "Resolved" }), ALL).await;
    check_each(of, |name| json!({ format!("{name}_title"): "RESOLVED: x" }), RECOVERED).await;
    check_each(
        "title subject text content message msg summary fallback body",
        |name| json!({ name: "OK: x" }),
        RECOVERED,
    )
    .await;
    check_each("value current new to", |name| json!({ "transition": { name: "resolved" } }), RECOVERED).await;
    check_each("resolved is_resolved recovered isRecovered backToNormal", |name| json!({ name: true }), RECOVERED)
        .await;
    check_each("resolved isRecovered backToNormal", |name| json!({ name: [false, "1", 2, "web.1"] }), ALL).await;
    check_each("is_test test ssl_check triggered_by_user_test", |name| json!({ name: true }), TEST).await;
}

#[tokio::test(start_paused = true)]
async fn senders_that_have_a_name_of_their_own_for_the_state_are_read() {
    let freshping = |state: &str| json(&json!({ "webhook_event_data": { "check_state_name": state } }));
    let victor_ops = |kind: &str| json(&json!({ "message_type": kind, "entity_display_name": "memory" }));
    check(vec![
        ("Freshping, up", freshping("Available"), RECOVERED),
        ("Freshping, down", freshping("Not Responding"), ALL),
        ("VictorOps, over", victor_ops("RECOVERY"), RECOVERED),
        ("VictorOps", victor_ops("CRITICAL"), ALL),
        ("UptimeRobot, without the number", form(&[("alertTypeFriendlyName", "Up")]), RECOVERED),
        ("Netdata, reachable", json(&json!({ "severity": "info", "status": { "reachable": true } })), RECOVERED),
        ("Netdata, unreachable", json(&json!({ "status": { "reachable": false } })), ALL),
        ("a host that can be reached", json(&json!({ "reachable": true })), ALL),
        ("Uptime Kuma, maintenance", json(&json!({ "heartbeat": { "status": 3 } })), NO_ALERT),
        ("Uptime Kuma, down", json(&json!({ "heartbeat": { "status": 0 }, "severity": "ok" })), ALL),
        ("UptimeRobot, down", json(&json!({ "alertType": 1, "severity": "ok" })), ALL),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_of_an_alert_is_read_inside_each_of_its_wrappers() {
    let names = "payload data attributes alert alert_group incident issue alarm check error exception performance \
                 detail essentials problem notification snitch webhook_event_data kibana status state event trigger body";
    check_each(names, |name| json!({ name: { "state": "resolved" } }), RECOVERED).await;
    let names = "alerts incidents messages attachments embeds";
    check_each(names, |name| json!({ name: [{ "state": "resolved" }] }), RECOVERED).await;
    check_each("labels annotations x", |name| json!({ name: { "state": "resolved" } }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_is_read_from_each_of_its_fields() {
    check_each(
        "dyno dynos dyno_name dyno_id herokuDyno heroku_dyno_name labels.dyno @dyno",
        |name| json!({ name: "web.2", "source": "web.1" }),
        "web.1 web.2",
    )
    .await;
    let names = "program ident source process proc_id pid ps entity impactedEntities entity_display_name instance \
                 container_name syslog.procid";
    check_each(names, |name| json!({ name: "web.2" }), "web.2").await;
    check_each("dyno source", |name| json!({ name: "shop.web.2" }), "web.2").await;
    check_each("heroku/web.2 heroku[web.2] shop/web.2", |name| json!({ "dyno": name }), "web.2").await;
    check_each("host hostname", |name| json!({ name: "shop.web.2" }), "web.2").await;
    let names = "tags labels scope alert_scope host_tags event_tags dimensions fields";
    check_each(names, |name| json!({ name: "dyno:web.2" }), "web.2").await;
    check_each(names, |name| json!({ name: [{ "value": "web.2", "name": "dyno" }] }), "web.2").await;
    check_each("violations", |name| json!({ name: { "web.2": [] } }), "web.2").await;
    // Of another alert.
    let names = "context query savedSearch search url x_uri edit_alert_link html_edit_url";
    check_each(names, |name| json!({ name: "heroku[web.2]: Error R14" }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn an_app_is_read_from_each_of_its_fields() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for name in ["app", "appName", "application", "heroku_app", "heroku_app_name", "source_name"] {
        for app in ["shop", "Shop "] {
            assert_eq!(super::decision(&service, json(&json!({ name: app }))).await, ALL, "{name}");
        }
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_time_is_read_from_each_of_its_fields() {
    let names = "t time timestamp date eventTime trigger_time TriggerTimeEnd StateChangeTime firedDateTime alertDateTime \
                 received_at recorded_at startsAt started_at fired_at occurred_at triggered_at activated_at down_at";
    check_each(names, |name| json!({ name: ago(86_000) }), "").await;
    check_each("endsAt resolved_at created", |name| json!({ name: ago(86_000) }), ALL).await;
    let names = "events recent_hits hits matches rows";
    check_each(names, |name| json!({ name: [{ "time": ago(86_000) }] }), "").await;
}
