//! Which lines are a sign of trouble (`ERRORS`, `MEMORY_LIMIT`).

use super::{R14, attach, frame, post, trouble};
use crate::service::{Service, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn an_app_that_prints_an_error_message_is_not_in_trouble() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "1 in 2m")]).await;
    attach(&shop, &service).await;
    shop.print("web.1", R14);
    shop.print("web.1", &frame(0, "web.1", R14));
    shop.print("web.1", &format!("x\n{}", frame(0, "web.1", R14)));
    shop.platform_line("web.1", &format!("Starting process with command `echo {R14}`"), seconds(0));
    shop.platform_line("router", r#"at=info method=GET path="/?Error R14 (Memory" dyno=web.1 status=200"#, seconds(0));
    shop.platform_line("logplex", "Error L10 (output buffer overflow): 1 messages dropped", seconds(0));
    shop.drained().await;
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn other_errors_and_unwatched_dynos_are_ignored() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("ERRORS", "R15"), ("TOLERANCE", "1 in 2m")]).await;
    attach(&shop, &service).await;
    shop.platform_line("web.1", R14, seconds(0));
    shop.platform_line("worker.1", "Error R15 (Memory quota vastly exceeded)", seconds(0));
    shop.platform_line(
        "router",
        r#"at=error code=H12 desc="Request timeout" path="/" dyno=web.1 status=503"#,
        seconds(0),
    );
    shop.drained().await;
    assert_eq!(lists(&heroku), 1);
    shop.platform_line("web.1", "Error R15 (Memory quota vastly exceeded)", seconds(0));
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn only_dynos_of_watched_types_are_restarted() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "worker")]).await;
    post(&service, trouble("web.1") + &trouble("worker.1")).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["worker.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_at_exactly_the_memory_limit_is_in_trouble() {
    for (limit, total, passes) in [
        ("90%", "460.80MB", 1),
        ("90%", "460.79MB", 0),
        ("100%", "512.00MB", 1),
        ("480MB", "480.00MB", 1),
        ("480MB", "479.99MB", 0),
        ("", "999.00MB", 0),
    ] {
        let (heroku, _) = shop(1).await;
        let service = Service::with(&heroku, &[("MEMORY_LIMIT", limit), ("TOLERANCE", "1 in 2m")]).await;
        let metrics = format!("source=web.1 dyno=heroku.1.x sample#memory_total={total} sample#memory_quota=512.00MB");
        post(&service, frame(0, "web.1", &metrics)).await;
        tokio::time::sleep(seconds(60)).await;
        assert_eq!(service.log.count("pass over "), passes, "{limit} {total}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn metrics_are_ignored_without_a_limit_or_without_the_quota_for_a_percentage() {
    let metrics = "source=web.1 dyno=heroku.1.95b18a95-11e0-466d-92db-81b09bdcb0bd sample#memory_total=900.00MB";
    for (limit, passes) in [("off", 0), ("90%", 0), ("800MB", 1)] {
        let (heroku, _) = shop(1).await;
        let service = Service::with(&heroku, &[("MEMORY_LIMIT", limit), ("TOLERANCE", "1 in 2m")]).await;
        post(&service, frame(0, "web.1", metrics)).await;
        tokio::time::sleep(seconds(60)).await;
        assert_eq!(service.log.count("pass over "), passes, "{limit}");
        service.stop().await;
    }
}
