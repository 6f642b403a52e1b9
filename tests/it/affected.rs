//! Which dynos an alert restarts: those that it names, if the alert is about the process that runs now.

use dyno_restarter::SeenIds;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{KEY, Service, deletes, first_line, lists, seconds, shop};

/// Sends an alert with this body. Returns status and text of the answer.
async fn post(service: &Service, query: &str, body: &Value) -> (u16, String) {
    let request = service.request(Method::POST, query).bearer_auth(KEY).body(body.to_string());
    let answer = request.header("content-type", "application/json").send().await.expect("answered");
    (answer.status().as_u16(), first_line(&answer.text().await.expect("whole")))
}

/// Does the same, and waits for the pass that follows.
async fn post_and_pass(service: &Service, query: &str, body: &Value) {
    let before = service.log.count("pass over ");
    assert_eq!(post(service, query, body).await, (202, "Restart triggered".to_owned()));
    service.passes(before + 1).await;
}

fn ago(time: u64) -> String {
    (Timestamp::now() - seconds(time)).to_string()
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
        let text = "Ignored: it names only worker.1, of no process type in PROCESS_TYPES".to_owned();
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
async fn an_alert_older_than_the_process_skips_it_and_says_so() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").age(seconds(1800));
    let service = Service::start(&heroku).await;
    // web.2 is an hour old.
    post_and_pass(&service, "", &json!({ "startsAt": ago(2400) })).await;
    assert_eq!(service.log.count(" web.1 of shop: left alone: the alert is of "), 1);
    assert_eq!(service.log.count(" ago, before this process started "), 2, "{}", service.log.text());
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_minute_between_the_clocks_is_tolerated() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").age(seconds(1800));
    shop.dyno("web.2").age(seconds(1800));
    let service = Service::start(&heroku).await;
    let events = json!([
        { "program": "heroku/web.1", "received_at": ago(1800 + 57) },
        { "program": "heroku/web.2", "received_at": ago(1800 + 64) },
    ]);
    post_and_pass(&service, "scope=affected", &json!({ "events": events })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn of_several_events_of_a_dyno_the_last_one_counts() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let event = |time| json!({ "program": "heroku/web.1", "received_at": ago(time) });
    post_and_pass(&service, "scope=affected", &json!({ "events": [event(9000), event(60), event(8000)] })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_arrives_days_later_restarts_nothing_even_if_forced() {
    let (heroku, shop) = shop(2).await;
    for dyno in ["web.1", "web.2"] {
        shop.dyno(dyno).age(seconds(9 * 86_400));
    }
    let service = Service::start(&heroku).await;
    for query in ["", "force=true", "scope=affected", "dyno=web.1"] {
        post_and_pass(&service, query, &json!({ "dyno": "web.1", "timestamp": ago(3 * 86_400) })).await;
    }
    assert!(service.log.count("longer than Heroku lets a process run") >= 4);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn an_alert_of_ten_hours_ago_is_about_a_dyno_that_runs_for_twenty() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(20 * 3600));
    let service = Service::start(&heroku).await;
    post_and_pass(&service, "", &json!({ "timestamp": ago(10 * 3600) })).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_late_alert_and_one_of_now_restart_what_the_one_of_now_asks_for() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    let late = json!({ "timestamp": ago(86_000), "dyno": "web.1" });
    let (one, two) = tokio::join!(post(&service, "", &late), service.ask("dyno=web.2"));
    assert_eq!((one.0, two.0), (202, 202));
    service.log.until(|_| shop.restarts().len() == 1).await;
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn times_that_cannot_be_read_or_lie_ahead_count_as_now() {
    for time in [json!("yesterday"), json!("0001-01-01T00:00:00Z"), json!(0), json!("2999-01-01T00:00:00Z"), json!({})]
    {
        let (heroku, shop) = shop(1).await;
        let service = Service::start(&heroku).await;
        post_and_pass(&service, "", &json!({ "timestamp": time })).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1"], "{time}");
    }
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
async fn a_delivery_that_is_repeated_within_ten_minutes_costs_nothing() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = json!({ "event": { "s": 40_634_540_484_u64, "m": "Error R14" } });
    post_and_pass(&service, "", &body).await;
    let calls = heroku.calls().len();
    tokio::time::sleep(seconds(590)).await;
    let again = post(&service, "", &body).await;
    assert_eq!(again, (202, "Already triggered: this alert came before".to_owned()));
    assert_eq!(heroku.calls().len(), calls);
    tokio::time::sleep(seconds(20)).await;
    post_and_pass(&service, "", &body).await;
    service.stop().await;
    assert_eq!(shop.restarts().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_delivery_is_recognised_by_its_id_its_nonce_or_its_sequence() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let deliver = async |header: &'static str, body: Value| {
        let request = service.request(Method::POST, "").bearer_auth(KEY).header(header, "abc").body(body.to_string());
        first_line(&request.send().await.expect("answered").text().await.expect("whole"))
    };
    for header in ["webhook-id", "x-le-nonce", "request-id", "idempotency-key"] {
        assert_eq!(deliver(header, json!({})).await, "Restart triggered", "{header}");
        assert!(deliver(header, json!({ "other": 1 })).await.starts_with("Already"), "{header}");
    }
    for body in [json!({ "max_id": "12", "min_id": "11" }), json!({ "max_id": "12", "min_id": "10" })] {
        assert_eq!(deliver("x-other", body.clone()).await, "Restart triggered", "{body}");
        assert!(deliver("x-other", body.clone()).await.starts_with("Already"), "{body}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn one_known_id_of_several_is_enough_to_recognise_a_delivery() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (sequence, answer) in [(1, "Restart triggered"), (2, "Already triggered: this alert came before")] {
        let body = json!({ "sequence": sequence }).to_string();
        let request = service.request(Method::POST, "").bearer_auth(KEY).header("webhook-id", "7").body(body);
        let text = request.send().await.expect("answered").text().await.expect("whole");
        assert_eq!(first_line(&text), answer);
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_deliveries_are_remembered_and_no_more() {
    let seen = SeenIds::default();
    let are_new = |number: usize| seen.insert_new(number.to_string());
    assert!((0..10_000).all(are_new));
    assert!(!are_new(0) && !are_new(9_999));
    assert!(are_new(10_000) && are_new(0) && !are_new(9_999));
}

#[tokio::test(start_paused = true)]
async fn the_same_delivery_for_another_app_or_after_a_dry_run_is_no_repetition() {
    let (heroku, _) = shop(1).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let body = json!({ "sequence": 7, "labels": { "s": 7 } });
    for query in ["app=shop&dry_run=true", "app=shop", "app=blog"] {
        assert!(post(&service, query, &body).await.1 != "Already triggered: this alert came before", "{query}");
    }
    service.stop().await;
    assert!(lists(&heroku) >= 2);
}

#[tokio::test(start_paused = true)]
async fn of_a_late_alert_and_one_of_now_about_the_same_the_one_of_now_counts() {
    let (all, one) = ("", "dyno=web.1");
    for (first, second) in [(all, all), (one, one), (one, all), (all, one)] {
        for times in [[86_000, 10], [10, 86_000]] {
            let (heroku, shop) = shop(2).await;
            let service = Service::start(&heroku).await;
            // While a pass is under way they wait together.
            assert_eq!(service.ask("dyno=web.2&force=true").await.0, 202);
            heroku.until(|_| shop.restarts().len() == 1).await;
            for (query, time) in [first, second].iter().zip(times) {
                assert_eq!(post(&service, query, &json!({ "timestamp": ago(time) })).await.0, 202);
            }
            service.passes(2).await;
            service.stop().await;
            assert_eq!(shop.restarts(), ["web.2", "web.1"], "{first} and {second}, {times:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_forced_alert_does_not_force_one_of_now() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").age(seconds(100));
    let service = Service::start(&heroku).await;
    assert_eq!(service.ask("dyno=web.2&force=true").await.0, 202);
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert_eq!(post(&service, "dyno=web.1&force=true", &json!({ "timestamp": ago(5000) })).await.0, 202);
    assert_eq!(service.ask("dyno=web.1").await.0, 202);
    service.passes(2).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
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
async fn a_dyno_in_the_url_is_late_by_the_time_of_the_alert() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let line = |dyno: &str| json!({ "line": format!("{} heroku[{dyno}]: Error R14", ago(86_000)) });
    for body in [line("web.1"), line("web.2"), json!({ "timestamp": ago(86_000) })] {
        post_and_pass(&service, "dyno=web.1", &body).await;
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
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
async fn a_report_of_a_drain_does_not_make_an_alert_late_not_even_a_forced_one() {
    for (min_age, query) in [("0s", "dyno=web.2"), ("5m", "dyno=web.2&force=true")] {
        let (heroku, shop) = shop(2).await;
        shop.dyno("web.2").age(seconds(20));
        let service = Service::with(&heroku, &[("MIN_AGE", min_age), ("TOLERANCE", "1 in 2m")]).await;
        shop.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
        assert_eq!(service.ask("dyno=web.1&force=true").await.0, 202);
        heroku.until(|_| shop.restarts().len() == 1).await;
        assert_eq!(post(&service, query, &json!({ "timestamp": ago(15) })).await.0, 202);
        shop.platform_line("web.2", "Error R14 (Memory quota exceeded)", seconds(5));
        service.passes(2).await;
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1", "web.2"], "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_was_answered_503_is_not_answered_202_the_next_time() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    for _ in 0..2 {
        assert_eq!(post(&service, "", &json!({ "sequence": 7 })).await.0, 503);
    }
    service.ended().await.expect("it ends well");
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
