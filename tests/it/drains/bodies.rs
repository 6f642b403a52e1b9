//! Bodies that are invalid, incomplete or very large.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{R14, batch, frame, post, status, trouble};
use crate::service::{KEY, Service, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn lines_before_an_invalid_frame_count() {
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
async fn an_invalid_body_is_answered_204_and_logged_once_a_minute() {
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
async fn lines_before_a_lost_connection_count() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let stream = service.begin("/drain", 5000, trouble("web.1").as_bytes()).await;
    drop(stream);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_cut_off_by_a_lost_connection_is_not_logged_as_invalid() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let stream = service.begin("/drain", 5000, &trouble("web.1").as_bytes()[..150]).await;
    drop(stream);
    tokio::time::sleep(seconds(5)).await;
    assert_eq!(service.log.count("invalid log data"), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn lines_before_a_stall_count() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let _stream = service.begin("/drain", 5000, trouble("web.1").as_bytes()).await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn lines_within_the_size_limit_count() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    post(&service, trouble("web.1") + &"1 x".repeat(4_000_000)).await;
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn lines_after_a_line_of_a_megabyte_and_lines_in_several_pieces_count() {
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
