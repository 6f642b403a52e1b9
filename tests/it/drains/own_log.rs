//! The drain of the restarter's own app, attached to the restarter by mistake.

use super::{R14, batch, frame, post, status, trouble};
use crate::service::{KEY, Service, lists, shop};

#[tokio::test(start_paused = true)]
async fn the_service_ignores_its_own_log_and_logs_that_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "1 in 2m")]).await;
    let host = service.address.split(':').next().expect("a host");
    let line = |host: &str| {
        let path = r#"path="/drain?app=shop""#;
        frame(
            0,
            "router",
            &format!("at=info method=POST {path} host={host} request_id=1 fwd=\"1.2.3.4\" dyno=web.1 status=204"),
        )
    };
    let own = |body: String| batch(&service, "", body).header("logplex-drain-token", "d.own").bearer_auth(KEY);
    for _ in 0..3 {
        assert_eq!(status(own(line(host) + &line("another.example") + &frame(0, "web.1", R14))).await, 204);
    }
    assert_eq!(status(own(frame(0, "web.1", R14))).await, 204);
    for _ in 0..2 {
        post(&service, line(host)).await;
    }
    assert_eq!(service.log.count("the log drain for shop is attached to the restarter itself"), 2);
    assert_eq!(lists(&heroku), 1);
    post(&service, line("another-app-with-a-drain.example") + &frame(0, "web.1", R14)).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_its_own_log_without_a_token_does_not_stop_other_batches() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let host = service.address.split(':').next().expect("a host");
    post(&service, frame(0, "router", &format!(r#"at=info method=POST path="/drain" host={host} dyno=web.1"#))).await;
    post(&service, trouble("web.1")).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn ipv6_hosts_are_compared_whole() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body =
        frame(0, "router", r#"at=info method=POST path="/drain" host=[2001:db8::1] dyno=web.1"#) + &trouble("web.1");
    assert_eq!(status(batch(&service, "", body).header("host", "[::1]:3000").bearer_auth(KEY)).await, 204);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}
