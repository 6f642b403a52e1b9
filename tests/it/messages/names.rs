//! How alerts name dynos and apps, and what only looks like such a name.

use serde_json::{Value, json};

use super::{ALL, check, check_json, decision, json};
use crate::service::{Service, shop};

#[tokio::test(start_paused = true)]
async fn dynos_are_named_in_many_ways() {
    let tagged = |tags: Value| json!({ "transition": "Triggered", "tags": tags });
    check_json(&[
        (tagged(json!("appname:shop,dyno:web.2,dynotype:web")), "web.2"),
        (tagged(json!("dynoname:web.2,appname:shop")), "web.2"),
        (tagged(json!(["env:prod", "dyno_name:web.2"])), "web.2"),
        (tagged(json!("host:shop.web.2")), "web.2"),
        (tagged(json!([["environment", "production"], ["dyno", "web.2"]])), "web.2"),
        (tagged(json!([{ "key": "dyno", "value": "web.2" }, { "key": "x", "value": "web.1" }])), "web.2"),
        (tagged(json!({ "dyno": "web.2" })), "web.2"),
        (tagged(json!([{ "dyno": "web.2" }])), "web.2"),
        (tagged(json!([{ "Key": "dyno", "Value": "web.2" }, { "Key": "x", "Value": "web.1" }])), "web.2"),
        (tagged(json!("env=prod,dyno=web.2")), "web.2"),
        (json!({ "fields": [{ "title": "Dyno", "value": "web.2", "short": true }] }), "web.2"),
        (json!({ "text": "Nov 20 13:45:01 shop heroku/web.2: Error R14 (Memory quota exceeded)" }), "web.2"),
        (json!({ "text": "Nov 20 13:45:01 shop app/web.2: heroku/web.1: Error R14" }), ALL),
        (json!({ "action": "triggered", "data": { "event": { "tags": [["dyno", "web.2"]] } } }), "web.2"),
        (json!({ "dynos": "web.1, web.2" }), "web.1 web.2"),
        (json!({ "host": "shop.web.2" }), "web.2"),
        (json!({ "proc_id": "web.2" }), "web.2"),
        (json!([{ "host": "host", "ident": "heroku", "pid": "web.2", "message": "Error R14" }]), "web.2"),
        (json!({ "appname": "heroku", "procid": "web.2", "message": "Error R14" }), "web.2"),
        (json!({ "dyno": { "name": "web.2", "type": "web" }, "app": { "name": "shop" } }), "web.2"),
        (json!({ "entity": "web.2" }), "web.2"),
        (json!({ "context": { "dyno": "web.2" } }), "web.2"),
        (
            json!({ "data": { "context": { "of": [{ "dimensions": [{ "name": "dyno", "value": "web.2" }] }] } } }),
            "web.2",
        ),
        (json!({ "event": { "m": "x" }, "context": [{ "dyno": "web.2" }] }), ALL),
        (json!({ "dyno": "web.1/web.2" }), "web.1 web.2"),
        (json!({ "host": { "name": "web.2" } }), "web.2"),
        (json!({ "entity": { "metadata": { "name": "web.2" } }, "check": { "state": "failing" } }), "web.2"),
        (json!({ "affected_dynos": ["web.2"] }), "web.2"),
        (json!({ "dynos": { "web.2": {} } }), "web.2"),
        (json!({ "dyno": { "web.2": 600 } }), "web.2"),
        (json!({ "dyno": { "id": "web.2" } }), "web.2"),
        (json!({ "dyno": "shop:web.2" }), "web.2"),
        (json!({ "dyno": "['web.2']" }), "web.2"),
        (json!({ "dyno": "dyno=(\"web.2\")" }), "web.2"),
        (json!({ "dyno": "web.2." }), "web.2"),
        (tagged(json!("map[dyno:web.2 app:shop]")), "web.2"),
        (tagged(json!("{dyno=\"web.2\", app=\"shop\"}")), "web.2"),
        (tagged(json!(["web.2", "prod"])), "web.2"),
        (json!({ "description": "memory of web.2" }), "web.2"),
        (json!({ "dyno": "web.1;web.2|`web.3`" }), "web.1 web.2 web.3"),
        (tagged(json!("env=prod;dyno=web.2")), "web.2"),
        (json!({ "text": "assembly system.web.2 not found" }), ALL),
        (json!({ "dyno": "web.2", "context": { "dyno": "web.3" } }), "web.2"),
        (json!({ "text": "R14 on web.2", "context": { "host": "web.3", "log": "heroku[web.3]: R14" } }), "web.2"),
        (json!({ "previous": { "dyno": "web.2" } }), "web.2"),
        (json!({ "dyno": "web.2", "previous": { "dyno": "web.3" } }), "web.2"),
        (json!({ "blocks": [{ "fields": [{ "type": "mrkdwn", "text": "*Dyno:* web.2" }] }] }), "web.2"),
        (json!({ "text": "R14 on web.2, not on worker.1" }), "web.2"),
        (json!({ "text": "R14 on node.1" }), ALL),
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
        assert_eq!(decision(&service, json(&json!({ "tags": tags }))).await, expected, "{tags}");
    }
    service.stop().await;
}

fn router(fwd: &str) -> Value {
    let line = format!(
        r#"at=error code=H12 desc="Request timeout" method=GET path="/" host=x fwd="{fwd},5.6.7.8" dyno=web.2 connect=0ms service=30001ms status=503"#
    );
    json!({ "program": "heroku/router", "message": line })
}

#[tokio::test(start_paused = true)]
async fn a_visitor_cannot_choose_the_dyno_of_a_router_line() {
    check_json(&[(router(r#"1" dyno=web.3 a"#), "web.2"), (router(r#"a""#), "web.2")]).await;
    check(vec![("a worker", json(&router(r#"1" dyno=worker.1 a"#)).unscoped(), ALL)]).await;
}

#[tokio::test(start_paused = true)]
async fn what_only_looks_like_the_name_of_a_watched_dyno_is_none() {
    let tags = json!([["dyno", "heroku.5-1"], ["x", "web.2"]]);
    let mut rows = vec![
        (json!({ "transition": "Triggered", "tags": tags }), ALL),
        (json!({ "host": "db.redis.1" }), ALL),
        (json!({ "host": "shop.example.com" }), ALL),
        (json!({ "program": "python3.11", "message": "MemoryError" }), ALL),
        (json!({ "text": "memory of heroku api-v2.1 - too high" }), ALL),
        // The app printed the line, and may quote any other.
        (json!({ "source": "app", "dyno": "web.1", "message": "x heroku[web.3]: Error R14" }), "web.1"),
    ];
    for source in ["ruby2.7", "v1.2", "redis.1", "agent-7.52", "worker.1"] {
        rows.push((json!({ "source": source }), ALL));
    }
    check_json(&rows).await;
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_app_beside_one_of_ours_restarts_nothing_of_ours() {
    let event = |app: &str, dyno: &str| json!({ "source_name": app, "program": format!("heroku/{dyno}"), "message": "Error R14" });
    check_json(&[(json!({ "events": [event("shop", "web.1"), event("intranet", "web.3")] }), "web.1")]).await;
}

#[tokio::test(start_paused = true)]
async fn of_several_names_for_the_app_the_first_counts_and_a_row_without_a_dyno_may_name_it() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 2);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let names = json(&json!({ "app": "shop", "application": "My Shop" }));
    assert_eq!(decision(&service, names).await, ALL);
    let targets = json(&json!({ "targets": [{ "id": "x", "labels": { "app": "shop" } }] }));
    assert_eq!(decision(&service, targets.clone()).await, ALL);
    let other = "Ignored: it is about shop, not about the app that the URL names";
    assert_eq!(decision(&service, targets.asking("app=blog")).await, other);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_host_may_be_called_by_the_name_of_a_dyno() {
    check_json(&[
        (json!({ "action": "triggered", "data": { "event": { "tags": [["server_name", "web.2"]] } } }), "web.2"),
        (json!({ "trigger": { "type": "exception" }, "error": { "device": { "hostname": "web.2" } } }), "web.2"),
        (json!({ "targets": [{ "name": "web.2", "type": "Application" }] }), "web.2"),
        (json!({ "item": { "server": { "host": "web.2" } } }), "web.2"),
        (json!({ "backlog": [{ "fields": { "process_id": "web.2" } }] }), "web.2"),
        (json!({ "service.instance.id": "web.2" }), "web.2"),
        (json!({ "host": "web.example.com" }), ALL),
        (json!({ "dyno": "web.2", "host": "web.1" }), "web.2"),
        (json!({ "status": "firing", "dyno": "WEB.2" }), "web.2"),
        (json!({ "metadata": { "dyno": [{ "type": "String", "value": "web.2" }] } }), "web.2"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_name_in_a_sentence_counts_where_nothing_else_names_a_dyno() {
    check_json(&[
        (json!({ "text": "web.2 and web.3 of shop are over their quota. See web.example.com" }), "web.2 web.3"),
        (json!({ "title": "[Triggered on {dyno:web.2}]" }), "web.2"),
        (json!({ "text": "worker.1 is slow, v1.2" }), ALL),
        (json!({ "dyno": "web.1", "text": "unlike web.2" }), "web.1"),
        (json!({ "text": "see https://x.example/web.1, /app/web.3/index.js and web.1@x.example" }), ALL),
        (json!({ "text": "heroku/web.2 is slow" }), "web.2"),
        (
            json!({ "alerts": [{ "status": "resolved", "title": "web.1" }, { "status": "firing", "title": "web.2" }] }),
            "web.2",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn groups_that_are_in_order_name_no_dyno() {
    let group = |dyno: &str| json!({ "Group": { "dyno": dyno } });
    let groups =
        json!({ "result_groups": [group("web.1"), group("web.2")], "result_groups_triggered": [group("web.2")] });
    let alerts = json!([{ "status": "resolved", "dyno": "web.1" }, { "status": "firing", "dyno": "web.2" }]);
    check_json(&[
        (groups, "web.2"),
        (
            json!({ "alert_payload": { "status": "firing", "alerts": alerts }, "event": { "type": "escalation" } }),
            "web.2",
        ),
    ])
    .await;
}
