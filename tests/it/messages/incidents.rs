//! Trackers of incidents and of errors: they send news about an incident, too, which restarts nothing.

use serde_json::{Value, json};

use super::{ACKNOWLEDGED, ALL, DEPLOY, NO_ALERT, RECOVERED, TEST, check, check_json, json, now};

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
async fn an_event_that_a_tracker_gives_as_an_object_is_news_or_a_recovery_or_an_alert() {
    let bugsnag = |kind: &str, status: &str| json!({ "trigger": { "type": kind }, "error": { "status": status } });
    let hydrant = |milestone: &str| json!({ "event": { "operation": "UPDATED" }, "data": { "incident": { "current_milestone": milestone } } });
    let victor_ops =
        |phase: &str, state: &str| json!({ "STATE": { "CURRENT_ALERT_PHASE": phase, "CURRENT_STATE": state } });
    check_json(&[
        (bugsnag("firstException", "open"), ALL),
        (bugsnag("comment", "open"), NO_ALERT),
        (bugsnag("errorStateManualChange", "fixed"), RECOVERED),
        (bugsnag("release", ""), DEPLOY),
        (hydrant("started"), ALL),
        (hydrant("mitigated"), RECOVERED),
        (victor_ops("UNACKED", "CRITICAL"), ALL),
        (victor_ops("ACKED", "CRITICAL"), ACKNOWLEDGED),
        (victor_ops("RESOLVED", "OK"), RECOVERED),
        (json!({ "event_action": "resolve", "dedup_key": "x" }), RECOVERED),
        (json!({ "event_action": "trigger", "payload": { "severity": "critical" } }), ALL),
    ])
    .await;
}

/// A webhook of Heroku about an app would restart dynos again for each restart.
#[tokio::test(start_paused = true)]
async fn platforms_tell_of_changes_which_are_no_alerts() {
    let heroku = |resource: &str, data: Value| json!({ "action": "update", "resource": resource, "data": data, "webhook_metadata": { "attempt": {} } });
    let github = |event, body: &Value| json(body).with("x-github-event", event);
    check(vec![
        ("a dyno of Heroku", json(&heroku("dyno", json!({ "name": "web.1", "state": "starting" }))), NO_ALERT),
        ("a formation", json(&heroku("formation", json!({ "quantity": 3 }))), NO_ALERT),
        ("GitHub's handshake", github("ping", &json!({ "zen": "Approachable" })), TEST),
        ("a deployment", github("deployment", &json!({ "action": "created" })), DEPLOY),
        ("a deployment that failed", github("deployment_status", &json!({ "state": "failure" })), DEPLOY),
        ("another event", github("repository_dispatch", &json!({ "action": "restart" })), ALL),
        ("a label of that name", json(&json!({ "labels": { "webhook_metadata": {} } })), ALL),
    ])
    .await;
    let of_repositories = "push create delete release star watch fork issue_comment commit_comment pull_request \
                           pull_request_review pull_request_review_comment";
    let told = json!({ "action": "created" });
    check(of_repositories.split(' ').map(|event| (event, github(event, &told), NO_ALERT)).collect()).await;
}

#[tokio::test(start_paused = true)]
async fn sentry_gives_the_state_in_its_action_and_the_kind_in_a_header() {
    let resource =
        |name, action: &str| json(&json!({ "action": action, "data": {} })).with("sentry-hook-resource", name);
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
        (pager_duty("incident.unacknowledged"), NO_ALERT),
        (opsgenie("Acknowledge"), ACKNOWLEDGED),
        (json!({ "notification_type": "ACKNOWLEDGEMENT" }), ACKNOWLEDGED),
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
    check_json(&rows).await;
}
