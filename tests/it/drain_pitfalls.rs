//! What a log drain brings and is not what it seems, and what comes in between.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::drains::{R14, frame, trouble};
use crate::service::{KEY, Service, seconds, shop};

fn frame_at(at: &str, process: &str, text: &str) -> String {
    let message = format!("<134>1 {at} host heroku {process} - {text}\n");
    format!("{} {message}", message.len())
}

async fn send(service: &Service, id: Option<&str>, body: String) -> u16 {
    let mut request =
        reqwest::Client::new().post(format!("http://{}/drain", service.address)).bearer_auth(KEY).body(body);
    if let Some(id) = id {
        request = request.header("logplex-frame-id", id);
    }
    request.send().await.expect("answered").status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_broke_off_counts_when_it_comes_whole() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = trouble("web.1");
    let half = body.len() / 2;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = format!(
        "POST /drain?key={KEY} HTTP/1.1\r\nHost: x\r\nLogplex-Frame-Id: AB\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body[..half]).as_bytes()).await.expect("sent");
    drop(stream);
    tokio::time::sleep(seconds(1)).await;
    assert_eq!(send(&service, Some("AB"), body).await, 204);
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_was_answered_503_is_not_answered_204_the_next_time() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    let body = trouble("web.2");
    let first = send(&service, Some("AB"), body.clone()).await;
    let second = send(&service, Some("AB"), body).await;
    service.ended().await.expect("ends");
    assert_eq!((first, second), (503, 503));
}

#[tokio::test(start_paused = true)]
async fn a_large_app_all_of_which_is_in_trouble_is_healed() {
    let (heroku, shop) = shop(160).await;
    let service = Service::with(&heroku, &[("MEMORY_LIMIT", "90%")]).await;
    let metrics = "source=web.1 dyno=heroku.1.x sample#memory_total=600.00MB sample#memory_quota=512.00MB";
    for round in (0..30).rev() {
        let mut body = String::new();
        for n in 1..=160 {
            body += &frame(round * 20, &format!("web.{n}"), metrics);
            body += &frame(round * 20, &format!("web.{n}"), R14);
        }
        assert_eq!(send(&service, None, body).await, 204);
    }
    tokio::time::sleep(seconds(600)).await;
    let n = service.log.count("is in trouble");
    service.stop().await;
    assert!(!shop.restarts().is_empty() && n > 0, "{n}");
}

#[tokio::test(start_paused = true)]
async fn an_app_of_three_hundred_dynos_in_trouble_is_healed() {
    let (heroku, shop) = shop(301).await;
    let service = Service::with(&heroku, &[]).await;
    for round in (0..30).rev() {
        let body: String = (1..=301).map(|n| frame(round * 20, &format!("web.{n}"), R14)).collect();
        assert_eq!(send(&service, None, body).await, 204);
    }
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    assert!(!shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_old_burst_says_nothing_of_now() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    send(&service, None, [3000, 2980, 2960].map(|ago| frame(ago, "web.1", R14)).concat()).await;
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn lines_of_one_batch_that_do_not_say_when_are_of_one_time() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    send(&service, None, [0, 1, 2].map(|_| frame_at("-", "web.1", R14)).concat()).await;
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_its_own_log_without_a_token_does_not_blind_it() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let host = service.address.split(':').next().expect("a host");
    send(&service, None, frame(0, "router", &format!(r#"at=info method=POST path="/drain" host={host} dyno=web.1"#)))
        .await;
    send(&service, None, trouble("web.1")).await;
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn lines_out_of_the_future_do_not_hide_the_dynos_that_there_are() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let body: String = (100..400).map(|n| frame_at("2062-01-01T00:00:00+00:00", &format!("web.{n}"), R14)).collect();
    send(&service, None, body).await;
    for ago in (0..30).rev() {
        send(&service, None, frame(ago * 20, "web.1", R14) + &frame(ago * 20, "web.2", R14)).await;
    }
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert!(!shop.restarts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_several_types_in_trouble_the_watched_ones_are_restarted() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "worker")]).await;
    send(&service, None, trouble("web.1") + &trouble("worker.1")).await;
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["worker.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_young_dyno_that_stays_in_trouble_is_restarted_when_it_is_old_enough() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(60));
    let service = Service::with(&heroku, &[]).await;
    shop.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
    let t = tokio::time::Instant::now();
    for _ in 0..60 {
        shop.platform_line("web.1", R14, seconds(0));
        tokio::time::sleep(seconds(20)).await;
        if !shop.restarts().is_empty() {
            break;
        }
    }
    let took = t.elapsed();
    let lines = service.log.lines("pass over");
    service.stop().await;
    assert!(took < seconds(400), "{took:?} {lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tolerance_that_can_never_be_exceeded_is_warned_of() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "3 in 39s")]).await;
    shop.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
    shop.leak("web", 20.0);
    tokio::time::sleep(seconds(1500)).await;
    shop.leak("web", 0.0);
    let warned = service.log.count("WARN");
    service.stop().await;
    assert!(
        !shop.restarts().is_empty() || warned > 0,
        "{} R14",
        shop.log().iter().filter(|l| l.contains("R14")).count()
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_drain_of_an_app_is_told_of() {
    let (heroku, shop) = shop(1).await;
    let staging = heroku.create_app("shop-staging").with("web", 1);
    let service = Service::start(&heroku).await;
    shop.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
    staging.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
    for _ in 0..4 {
        staging.platform_line("web.1", R14, seconds(0));
        tokio::time::sleep(seconds(20)).await;
    }
    let warned = service.log.count("WARN");
    service.stop().await;
    assert!(shop.restarts().is_empty() || warned > 0);
}

#[tokio::test(start_paused = true)]
async fn what_the_old_process_says_while_it_ends_brings_no_other_restart() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("MIN_AGE", "0s"), ("TOLERANCE", "1 in 2m")]).await;
    shop.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
    shop.platform_line("web.1", R14, seconds(0));
    service.passes(1).await;
    shop.platform_line("web.1", R14, seconds(2));
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_too_large_counts_as_far_as_it_is_kept() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let status = send(&service, None, trouble("web.1") + &"1 x".repeat(4_000_000)).await;
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!((status, shop.restarts()), (204, vec!["web.1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn hosts_of_ipv6_are_told_apart() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body =
        frame(0, "router", r#"at=info method=POST path="/drain" host=[2001:db8::1] dyno=web.1"#) + &trouble("web.1");
    let r = reqwest::Client::new()
        .post(format!("http://{}/drain", service.address))
        .header("host", "[::1]:3000")
        .bearer_auth(KEY)
        .body(body);
    r.send().await.expect("answered");
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn an_empty_frame_id_is_none() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for ago in [40, 20, 0] {
        send(&service, Some(""), frame(ago, "web.1", R14)).await;
    }
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_off_is_still_a_log() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let stream = service.begin("/drain", 5000, &trouble("web.1").as_bytes()[..150]).await;
    drop(stream);
    tokio::time::sleep(seconds(5)).await;
    let told = service.log.lines("WARN");
    service.stop().await;
    assert!(!told.iter().any(|l| l.contains("invalid log data")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn times_at_the_ends_of_time_do_no_harm() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "3 in 720h")]).await;
    for at in ["9999-12-30T22:00:00.999999+00:00", "-009999-01-02T01:59:59+00:00", "1970-01-01T00:00:00+25:59"] {
        assert_eq!(send(&service, None, frame_at(at, "web.1", R14)).await, 204);
    }
    for time in ["9999-12-30T22:00:00Z", "9223372036854775807", "-009999-01-02T01:59:59Z"] {
        let body = format!(r#"{{"time":"{time}","t":{}}}"#, i64::MAX);
        let request = service.request(reqwest::Method::POST, "dry_run=true").bearer_auth(KEY).body(body);
        assert_eq!(request.send().await.expect("answered").status(), 200);
    }
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn more_dynos_than_can_be_kept_track_of_are_told_of() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body: String = (1..1_100).map(|number| frame(0, &format!("web.{number}"), R14)).collect();
    send(&service, None, body).await;
    assert_eq!(service.log.count("the log of shop reports too many different dynos"), 1);
    service.stop().await;
}
