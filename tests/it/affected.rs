//! Which dynos an alert restarts: those that it names.

use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{KEY, Service, first_line, seconds, shop};

/// Sends an alert with this body. Returns status and text of the answer.
pub(crate) async fn post(service: &Service, query: &str, body: &Value) -> (u16, String) {
    let request = service.request(Method::POST, query).bearer_auth(KEY).body(body.to_string());
    let answer = request.header("content-type", "application/json").send().await.expect("answered");
    (answer.status().as_u16(), first_line(&answer.text().await.expect("whole")))
}

/// Does the same, and waits for the pass that follows.
pub(crate) async fn post_and_pass(service: &Service, query: &str, body: &Value) {
    let before = service.log.count("pass over ");
    assert_eq!(post(service, query, body).await, (202, "Restart triggered".to_owned()));
    service.passes(before + 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_recovered_alert_restarts_nothing_and_says_so() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let calls = heroku.calls().len();
    let answer = post(&service, "force=true", &json!({ "status": "resolved", "dyno": "web.1" })).await;
    assert_eq!(answer, (200, "Ignored: the alert has recovered".to_owned()));
    assert_eq!(service.log.count("an alert for shop was ignored: the alert has recovered"), 1);
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    assert_eq!(heroku.calls().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn with_scope_affected_just_the_named_dynos_are_restarted() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "dynos": ["web.3", "web.1", "worker.1"] });
    post_and_pass(&service, "scope=affected", &body).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_scope_or_with_scope_all_every_dyno_is_restarted() {
    for query in ["", "scope=all"] {
        let (heroku, shop) = shop(2).await;
        let service = Service::start(&heroku).await;
        post_and_pass(&service, query, &json!({ "dyno": "web.2" })).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1", "web.2"], "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_about_a_worker_alone_restarts_no_web_dyno_unless_all_are_asked_for() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "dyno": "worker.1" });
    for query in ["", "scope=affected"] {
        let text = "Ignored: it names only worker.1, and their process types are not in PROCESS_TYPES".to_owned();
        assert_eq!(post(&service, query, &body).await, (200, text));
    }
    post_and_pass(&service, "scope=all", &body).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_watched_worker_that_is_named_is_restarted() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "web,worker")]).await;
    post_and_pass(&service, "scope=affected", &json!({ "dyno": "worker.1" })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["worker.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_in_the_url_counts_for_more_than_those_in_the_body() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    post_and_pass(&service, "scope=affected&dyno=web.2", &json!({ "dyno": "web.1" })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn names_in_a_body_never_reach_the_api() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for dyno in ["web.99", "web.1/../../account", "web.1?x", "web.1%2f..", "web.1\n"] {
        post(&service, "scope=affected", &json!({ "dyno": dyno, "app": "../blog" })).await;
        tokio::time::sleep(seconds(400)).await;
    }
    service.stop().await;
    let allowed = ["/apps/shop/dynos", "/apps/shop/dynos/web.1"];
    assert!(heroku.calls().iter().all(|call| allowed.contains(&call.path.as_str())), "{:#?}", heroku.calls());
}

#[tokio::test(start_paused = true)]
async fn more_names_than_any_app_has_dynos_mean_all() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    assert_eq!(service.ask("dyno=web.2").await.0, 202);
    heroku.until(|_| shop.restarts().len() == 1).await;
    for hundred in 1..=11 {
        let names: Vec<String> = (0..100).map(|name| format!("web.{}", hundred * 100 + name)).collect();
        assert_eq!(post(&service, "scope=affected", &json!({ "dynos": names })).await.0, 202);
    }
    service.passes(2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2", "web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_names_the_app_where_the_url_does_not() {
    let (heroku, shop) = shop(2).await;
    let blog = heroku.create_app("blog").with("web", 2);
    let news = heroku.create_app("news").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog,news")]).await;
    let alert = |app: &str, dyno: &str| json!({ "status": "firing", "labels": { "app": app, "dyno": dyno } });
    let alerts = json!({ "alerts": [alert("shop", "web.1"), alert("blog", "web.2"), alert("else", "web.1")] });
    assert_eq!(post(&service, "scope=affected", &alerts).await.0, 202);
    service.passes(2).await;
    let answer = post(&service, "", &json!({ "app": "elsewhere" })).await;
    assert_eq!(answer, (400, "the alert names elsewhere, which is not watched here".to_owned()));
    service.stop().await;
    assert_eq!((shop.restarts(), blog.restarts()), (vec!["web.1".to_owned()], vec!["web.2".to_owned()]));
    assert!(news.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_a_group_of_alerts_those_of_another_watched_app_do_not_count() {
    let (heroku, shop) = shop(2).await;
    heroku.create_app("blog").with("web", 2);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let alert = |app: &str, dyno: &str| json!({ "status": "firing", "labels": { "app": app, "dyno": dyno } });
    let alerts = json!({ "alerts": [alert("shop", "web.1"), alert("blog", "web.2")] });
    post_and_pass(&service, "app=shop&scope=affected", &alerts).await;
    let text = "Ignored: it is about blog, not about the app that the URL names".to_owned();
    let answer = post(&service, "app=shop", &json!({ "alerts": [alert("blog", "web.2")] })).await;
    assert_eq!(answer, (200, text));
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_app_is_named_by_a_tag_or_around_its_alerts_too() {
    let (heroku, shop) = shop(2).await;
    heroku.create_app("blog").with("web", 2);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let alerts = json!([{ "status": "firing", "labels": { "dyno": "web.2" } }]);
    post_and_pass(&service, "scope=affected", &json!({ "tags": "x:y app:shop", "alerts": alerts })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn the_app_that_is_watched_is_not_lost_among_many() {
    let alert = |app: &str, dyno: &str| json!({ "status": "firing", "labels": { "app": app, "dyno": dyno } });
    for others in [5, 99, 150] {
        let (heroku, shop) = shop(2).await;
        let service = Service::start(&heroku).await;
        let mut alerts: Vec<Value> = (0..others).map(|number| alert(&format!("other-{number}"), "web.2")).collect();
        alerts.push(alert("shop", "web.1"));
        post_and_pass(&service, "scope=affected", &json!({ "alerts": alerts })).await;
        service.stop().await;
        // An app that is not kept counts as one without named dynos.
        let expected: &[&str] = if others < 100 { &["web.1"] } else { &["web.1", "web.2"] };
        assert_eq!(shop.restarts(), expected, "{others}");
    }
}
