//! Heroku's log drain as the source of alerts.

use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder, StatusCode};
use simulator::{App, Heroku};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::{KEY, Service, deletes, lists, seconds, shop};

pub(crate) const R14: &str = "Error R14 (Memory quota exceeded)";

/// Attaches the log of `app` to the service, as `heroku drains:add` does.
async fn attach(app: &App, service: &Service) {
    app.drain_to(&format!("http://drain:{KEY}@{}/drain", service.address)).await;
}

/// One frame of the platform, of so many seconds ago.
pub(crate) fn frame(ago: i64, process: &str, text: &str) -> String {
    let at = (Timestamp::now() - SignedDuration::from_secs(ago)).strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    let message = format!("<134>1 {at} host heroku {process} - {text}\n");
    format!("{} {message}", message.len())
}

/// Three reports of one dyno, 20 s apart, the last one just now: enough for a restart.
pub(crate) fn trouble(dyno: &str) -> String {
    [40, 20, 0].map(|ago| frame(ago, dyno, R14)).concat()
}

fn batch(service: &Service, query: &str, body: impl Into<reqwest::Body>) -> RequestBuilder {
    let url = format!("http://{}/drain?{query}", service.address);
    reqwest::Client::new().post(url).header("content-type", "application/logplex-1").body(body)
}

async fn status(request: RequestBuilder) -> u16 {
    request.send().await.expect("the service answers").status().as_u16()
}

/// Posts a batch with the key.
async fn post(service: &Service, body: impl Into<reqwest::Body>) {
    assert_eq!(status(batch(service, "", body).basic_auth("drain", Some(KEY))).await, 204);
}

#[tokio::test(start_paused = true)]
async fn a_drain_with_a_wrong_key_is_answered_401_and_told_of_once_a_minute() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for query in ["", "key=wrong", &format!("key={KEY}&key={KEY}")] {
        assert_eq!(status(batch(&service, query, trouble("web.1"))).await, 401, "{query}");
    }
    assert_eq!(service.log.count("a log drain with a wrong key is knocking, and its lines are lost: it has no key"), 1);
    tokio::time::sleep(seconds(61)).await;
    shop.drain_to(&format!("http://drain:a-wrong-key@{}/drain", service.address)).await;
    shop.platform_line("web.1", R14, seconds(0));
    shop.drained().await;
    assert_eq!(service.log.count("a log drain with a wrong key is knocking"), 2);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_no_drain() {
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
async fn with_several_apps_the_url_of_a_drain_says_whose_log_it_is() {
    let (heroku, shop) = shop(1).await;
    let blog = heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for query in ["", "app=other", "app=shop&app=blog"] {
        assert_eq!(status(batch(&service, query, trouble("web.1")).bearer_auth(KEY)).await, 400, "{query}");
    }
    assert_eq!(service.log.count("a log drain was left unread: app is missing; accepted: blog, shop"), 1);
    assert_eq!(status(batch(&service, "app=blog", trouble("web.1")).bearer_auth(KEY)).await, 204);
    service.passes(1).await;
    service.stop().await;
    assert_eq!((blog.restarts(), shop.restarts()), (vec!["web.1".to_owned()], vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_stands_in_front_of_a_broken_frame_counts() {
    for broken in
        ["-5 x", "99999999999999999999 x", "500 too short", " x", "x", "12", "\u{1f}\u{8b}\u{8}", "1e3 x", "{}"]
    {
        let (heroku, shop) = shop(1).await;
        let service = Service::start(&heroku).await;
        post(&service, format!("{}{broken}", trouble("web.1"))).await;
        service.passes(1).await;
        assert_eq!(service.log.count("invalid log data from the drain of shop: "), 1, "{broken}");
        service.stop().await;
        assert_eq!(shop.restarts(), ["web.1"], "{broken}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_log_at_all_is_answered_204_and_told_of_once_a_minute() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let million = "1 x".repeat(1_000_000);
    let large = format!("1000000 {}", "x".repeat(1_000_000));
    for body in ["", "0 ", "0 0 0 ", "{\"json\": true}", "3 \u{fffd}", "5 <1>1 ", &million, &large] {
        let request = batch(&service, "", body.to_owned()).header("content-encoding", "gzip").bearer_auth(KEY);
        assert_eq!(status(request.header("content-type", "text/html")).await, 204);
    }
    assert_eq!(service.log.count("WARN"), 1);
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_breaks_off_counts_as_far_as_it_came() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let stream = service.begin("/drain", 5000, trouble("web.1").as_bytes()).await;
    drop(stream);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
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
async fn while_it_shuts_down_a_drain_is_answered_503_and_may_come_again() {
    let (heroku, shop) = shop(2).await;
    let mut service = Service::ending(&heroku, &shop).await;
    assert_eq!(status(batch(&service, "", trouble("web.2")).bearer_auth(KEY)).await, 503);
    service.ended().await.expect("it ends well");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_prints_the_words_is_not_in_trouble() {
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
async fn one_spike_is_not_a_leak() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    for ago in [300, 170, 150, 20] {
        post(&service, frame(ago, "web.1", R14)).await;
        post(&service, frame(ago, "web.2", R14)).await;
    }
    assert_eq!(lists(&heroku), 1);
    post(&service, frame(0, "web.2", "Error R15 (Memory quota vastly exceeded)")).await;
    assert_eq!(lists(&heroku), 1);
    post(&service, frame(0, "web.2", R14)).await;
    service.passes(1).await;
    assert_eq!(
        service.log.count(
            "INFO dyno_restarter::drain::app_drain: web.2 of shop is in trouble: Error R14 (3 reports within 2m)"
        ),
        1
    );
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn reports_count_by_the_time_at_which_they_were_made_in_whatever_order_they_arrive() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for ago in [20, 400, 60, 390, 380] {
        post(&service, frame(ago, "web.1", R14)).await;
    }
    assert_eq!(lists(&heroku), 1);
    post(&service, frame(40, "web.1", R14)).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn errors_that_are_not_asked_for_and_dynos_that_are_not_watched_count_for_nothing() {
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
async fn a_dyno_of_a_type_that_is_not_watched_is_told_of_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for _ in 0..3 {
        post(&service, trouble("worker.1")).await;
    }
    let told = "ignoring worker.1 of shop (Error R14): its process type is not in PROCESS_TYPES";
    assert_eq!(service.log.count(told), 1);
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn that_a_dyno_is_still_in_trouble_is_no_news_for_ten_minutes() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("MIN_AGE", "3h")]).await;
    attach(&shop, &service).await;
    for (reports, told) in [(30, 1), (6, 2)] {
        for _ in 0..reports {
            shop.platform_line("web.1", R14, seconds(0));
            tokio::time::sleep(seconds(20)).await;
        }
        assert_eq!(service.log.count("INFO dyno_restarter::drain::app_drain: web.1 of shop is in trouble"), told);
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn the_memory_limit_is_reached_exactly_there() {
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
async fn errors_and_memory_are_counted_apart() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("MEMORY_LIMIT", "90%")]).await;
    let metrics = "source=web.1 dyno=heroku.1.x sample#memory_total=600.00MB sample#memory_quota=512.00MB";
    for ago in [20, 0] {
        post(&service, frame(ago, "web.1", metrics) + &frame(ago, "web.1", R14)).await;
    }
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn what_follows_a_line_of_a_megabyte_counts_and_so_does_a_line_in_two_pieces() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let message = format!("<190>1 2026-01-02T03:04:05+00:00 host app web.1 - {}\n", "x".repeat(1 << 20));
    let long = format!("{} {message}", message.len());
    post(&service, format!("{long}{}{long}{}", frame(40, "web.1", R14), frame(20, "web.1", R14))).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let last = frame(0, "web.1", R14);
    let head = format!("POST /drain?key={KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", last.len());
    for piece in [head.as_str(), &last[..1], &last[1..50], &last[50..]] {
        stream.write_all(piece.as_bytes()).await.expect("sent");
        tokio::time::sleep(seconds(1)).await;
    }
    service.passes(1).await;
    assert_eq!(service.log.count("WARN"), 0);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_troubles_of_a_dyno_in_one_batch_the_later_counts() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(100));
    let service = Service::with(&heroku, &[("MIN_AGE", "0s"), ("MEMORY_LIMIT", "90%")]).await;
    let metrics = "source=web.1 dyno=heroku.1.x sample#memory_total=600.00MB sample#memory_quota=512.00MB";
    let late = [95, 90, 85].map(|ago| frame(ago, "web.1", R14)).concat();
    post(&service, [60, 50, 40].map(|ago| frame(ago, "web.1", metrics)).concat() + &late).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_last_report_that_counted_counts_no_more() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "2 in 2m")]).await;
    for ago in [10, 20, 15, 12] {
        post(&service, frame(ago, "web.1", R14)).await;
    }
    tokio::time::sleep(seconds(60)).await;
    assert_eq!(service.log.count("web.1 of shop is in trouble") + service.log.count("still in trouble"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_stalls_counts_as_far_as_it_came() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let _stream = service.begin("/drain", 5000, trouble("web.1").as_bytes()).await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_whose_requests_time_out_is_restarted_when_h12_is_asked_for() {
    let (heroku, shop) = shop(3).await;
    let service = Service::with(&heroku, &[("ERRORS", "R14,R15,H12")]).await;
    attach(&shop, &service).await;
    shop.dyno("web.2").hang();
    shop.traffic(2.0);
    service.passes(1).await;
    shop.traffic(0.0);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn above_the_memory_limit_a_dyno_is_restarted_before_heroku_complains() {
    for limit in ["90%", "480MB"] {
        let (heroku, shop) = shop(3).await;
        let shop = shop.runtime_metrics();
        let service = Service::with(&heroku, &[("MEMORY_LIMIT", limit)]).await;
        attach(&shop, &service).await;
        // From 256 MB, so it is above 480 MB after 15 minutes and above the 512 MB of the quota after 17.
        shop.leak("web", 15.0);
        heroku.until(|_| shop.restarts().len() == 3).await;
        assert!(!shop.log().iter().any(|line| line.contains("Error R14")), "{limit}");
        assert!(service.log.count("is in trouble: it uses 4") >= 3, "{limit}");
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_memory_limit_or_without_a_quota_metrics_mean_nothing() {
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

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_delivered_again_counts_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (frame_id, line) in [("A", frame(2, "web.1", R14)), ("B", frame(1, "web.1", R14))] {
        for _ in 0..3 {
            let request = batch(&service, "", line.clone()).header("logplex-frame-id", frame_id).bearer_auth(KEY);
            assert_eq!(status(request).await, 204);
        }
    }
    assert_eq!(service.log.count("ignoring a batch of the log of shop that was already delivered"), 4);
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn an_app_with_two_drains_to_the_service_is_counted_once() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    attach(&shop, &service).await;
    attach(&shop, &service).await;
    for _ in 0..2 {
        shop.platform_line("web.1", R14, seconds(0));
        tokio::time::sleep(seconds(20)).await;
    }
    shop.drained().await;
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_has_had_its_effect_has_it_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "1 in 2m")]).await;
    let line = frame(0, "web.1", R14);
    for _ in 0..3 {
        post(&service, line.clone()).await;
    }
    assert_eq!(service.log.count("web.1 of shop is in trouble") + service.log.count("still in trouble"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn lines_older_than_the_dyno_count_for_nothing() {
    let (heroku, shop) = shop(1).await;
    shop.dyno("web.1").age(seconds(30));
    let service = Service::with(&heroku, &[("MIN_AGE", "0s")]).await;
    attach(&shop, &service).await;
    for ago in [50, 35, 10] {
        shop.platform_line("web.1", R14, seconds(ago));
    }
    service.passes(1).await;
    assert_eq!(
        service.log.count("web.1 of shop: left alone: the alert is of 50s ago, before this process started 30s ago"),
        1
    );
    for ago in [20, 4, 1] {
        shop.platform_line("web.1", R14, seconds(ago));
        shop.drained().await;
    }
    tokio::time::sleep(seconds(60)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_the_old_instance_says_after_the_restart_does_not_bring_another_one() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.late_r14(seconds(12));
    let service = Service::with(&heroku, &[("MIN_AGE", "0s"), ("TOLERANCE", "1 in 2m")]).await;
    attach(&shop, &service).await;
    shop.leak("web", 60.0);
    service.passes(2).await;
    let restarts = shop.restarts().len();
    shop.leak("web", 0.0);
    tokio::time::sleep(seconds(300)).await;
    assert!(service.log.count("before this process started") >= 1, "{}", service.log.lines("pass over").join("\n"));
    service.stop().await;
    assert_eq!(shop.restarts().len(), restarts);
}

#[tokio::test(start_paused = true)]
async fn its_own_log_is_noticed_once_and_left_unread() {
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
async fn a_line_out_of_the_future_is_one_of_now() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for ago in [-400 * 86_400, 40, 20] {
        post(&service, frame(ago, "web.1", R14)).await;
    }
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_does_not_say_when_it_was_written_is_one_of_now() {
    let (heroku, shop) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "1 in 2m")]).await;
    let message = format!("<134>1 yesterday host heroku web.1 - {R14}\n");
    post(&service, format!("{} {message}", message.len())).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn batches_leave_no_trace_in_the_log_at_info() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let lines =
        |service: &Service| service.log.lines("dyno_restarter").iter().filter(|line| !line.contains("DEBUG")).count();
    let before = lines(&service);
    attach(&shop.clone().runtime_metrics(), &service).await;
    shop.traffic(20.0);
    tokio::time::sleep(seconds(60)).await;
    shop.traffic(0.0);
    shop.drained().await;
    assert_eq!(service.log.count("INFO dyno_restarter::drain::app_drain: receiving the log of shop from drain d."), 1);
    assert_eq!(lines(&service), before + 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_key_is_taken_in_either_half_of_the_credentials() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for credentials in [format!("drain:{KEY}"), format!("{KEY}:"), format!(":{KEY}"), KEY.to_owned()] {
        shop.drain_to(&format!("http://{credentials}@{}/drain", service.address)).await;
        shop.platform_line("web.1", "State changed from starting to up", seconds(0));
        shop.drained().await;
    }
    assert_eq!(service.log.count("with a wrong key"), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_app_that_leaks_is_healed_dyno_by_dyno_while_the_others_serve() {
    let (heroku, shop) = shop(4).await;
    let shop = shop.runtime_metrics();
    let service = Service::start(&heroku).await;
    attach(&shop, &service).await;
    shop.traffic(1.0);
    shop.leak("web", 60.0);
    shop.watch();
    heroku.until(|_| shop.restarts().len() == 4 && shop.up("web") == 4).await;
    shop.leak("web", 0.0);
    shop.traffic(0.0);
    tokio::time::sleep(seconds(600)).await;
    service.stop().await;
    let mut restarts = shop.restarts();
    restarts.sort();
    assert_eq!(
        (restarts, shop.fewest_up("web")),
        (["web.1", "web.2", "web.3", "web.4"].map(str::to_owned).to_vec(), 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_goes_on_leaking_is_given_up_on_and_costs_little() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("GIVE_UP_AFTER", "2 in 6h")]).await;
    attach(&shop, &service).await;
    shop.leak("web", 40.0);
    heroku.until(|_| shop.restarts().len() == 4).await;
    let (calls, told) = (heroku.calls().len(), service.log.count("INFO"));
    tokio::time::sleep(seconds(3600)).await;
    assert!(heroku.calls().len() <= calls + 6 * 60, "{} calls", heroku.calls().len() - calls);
    service.stop().await;
    assert_eq!(shop.restarts().len(), 4);
    assert!(told < 100);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_apps_with_a_drain_each_are_kept_apart() {
    let heroku = Heroku::start().await;
    let names: Vec<String> = (1..=100).map(|number| format!("app{number}")).collect();
    let apps: Vec<App> = names.iter().map(|name| heroku.create_app(name).with("web", 2)).collect();
    let service = Service::with(&heroku, &[("APP_NAME", &names.join(","))]).await;
    for (name, app) in names.iter().zip(&apps) {
        app.drain_to(&format!("http://drain:{KEY}@{}/drain?app={name}", service.address)).await;
    }
    for app in apps.iter().step_by(10) {
        app.leak("web", 60.0);
    }
    heroku.until(|_| apps.iter().step_by(10).all(|app| app.restarts().len() == 2)).await;
    service.stop().await;
    assert_eq!(apps.iter().map(|app| app.restarts().len()).sum::<usize>(), 20);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_names_in_trouble_neither_fill_the_log_nor_hide_a_dyno_for_good() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    for ago in [340, 320, 300] {
        let names = (3..10_003).map(|number| frame(ago, &format!("web.{number}"), R14)).collect::<Vec<_>>();
        post(&service, names.concat()).await;
    }
    service.passes(1).await;
    assert!(service.log.count("INFO") < 100, "{}", service.log.count("INFO"));
    post(&service, trouble("web.2")).await;
    heroku.until(|_| shop.restarts() == ["web.2"]).await;
    service.stop().await;
}
