//! Which requests are accepted, and the answers.

use reqwest::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{R14, batch, deliver, status, trouble};
use crate::service::{KEY, Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_answered_401_and_each_reason_is_logged() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for query in ["", "key=wrong", &format!("key={KEY}&key={KEY}")] {
        assert_eq!(status(batch(&service, query, trouble("web.1"))).await, 401, "{query}");
    }
    assert_eq!(service.log.count("rejected a log drain, its lines are lost: it has no key"), 1);
    tokio::time::sleep(seconds(61)).await;
    shop.drain_to(&format!("http://drain:a-wrong-key@{}/drain", service.address)).await;
    shop.platform_line("web.1", R14, seconds(0));
    shop.drained().await;
    assert_eq!(service.log.count("rejected a log drain, its lines are lost: the key in its Authorization header"), 1);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn the_key_may_be_the_user_name_or_the_password() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for credentials in [format!("drain:{KEY}"), format!("{KEY}:"), format!(":{KEY}"), KEY.to_owned()] {
        shop.drain_to(&format!("http://{credentials}@{}/drain", service.address)).await;
        shop.platform_line("web.1", "State changed from starting to up", seconds(0));
        shop.drained().await;
    }
    assert_eq!(service.log.count("rejected a log drain"), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_post_is_allowed() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for method in [Method::GET, Method::HEAD, Method::PUT] {
        let url = format!("http://{}/drain?key={KEY}", service.address);
        let answer = reqwest::Client::new().request(method.clone(), url).send().await.expect("answered");
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn with_several_apps_the_url_must_name_one_of_them() {
    let (heroku, shop) = shop(1).await;
    let blog = heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for query in ["", "app=other", "app=shop&app=blog"] {
        assert_eq!(status(batch(&service, query, trouble("web.1")).bearer_auth(KEY)).await, 400, "{query}");
    }
    assert_eq!(service.log.count("a log drain was not read: app is missing; accepted: blog, shop"), 1);
    assert_eq!(status(batch(&service, "app=blog", trouble("web.1")).bearer_auth(KEY)).await, 204);
    service.passes(1).await;
    service.stop().await;
    assert_eq!((blog.restarts(), shop.restarts()), (vec!["web.1".to_owned()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn the_answer_is_204_without_a_body_and_without_chunks() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let request =
        format!("POST /drain?key={KEY} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    assert!(!answer.to_lowercase().contains("transfer-encoding"), "{answer}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn during_shutdown_a_batch_is_answered_503() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    assert_eq!(status(batch(&service, "", trouble("web.2")).bearer_auth(KEY)).await, 503);
    service.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_was_answered_503_is_not_a_duplicate_the_next_time() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    let body = trouble("web.2");
    let first = deliver(&service, "AB", body.clone()).await;
    let second = deliver(&service, "AB", body).await;
    service.ended().await.expect("ends");
    assert_eq!((first, second), (503, 503));
}
