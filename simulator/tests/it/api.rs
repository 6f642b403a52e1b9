//! The Platform API: authentication, errors, headers, and the effects of requests.

use std::time::Duration;

use axum::http::Method;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use simulator::{App, Heroku};
use tokio::time::advance;

use crate::client::{delete, get, request, request_without_headers, send, send_json, try_send};

const V3: &str = "application/vnd.heroku+json; version=3";

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 2).with("run", 1);
    (heroku, shop)
}

#[tokio::test(start_paused = true)]
async fn only_requests_with_the_token_are_accepted() {
    let (heroku, _) = shop().await;
    let request = || request_without_headers(Method::GET, "/apps/shop").header("Accept", V3);
    let none = send(&heroku, request()).await;
    assert_eq!(none.status, 401);
    assert_eq!(none.json()["id"], "unauthorized");
    let wrong = send(&heroku, request().header("Authorization", "Bearer wrong")).await;
    assert_eq!(wrong.status, 401);
    let basic = BASE64_STANDARD.encode(format!(":{}", Heroku::TOKEN));
    let basic = send(&heroku, request().header("Authorization", format!("Basic {basic}"))).await;
    assert_eq!(basic.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_refused() {
    let (heroku, _) = shop().await;
    heroku.revoke_token();
    assert_eq!(get(&heroku, "/apps/shop").await.status, 401);
}

#[tokio::test(start_paused = true)]
async fn any_token_is_accepted_after_accept_any_token() {
    let (heroku, _) = shop().await;
    heroku.accept_any_token();
    let any = request_without_headers(Method::GET, "/account").header("Accept", V3);
    assert_eq!(send(&heroku, any.header("Authorization", "Bearer any")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn only_version_3_of_the_api_is_accepted() {
    let (heroku, _) = shop().await;
    for (accept, status) in [
        ("*/*", 406),
        ("application/json", 406),
        ("application/vnd.heroku+json; version=2", 406),
        ("application/vnd.heroku+json; version=30", 406),
        (V3, 200),
        ("application/vnd.heroku+json; version=3.sdk", 200),
    ] {
        let request = request_without_headers(Method::GET, "/apps/shop").header("Accept", accept);
        let request = request.header("Authorization", format!("Bearer {}", Heroku::TOKEN));
        assert_eq!(send(&heroku, request).await.status, status, "{accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delete_with_a_body_is_a_bad_request() {
    let (heroku, shop) = shop().await;
    let request = request(Method::DELETE, "/apps/shop/dynos/web.1");
    let answer = try_send(&heroku, request, "{}").await.expect("there is an answer");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["id"], "bad_request");
    assert!(shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_app_dyno_type_or_endpoint_is_not_found() {
    let (heroku, _) = shop().await;
    for (path, message) in [
        ("/apps/nope/dynos", "Couldn't find that app."),
        ("/apps/shop/dynos/web.9", "Couldn't find that dyno."),
        ("/apps/shop/formation/clock", "Couldn't find that process type."),
    ] {
        let answer = get(&heroku, path).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["message"], message);
    }
    assert_eq!(delete(&heroku, "/apps/shop/dynos/web.9").await.status, 404);
    assert_eq!(get(&heroku, "/no/such/endpoint").await.json()["id"], "not_found");
}

#[tokio::test(start_paused = true)]
async fn a_token_with_the_scope_read_may_not_restart() {
    let (heroku, shop) = shop().await;
    heroku.set_token_scope(&["read"]);
    let list = get(&heroku, "/apps/shop/dynos").await;
    assert_eq!((list.status.as_u16(), list.header("oauth-scope")), (200, "read"));
    let answer = delete(&heroku, "/apps/shop/dynos/web.1").await;
    assert_eq!((answer.status.as_u16(), answer.json()["id"].as_str()), (403, Some("forbidden")));
    assert!(shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_call_over_the_rate_limit_gets_429_until_more_calls_are_allowed() {
    let (heroku, _) = shop().await;
    heroku.set_rate_limit_remaining(1);
    let last = get(&heroku, "/apps/shop").await;
    assert_eq!((last.status.as_u16(), last.header("ratelimit-remaining")), (200, "0"));
    assert_eq!(get(&heroku, "/apps/shop").await.json()["id"], "rate_limit");
    advance(Duration::from_secs(60)).await;
    assert_eq!(get(&heroku, "/apps/shop").await.header("ratelimit-remaining"), "74");
}

#[tokio::test(start_paused = true)]
async fn a_request_for_the_rate_limit_does_not_count_as_a_call() {
    let (heroku, _) = shop().await;
    heroku.set_rate_limit_remaining(0);
    for _ in 0..2 {
        let answer = get(&heroku, "/account/rate-limits").await;
        assert_eq!((answer.status.as_u16(), answer.json()["remaining"].as_u64()), (200, Some(0)));
    }
}

#[tokio::test(start_paused = true)]
async fn every_response_has_the_headers_of_heroku() {
    let (heroku, _) = shop().await;
    for path in ["/apps/shop/dynos", "/apps/nope"] {
        let answer = get(&heroku, path).await;
        assert_eq!(answer.header("request-id").split(',').count(), 2);
        assert_eq!(answer.header("ratelimit-multiplier"), "1");
        assert_eq!(answer.header("oauth-scope"), "write");
        assert!(answer.header("oauth-scope-accepted").contains("write"));
        assert!(answer.header("etag").starts_with('"'));
    }
}

#[tokio::test(start_paused = true)]
async fn the_date_header_follows_the_clock_of_tokio() {
    let (heroku, _) = shop().await;
    let before = heroku.now();
    advance(Duration::from_secs(86_400)).await;
    let date = get(&heroku, "/apps/shop").await.header("date").to_owned();
    let expected = before + Duration::from_secs(86_400);
    assert_eq!(date, expected.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
}

#[tokio::test(start_paused = true)]
async fn an_app_is_found_by_name_and_by_id() {
    let (heroku, _) = shop().await;
    let by_name = get(&heroku, "/apps/shop").await.json();
    assert_eq!(by_name["generation"]["name"], "cedar");
    let id = by_name["id"].as_str().expect("an app has an id");
    assert_eq!(get(&heroku, &format!("/apps/{id}")).await.json(), by_name);
}

#[tokio::test(start_paused = true)]
async fn a_restart_by_id_is_accepted_and_does_nothing() {
    let (heroku, shop) = shop().await;
    let dyno = get(&heroku, "/apps/shop/dynos/web.1").await.json();
    let by_id = format!("/apps/shop/dynos/{}", dyno["id"].as_str().expect("a dyno has an id"));
    assert_eq!(get(&heroku, &by_id).await.json(), dyno);
    assert_eq!(delete(&heroku, &by_id).await.status, 202);
    assert!(shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_accepted_restart_is_answered_with_an_empty_object() {
    let (heroku, shop) = shop().await;
    let answer = delete(&heroku, "/apps/shop/dynos/web%2E1").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, "{}"));
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn restarting_a_one_off_dyno_removes_it() {
    let (heroku, shop) = shop().await;
    assert_eq!(delete(&heroku, "/apps/shop/dynos/run.1").await.status, 202);
    assert_eq!(shop.state("run.1"), "gone");
}

#[tokio::test(start_paused = true)]
async fn all_dynos_or_those_of_a_type_can_be_restarted_except_one_off_dynos() {
    let (heroku, shop) = shop().await;
    let shop = shop.with("worker", 1);
    assert_eq!(delete(&heroku, "/apps/shop/formations/worker").await.status, 202);
    assert_eq!(delete(&heroku, "/apps/shop/dynos").await.status, 202);
    assert_eq!(shop.restarts(), ["worker.1", "web.1", "web.2", "worker.1"]);
    assert_eq!(shop.state("run.1"), "up");
    assert_eq!(delete(&heroku, "/apps/shop/formations/clock").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_dyno_is_down_until_it_is_restarted() {
    let (heroku, shop) = shop().await;
    let post = |path| send(&heroku, request(Method::POST, path));
    assert_eq!(post("/apps/shop/dynos/web.1/actions/stop").await.status, 202);
    assert_eq!((shop.state("web.1"), shop.state("web.2")), ("down".into(), "up".into()));
    assert_eq!(post("/apps/shop/formations/web/actions/stop").await.status, 202);
    assert_eq!(shop.state("web.2"), "down");
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    heroku.until(|_| shop.state("web.1") == "up").await;
}

#[tokio::test(start_paused = true)]
async fn the_formation_can_be_read_and_scaled() {
    let (heroku, shop) = shop().await;
    let rows = get(&heroku, "/apps/shop/formation").await;
    assert_eq!(rows.column("type"), ["web"]);
    let one = send_json(&heroku, Method::PATCH, "/apps/shop/formation/web", r#"{"quantity":3}"#).await;
    assert_eq!((one.status.as_u16(), one.json()["quantity"].as_u64()), (200, Some(3)));
    let body = r#"{"updates":[{"type":"web","quantity":1}]}"#;
    let several = send_json(&heroku, Method::PATCH, "/apps/shop/formation", body).await;
    assert_eq!(several.json()[0]["quantity"], 1);
    assert_eq!(shop.names(), ["run.1", "web.1"]);
    let broken = send_json(&heroku, Method::PATCH, "/apps/shop/formation/web", "{").await;
    assert_eq!(broken.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_quantity_may_be_a_string_with_a_relative_number() {
    let (heroku, _) = shop().await;
    for (quantity, expected) in [("3", 3), ("+2", 5), ("-4", 1)] {
        let body = format!(r#"{{"updates":[{{"type":"web","quantity":"{quantity}"}}]}}"#);
        let rows = send_json(&heroku, Method::PATCH, "/apps/shop/formation", &body).await;
        assert_eq!(rows.json()[0]["quantity"], expected);
    }
    let body = r#"{"quantity":"-2"}"#;
    let below = send_json(&heroku, Method::PATCH, "/apps/shop/formation/web", body).await;
    assert_eq!(below.status, 422);
}

#[tokio::test(start_paused = true)]
async fn times_are_in_whole_seconds_of_utc() {
    let (heroku, _) = shop().await;
    let dyno = get(&heroku, "/apps/shop/dynos/web.1").await.json();
    let created = dyno["created_at"].as_str().expect("a dyno has a time").to_owned();
    assert_eq!((created.len(), created.ends_with('Z')), (20, true));
    let created: Timestamp = created.parse().expect("the time is valid");
    assert_eq!(heroku.now().duration_since(created).as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn every_request_is_recorded_as_it_was_sent() {
    let (heroku, _) = shop().await;
    advance(Duration::from_secs(7)).await;
    let request = request(Method::GET, "/apps/shop/dynos?extended=true");
    send(&heroku, request.header("Range", "name ..").header("User-Agent", "me/1")).await;
    let call = heroku.calls().remove(0);
    assert_eq!(
        (call.at, call.method.as_str(), call.path.as_str()),
        (Duration::from_secs(7), "GET", "/apps/shop/dynos")
    );
    assert_eq!(call.query.as_deref(), Some("extended=true"));
    assert_eq!((call.range.as_deref(), call.user_agent.as_deref()), (Some("name .."), Some("me/1")));
    assert_eq!(call.authorization, Some(format!("Bearer {}", Heroku::TOKEN)));
    assert_eq!(call.status, Some(200));
}
