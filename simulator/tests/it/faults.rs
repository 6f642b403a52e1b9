//! Injected faults: their effects, and the requests that they affect.

use std::time::Duration;

use axum::http::Method;
use http_body_util::BodyExt as _;
use simulator::{App, Fault, Heroku, On};
use tokio::time::timeout;

use crate::client::{Answer, delete, get, list, request, send_streaming, try_send};

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 2);
    (heroku, shop)
}

/// Requests a restart. Returns `None` if there is no response within a minute.
async fn restart(heroku: &Heroku) -> Option<hyper::Result<Answer>> {
    let request = request(Method::DELETE, "/apps/shop/dynos/web.1");
    timeout(Duration::from_secs(60), try_send(heroku, request, "")).await.ok()
}

#[tokio::test(start_paused = true)]
async fn a_stalled_restart_gets_no_response_and_has_no_effect() {
    let (heroku, shop) = shop().await;
    heroku.misbehave(On::Restart, Fault::Stall, 1);
    assert!(restart(&heroku).await.is_none());
    assert!(shop.restarts().is_empty());
    assert_eq!(heroku.calls()[0].status, None);
}

#[tokio::test(start_paused = true)]
async fn a_restart_on_a_connection_that_is_reset_has_no_effect() {
    let (heroku, shop) = shop().await;
    heroku.misbehave(On::Restart, Fault::Reset, 1);
    assert!(restart(&heroku).await.is_some_and(|answer| answer.is_err()));
    assert!(shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_restart_whose_answer_is_lost_takes_effect() {
    let (heroku, shop) = shop().await;
    heroku.misbehave(On::Restart, Fault::LoseAnswer, 1);
    assert!(restart(&heroku).await.is_some_and(|answer| answer.is_err()));
    assert_eq!(shop.restarts(), ["web.1"]);
    assert_eq!(heroku.calls()[0].status, None);
}

#[tokio::test(start_paused = true)]
async fn a_restart_can_take_effect_without_a_response() {
    let (heroku, shop) = shop().await;
    heroku.misbehave(On::Restart, Fault::StallAfterEffect, 1);
    assert!(restart(&heroku).await.is_none());
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_restart_can_be_accepted_without_effect() {
    let (heroku, shop) = shop().await;
    heroku.misbehave(On::Restart, Fault::AcceptWithoutEffect, 1);
    let answer = delete(&heroku, "/apps/shop/dynos/web.1").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (202, "{}"));
    assert_eq!(shop.state("web.1"), "up");
    assert!(shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn broken_json_and_html_have_status_200() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::List, Fault::BrokenJson, 1);
    heroku.misbehave(On::List, Fault::Html, 1);
    let broken = get(&heroku, "/apps/shop/dynos").await;
    assert_eq!(broken.header("content-type"), "application/json");
    assert!(serde_json::from_str::<serde_json::Value>(&broken.text).is_err());
    let page = get(&heroku, "/apps/shop/dynos").await;
    assert_eq!(page.status, 200);
    assert!(page.text.starts_with("<!DOCTYPE html>"));
}

#[tokio::test(start_paused = true)]
async fn an_endless_list_always_has_a_next_page() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::List, Fault::EndlessList, usize::MAX);
    let mut range = "name ..; max=1000".to_owned();
    for _ in 0..20 {
        let page = list(&heroku, &range).await;
        assert_eq!(page.status, 206);
        assert_eq!(page.column("name").len(), 2);
        assert_ne!(page.header("next-range"), range);
        page.header("next-range").clone_into(&mut range);
    }
}

#[tokio::test(start_paused = true)]
async fn a_huge_body_continues_until_the_client_closes_the_connection() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::List, Fault::HugeBody, 1);
    let answer = send_streaming(&heroku, request(Method::GET, "/apps/shop/dynos"), "").await;
    let mut body = answer.expect("there is an answer").into_body();
    let mut read = 0;
    while read < 10_000_000 {
        let frame = body.frame().await.expect("there is more").expect("the frame is complete");
        read += frame.data_ref().map_or(0, axum::body::Bytes::len);
    }
    drop(body);
    assert_eq!(get(&heroku, "/apps/shop/dynos").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_redirect_names_its_location() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::Any, Fault::Redirect("https://example.com/".to_owned()), 1);
    let answer = get(&heroku, "/apps/shop").await;
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), "https://example.com/");
}

#[tokio::test(start_paused = true)]
async fn retry_after_has_status_429() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::Any, Fault::RetryAfter("1353003093"), 1);
    let answer = get(&heroku, "/apps/shop").await;
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), "1353003093");
    assert_eq!(answer.json()["id"], "rate_limit");
}

#[tokio::test(start_paused = true)]
async fn a_4xx_has_a_json_body_and_a_5xx_has_an_html_page() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::List, Fault::Status(404), 1);
    heroku.misbehave(On::List, Fault::Status(503), 1);
    assert_eq!(get(&heroku, "/apps/shop/dynos").await.json()["message"], "Couldn't find that app.");
    let page = get(&heroku, "/apps/shop/dynos").await;
    assert_eq!(page.status, 503);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
}

#[tokio::test(start_paused = true)]
async fn an_injected_answer_is_sent_unchanged() {
    let (heroku, _) = shop().await;
    let headers = vec![("X-Teapot", "yes".to_owned())];
    let body = "short and stout".to_owned();
    heroku.misbehave(On::Any, Fault::Answer { status: 418, headers, body }, 1);
    let answer = get(&heroku, "/apps/shop").await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (418, "short and stout"));
    assert_eq!(answer.header("x-teapot"), "yes");
    assert!(!answer.headers.contains_key("request-id"));
}

#[tokio::test(start_paused = true)]
async fn faults_are_used_up_in_the_order_in_which_they_were_added() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::List, Fault::Status(500), 2);
    heroku.misbehave(On::List, Fault::Status(429), 1);
    for expected in [500, 500, 429, 200] {
        assert_eq!(get(&heroku, "/apps/shop/dynos").await.status, expected);
    }
    let statuses: Vec<_> = heroku.calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [Some(500), Some(500), Some(429), Some(200)]);
}

#[tokio::test(start_paused = true)]
async fn behave_ends_an_unlimited_fault() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::Formation, Fault::Status(500), usize::MAX);
    for path in ["/apps/shop/formation", "/apps/shop/formation/web"] {
        assert_eq!(get(&heroku, path).await.status, 500);
    }
    heroku.behave();
    assert_eq!(get(&heroku, "/apps/shop/formation").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_fault_affects_only_matching_requests() {
    let (heroku, _) = shop().await;
    heroku.misbehave(On::Restart, Fault::Status(500), usize::MAX);
    heroku.misbehave(On::Formation, Fault::Status(500), usize::MAX);
    assert_eq!(get(&heroku, "/apps/shop/dynos").await.status, 200);
    assert_eq!(get(&heroku, "/apps/shop/dynos/web.1").await.status, 200);
    assert_eq!(delete(&heroku, "/apps/shop/formations/web").await.status, 202);
}
