//! Each `only_if` in docs/senders.md, tried with messages of its sender.

use std::collections::BTreeSet;

use serde_json::json;

use super::{Message, decision, form, get, json, payload};
use crate::service::{Service, shop};

const RECIPES: &str = include_str!("../../../docs/senders.md");

/// The heading of a recipe and an `only_if` in it, a message that must restart, and one that must not.
type Row = (&'static str, &'static str, Message, Message);

/// Uptime checks, most of which send a word or a number.
fn uptime_checks() -> Vec<Row> {
    let stack = |status: &str| json(&json!({ "data": { "attributes": { "status": status } } }));
    let checkly = |kind: &str| json(&json!({ "alert_type": kind, "title": "shop" }));
    let badger = |event: &str| json(&json!({ "event": event, "project": { "name": "shop" } }));
    let pingdom = |state: &str| json(&json!({ "current_state": state, "previous_state": "UP" }));
    let scout = |lifecycle: &str| payload(&json!({ "lifecycle": lifecycle, "title": "Memory" }));
    let cake = |status: &str| form(&[("Status", status), ("Name", "shop")]);
    let updown = |event: &str| json(&json!([{ "event": event, "check": { "token": "ab" } }]));
    let kuma = get("msg=shop&heartbeat=%7B%22status%22%3A0%7D");
    let degraded = "only_if=alert_type:ALERT_FAILURE,ALERT_DEGRADED";
    vec![
        ("Better Stack", "only_if=data.attributes.status:Started", stack("Started"), stack("Resolved")),
        ("Checkly", "only_if=alert_type:ALERT_FAILURE", checkly("ALERT_FAILURE"), checkly("ALERT_DEGRADED")),
        ("Checkly", degraded, checkly("ALERT_DEGRADED"), checkly("ALERT_RECOVERY")),
        ("Honeybadger", "only_if=event:down,alarm_alert", badger("alarm_alert"), badger("occurred")),
        ("Pingdom", "only_if=current_state:DOWN", pingdom("DOWN"), pingdom("UP")),
        ("Scout", "only_if=lifecycle:start", scout("start"), scout("end")),
        ("StatusCake", "only_if=status:down", cake("Down"), cake("Up")),
        ("updown.io", "only_if=event:check.down", updown("check.down"), updown("check.performance_drop")),
        // The test has a text only.
        ("Uptime Kuma", "only_if=heartbeat.status:0", kuma, get("msg=shop+Testing")),
        ("UptimeRobot", "only_if=alertType:1", get("alertType=1"), get("alertType=2")),
    ]
}

/// Monitors of metrics and of the log.
fn monitors() -> Vec<Row> {
    let signal = |state: &str| json(&json!({ "state": state, "metric": "memory" }));
    let grid = |kind: &str| json(&json!([{ "eventType": kind, "data": {} }]));
    let azure = |condition: &str| json(&json!({ "data": { "essentials": { "monitorCondition": condition } } }));
    let sns = |state: &str| {
        let alarm = json!({ "AlarmName": "memory", "NewStateValue": state }).to_string();
        json(&json!({ "Type": "Notification", "Message": alarm }))
    };
    let coralogix = |action: &str| json(&json!({ "alert_action": action, "text": "Error R14" }));
    let dog = |transition: &str| json(&json!({ "transition": transition, "title": "memory" }));
    let kapacitor = |level: &str| json(&json!({ "level": level, "previousLevel": "OK", "message": "memory" }));
    let entries = |name: &str| payload(&json!({ "alert": { "name": name }, "event": { "m": "Error R14" } }));
    let loggly = |name: &str| json(&json!({ "alert_name": name, "recent_hits": [] }));
    let trail = |name: &str| payload(&json!({ "saved_search": { "name": name }, "events": [] }));
    let sumo = |kind: &str| json(&json!({ "TriggerType": kind, "lines": "[]" }));
    vec![
        ("AppSignal", "only_if=state:open", signal("open"), json(&json!({ "exception": { "exception": "X" } }))),
        ("Azure Event Grid", "only_if=eventType:TYPE", grid("TYPE"), grid("Another")),
        ("Azure Monitor", "only_if=monitorCondition:Fired", azure("Fired"), azure("Resolved")),
        ("CloudWatch through Amazon SNS", "only_if=NewStateValue:ALARM", sns("ALARM"), sns("OK")),
        ("Coralogix", "only_if=alert_action:trigger", coralogix("trigger"), coralogix("resolve")),
        ("Datadog", "only_if=transition:Triggered,Re-Triggered", dog("Re-Triggered"), dog("Renotify")),
        ("Kapacitor", "only_if=level:CRITICAL", kapacitor("CRITICAL"), kapacitor("WARNING")),
        ("LogEntries, Rapid7 InsightOps", "only_if=alert.name:NAME", entries("NAME"), entries("Another")),
        ("Loggly", "only_if=alert_name:NAME", loggly("NAME"), loggly("Another")),
        ("Papertrail", "only_if=saved_search.name:NAME", trail("NAME"), trail("Another")),
        ("Sumo Logic", "only_if=TriggerType:Critical", sumo("Critical"), sumo("Warning")),
        (
            "Anything else",
            "only_if=status:firing",
            json(&json!({ "status": "firing" })),
            json(&json!({ "status": "x" })),
        ),
    ]
}

/// Trackers of incidents and of errors, and people.
fn incidents() -> Vec<Row> {
    let on_call = |kind: &str| json(&json!({ "event": { "type": kind }, "alert_group": { "state": "firing" } }));
    let relic = |state: &str| json(&json!({ "state": state, "trigger": "STATE_CHANGE" }));
    let older = |state: &str| json(&json!({ "current_state": state, "condition_name": "memory" }));
    let genie = |action: &str| json(&json!({ "action": action, "alert": { "message": "memory" } }));
    let pager = |kind: &str| json(&json!({ "event": { "event_type": kind, "data": { "status": "triggered" } } }));
    let pager_2 = |event: &str| json(&json!({ "messages": [{ "event": event, "incident": {} }] }));
    let rollbar = |event: &str| json(&json!({ "event_name": event, "data": { "item": { "status": 1 } } }));
    let sentry = |action: &str| json(&json!({ "action": action, "data": {} }));
    let slack = |user: &str| form(&[("user_name", user), ("command", "/restart"), ("text", "")]);
    let created = "only_if=event.type:alert%20group%20created";
    let items = "only_if=event_name:new_item,reopened_item,item_velocity";
    let triggered = "only_if=event.event_type:incident.triggered";
    vec![
        ("Grafana OnCall and IRM", created, on_call("alert group created"), on_call("status change")),
        ("Grafana OnCall and IRM", "only_if=event.type:escalation", on_call("escalation"), on_call("unresolve")),
        ("New Relic", "only_if=state:ACTIVATED", relic("ACTIVATED"), relic("CLOSED")),
        ("New Relic", "only_if=current_state:open", older("open"), older("closed")),
        ("Opsgenie", "only_if=action:Create", genie("Create"), genie("MyCustomAction")),
        ("PagerDuty", triggered, pager("incident.triggered"), pager("incident.reopened")),
        (
            "PagerDuty",
            "only_if=messages.event:incident.trigger",
            pager_2("incident.trigger"),
            pager_2("incident.resolve"),
        ),
        ("Rollbar", items, rollbar("item_velocity"), rollbar("occurrence")),
        ("Sentry", "only_if=action:triggered,critical", sentry("critical"), sentry("created")),
        ("Slack", "only_if=user_name:ann,bob", slack("bob"), slack("eve")),
    ]
}

/// The `only_if` of each recipe, with the heading of the recipe.
fn documented() -> BTreeSet<(&'static str, &'static str)> {
    let (_, recipes) = RECIPES.split_once("\n## Recipes\n").expect("there are recipes");
    let mut documented = BTreeSet::new();
    // What follows explains parameters with examples that are of no sender.
    let recipes = recipes.split("\n## What to send").next().unwrap_or_default();
    for recipe in recipes.split("\n## ").flat_map(|part| part.split("\n### ")) {
        let heading = recipe.lines().next().unwrap_or_default();
        for (at, _) in recipe.match_indices("only_if=") {
            let end = recipe[at..].find(['`', '"', '&', ' ', '\n']).expect("it ends");
            documented.insert((heading, &recipe[at..at + end]));
        }
    }
    documented.retain(|(_, only_if)| only_if.contains(':'));
    documented
}

#[tokio::test(start_paused = true)]
async fn each_only_if_of_a_recipe_accepts_trouble_of_its_sender_and_nothing_else() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let rows: Vec<Row> = [uptime_checks(), monitors(), incidents()].concat();
    for (heading, only_if, trouble, other) in rows.clone() {
        assert_eq!(decision(&service, trouble.asking(only_if)).await, "web.1", "{heading} {only_if}");
        let decided = decision(&service, other.asking(only_if)).await;
        assert!(decided.starts_with("Ignored: "), "{heading} {only_if}: {decided}");
    }
    let tried: BTreeSet<_> = rows.iter().map(|(heading, only_if, ..)| (*heading, *only_if)).collect();
    assert_eq!(documented(), tried);
    service.stop().await;
}

#[test]
fn each_recipe_says_how_sure_it_is() {
    let (_, recipes) = RECIPES.split_once("\n## Recipes\n").expect("there are recipes");
    let (recipes, _) = recipes.split_once("\n## ").expect("a section follows");
    for recipe in recipes.split("\n### ").skip(1) {
        let (heading, text) = recipe.split_once('\n').expect("a text follows");
        assert!(text.starts_with("*seen*") || text.starts_with("*from documents*"), "{heading}");
    }
}
