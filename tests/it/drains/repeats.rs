//! Batches and reports that arrive more than once.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{R14, attach, deliver, frame, post, trouble};
use crate::service::{KEY, Service, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_delivered_again_counts_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (frame_id, line) in [("A", frame(2, "web.1", R14)), ("B", frame(1, "web.1", R14))] {
        for _ in 0..3 {
            assert_eq!(deliver(&service, frame_id, line.clone()).await, 204);
        }
    }
    assert_eq!(service.log.count("ignoring a batch of the log of shop that was already delivered"), 4);
    service.stop().await;
    assert_eq!(lists(&heroku), 1);
}

#[tokio::test(start_paused = true)]
async fn batches_with_an_empty_frame_id_are_not_duplicates() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for ago in [40, 20, 0] {
        deliver(&service, "", frame(ago, "web.1", R14)).await;
    }
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_was_cut_off_counts_when_it_is_delivered_again() {
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
    assert_eq!(deliver(&service, "AB", body).await, 204);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn reports_that_arrive_by_two_drains_count_once() {
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
async fn a_report_has_an_effect_only_once() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "1 in 2m")]).await;
    let line = frame(0, "web.1", R14);
    for _ in 0..3 {
        post(&service, line.clone()).await;
    }
    assert_eq!(service.log.count("web.1 of shop is in trouble") + service.log.count("still in trouble"), 1);
    service.stop().await;
}
