//! Fields of an alert that do not mean what they seem to mean: whose time, state, app and dyno each one is.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{KEY, Service, seconds, shop};

const ALL: &str = "web.1 web.2 web.3";

fn ago(time: u64) -> String {
    (Timestamp::now() - seconds(time)).to_string()
}

/// The dynos that a dry run would restart, or the answer if there is none.
async fn due(service: &Service, query: &str, body: &Value) -> String {
    let request = service.request(Method::POST, &format!("dry_run=true&{query}")).bearer_auth(KEY);
    let answer =
        request.header("content-type", "application/json").body(body.to_string()).send().await.expect("answered");
    let text = answer.text().await.expect("whole");
    let due: Vec<_> = text.lines().filter_map(|line| line.strip_suffix(": would be restarted")).collect();
    if text.starts_with("Dry run") { due.join(" ") } else { text }
}

async fn check(query: &str, body: Value, expected: &str) {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    assert_eq!(due(&service, query, &body).await, expected);
    service.stop().await;
}

fn router(fwd: &str) -> Value {
    let line = format!(
        r#"at=error code=H12 desc="Request timeout" method=GET path="/" host=x fwd="{fwd},5.6.7.8" dyno=web.2 connect=0ms service=30001ms status=503"#
    );
    json!({ "program": "heroku/router", "message": line })
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_line_counts_without_a_scope_too() {
    check("", json!({ "line": format!("{} heroku[web.2]: Error R14", ago(3 * 86_400)) }), "").await;
}

#[tokio::test(start_paused = true)]
async fn a_program_with_a_version_is_no_dyno() {
    check("", json!({ "program": "python3.11", "message": "MemoryError" }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_last_error_of_a_project_is_not_that_of_an_outage() {
    let project = json!({ "name": "shop", "last_notice_at": ago(86_000) });
    let outage = json!({ "down_at": ago(5), "up_at": null });
    check("", json!({ "event": "down", "project": project, "site": { "state": "down" }, "outage": outage }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_visitor_cannot_choose_the_dyno_of_a_router_line() {
    check("scope=affected", router(r#"1" dyno=web.3 a"#), "web.2").await;
}

#[tokio::test(start_paused = true)]
async fn a_visitor_cannot_make_a_router_line_about_a_worker() {
    check("", router(r#"1" dyno=worker.1 a"#), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn an_odd_quote_does_not_hide_the_dyno() {
    check("scope=affected", router(r#"a""#), "web.2").await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_repeats_its_webhook_url_unescaped_is_accepted() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let query = format!(
        "key={KEY}&monitorID=1&monitorURL=http://test.com&alertType=1&monitorAlertContacts=457;5;https://h/restart_web_dynos?key={KEY}&"
    );
    assert_eq!(service.request(Method::GET, &query).send().await.expect("answered").status(), 202);
    let query = format!("key={KEY}&scope=all&contact=https://h/restart_web_dynos?key={KEY}&scope=all&alertType=2");
    let answer = service.request(Method::GET, &query).send().await.expect("answered");
    assert_eq!(answer.text().await.expect("whole"), "Ignored: the alert has recovered");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_of_another_app_beside_one_of_ours_restarts_nothing_of_ours() {
    let event = |app: &str, dyno: &str| json!({ "source_name": app, "program": format!("heroku/{dyno}"), "message": "Error R14" });
    check("scope=affected", json!({ "events": [event("shop", "web.1"), event("intranet", "web.3")] }), "web.1").await;
}

#[tokio::test(start_paused = true)]
async fn a_second_name_for_the_app_does_not_undo_the_first() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 2);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(due(&service, "", &json!({ "app": "shop", "application": "My Shop" })).await, ALL);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_broken_body_triggers_the_app_that_it_names() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 2);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let answer =
        service.request(Method::POST, "").bearer_auth(KEY).body(r#"{"app":"shop","dyno":"web.1""#).send().await;
    assert_eq!(answer.expect("answered").status(), 202);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_restarts_nothing() {
    check("", json!({ "notification_type": "ACKNOWLEDGEMENT" }), "Ignored: the alert has been acknowledged").await;
}

#[tokio::test(start_paused = true)]
async fn the_text_of_a_group_does_not_name_a_dyno_that_has_recovered() {
    let alerts = json!([{ "status": "firing", "labels": { "team": "blue" } }, { "status": "resolved", "labels": { "dyno": "web.2" } }]);
    check(
        "scope=affected",
        json!({ "status": "firing", "alerts": alerts, "message": "Resolved\nheroku[web.2]: Error R14" }),
        ALL,
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn app_output_names_no_dyno_in_whatever_order_the_fields_come() {
    check(
        "scope=affected",
        json!({ "source": "app", "dyno": "web.1", "message": "x heroku[web.3]: Error R14" }),
        "web.1",
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_row_of_data_does_not_count() {
    check("", json!({ "status": "firing", "data": [{ "status": "ok", "value": 3 }] }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_comma_separated_text_names_dynos() {
    check("scope=affected", json!({ "dynos": "web.1, web.2" }), "web.1 web.2").await;
}

#[tokio::test(start_paused = true)]
async fn times_of_appsignal_are_read() {
    check("", json!({ "exception": { "time": "2019-01-09 09:03:57 UTC" } }), "").await;
}

#[tokio::test(start_paused = true)]
async fn a_state_in_the_url_counts_with_a_broken_body_too() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let request =
        service.request(Method::POST, "alertType=2").bearer_auth(KEY).body(r#"{"details": "a "quoted" word"}"#);
    assert_eq!(request.send().await.expect("answered").status(), 200);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_bare_source_is_a_dyno_only_if_its_process_type_is_watched() {
    for source in ["ruby2.7", "v1.2", "redis.1", "agent-7.52", "worker.1"] {
        check("scope=affected", json!({ "source": source }), ALL).await;
    }
    check("scope=affected", json!({ "entity": "web.2" }), "web.2").await;
    check("scope=affected", json!({ "text": "memory of heroku api-v2.1 - too high" }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_part_is_not_that_of_the_alert_unless_the_part_names_a_dyno_or_is_an_event() {
    let old = ago(86_000);
    for part in [
        json!({ "deploy": { "started_at": old } }),
        json!({ "history": [{ "timestamp": old }] }),
        json!({ "labels": { "time": old } }),
    ] {
        check("", part, ALL).await;
    }
    check("", json!({ "events": [{ "timestamp": old }] }), "").await;
    check("scope=affected", json!({ "x": [{ "time": old, "dyno": "web.1" }, { "dyno": "web.2" }] }), "web.2").await;
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_group_counts_for_alerts_without_their_own() {
    let alert = |dyno: &str| json!({ "status": "firing", "labels": { "dyno": dyno } });
    let body = json!({ "alerts": [alert("web.1"), alert("web.2")], "timestamp": ago(86_000) });
    check("scope=affected", body, "").await;
}

#[tokio::test(start_paused = true)]
async fn times_are_read_in_many_forms() {
    let now = Timestamp::now() - seconds(86_000);
    for time in [
        json!(now.as_second()),
        json!(now.as_millisecond()),
        json!(now.as_microsecond()),
        json!(now.as_second().to_string()),
        json!(format!("{}.25", now.as_second())),
        json!(now.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()),
        json!(now.strftime("%Y-%m-%d %H:%M:%S +0000").to_string()),
        json!(now.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()),
    ] {
        check("", json!({ "timestamp": time }), "").await;
    }
}

#[tokio::test(start_paused = true)]
async fn alerts_that_are_left_out_of_a_group_may_be_firing() {
    let alerts = json!([{ "status": "resolved", "labels": { "dyno": "web.2" } }]);
    check("scope=affected", json!({ "status": "firing", "alerts": alerts, "truncatedAlerts": 3 }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn a_text_that_begins_with_brackets_is_not_a_list() {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    let request = service.request(Method::POST, "dry_run=true&scope=affected").bearer_auth(KEY);
    let answer = request.body("[R14] heroku[web.2]: Error R14").send().await.expect("answered");
    assert!(answer.text().await.expect("whole").ends_with("web.2: would be restarted\n"));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn states_count_with_a_subject_in_front_and_only_a_few_in_brackets() {
    let recovered = "Ignored: the alert has recovered";
    for word in ["incident.resolved", "ISSUE_CLOSED", "alert-ok", "alarm_ok", "monitor.up", "check.up", "event closed"]
    {
        check("", json!({ "event": word }), recovered).await;
    }
    for title in ["[RESOLVED:1] x", "[TEST] [Recovered] x", " [Recovered on host] x"] {
        check("", json!({ "title": title }), recovered).await;
    }
    check("", json!({ "subject": "[Acknowledged] x" }), "Ignored: the alert has been acknowledged").await;
    for title in ["[test] x", "[deploy] x", "[closed] x", "[up x", "x [RESOLVED]", "RESOLVED x"] {
        check("", json!({ "title": title }), ALL).await;
    }
    check("", json!({ "clear": false, "marker": "x", "labels": { "marker": {} } }), ALL).await;
}

#[tokio::test(start_paused = true)]
async fn an_alert_without_a_time_is_about_now_even_next_to_an_old_one() {
    let alert = |more: Value| {
        let mut alert = json!({ "status": "firing", "labels": { "dyno": "web.1" } });
        if more.is_string() {
            alert["startsAt"] = more;
        }
        alert
    };
    check("scope=affected", json!({ "alerts": [alert(json!(ago(86_000)))] }), "").await;
    check("scope=affected", json!({ "alerts": [alert(json!(null)), alert(json!(ago(86_000)))] }), "web.1").await;
    check("scope=affected", json!({ "dyno": "web.1", "events": [{ "timestamp": ago(86_000) }] }), "").await;
}

#[tokio::test(start_paused = true)]
async fn an_app_is_named_by_a_row_that_names_no_dyno() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 2);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let targets = json!({ "targets": [{ "id": "x", "labels": { "app": "shop" } }] });
    assert_eq!(due(&service, "", &targets).await, ALL);
    let other = "Ignored: it is about shop, not about the app that the URL names";
    assert_eq!(due(&service, "app=blog", &targets).await, other);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_behind_a_url_is_refused_and_restarts_nothing() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for parameter in ["dry_run=true", "dyno=web.1"] {
        let (status, text) = service.ask(&format!("note=https://x/y?z=1&{parameter}")).await;
        assert!(status == 400 && text.contains("stands behind a URL in the query; accepted: in front of it"), "{text}");
    }
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}
