//! What a message says beside what happened: the memory of a dyno before and after its restart, and where the page is.

use reqwest::Method;
use reqwest::header::HOST;

use super::receiver::Receiver;
use crate::drains;
use crate::service::{KEY, Service, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_message_tells_the_memory_before_and_after_the_restart_where_it_is_known() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url), ("SETTLE_TIME", "1m")]).await;
    drains::post(&service, drains::memory(0, "web.1", 612) + &drains::memory(0, "web.2", 580)).await;
    service.alert().await;
    tokio::time::sleep(seconds(30)).await;
    drains::post(&service, drains::memory(-30, "web.1", 180)).await;
    let told = receiver.message(0).await;
    assert!(told.contains("web.1 (up again after 6s, memory 612 MB before and 180 MB now)"), "{told}");
    assert!(told.contains("web.2 (up again after 6s, memory 580 MB before)"), "{told}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_links_to_the_page_by_the_host_of_the_latest_request_with_a_key() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    let alert = |host| service.request(Method::POST, "").header(HOST, host).header("x-forwarded-proto", "https");
    alert("right.example.com").bearer_auth(KEY).send().await.expect("answered");
    alert("wrong.example.com").bearer_auth("a-wrong-key-0123456789").send().await.expect("answered");
    for no_host in ["<b>.example.com", "]]]]:[", "evil.example/path", "a@b", "a.example:x", ".."] {
        alert(no_host).bearer_auth(KEY).send().await.expect("answered");
    }
    receiver.message(0).await;
    let told = receiver.whole_messages();
    assert!(told[0].ends_with(".\nMore: https://right.example.com/"), "{told:?}");
    service.stop().await;
}
