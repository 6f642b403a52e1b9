//! Simulated requests: how they are logged and counted.

use std::time::Duration;

use simulator::{App, Heroku, RequestCounts};
use tokio::time::sleep;

use crate::client::{delete, get};
use crate::receiver::Receiver;

const SECOND: Duration = Duration::from_secs(1);

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 3).with("worker", 1);
    (heroku, shop)
}

/// Returns the texts of the router's lines.
fn router_lines(app: &App) -> Vec<String> {
    let text = |line: &String| Some(line.split_once(" heroku[router]: ")?.1.to_owned());
    app.log().iter().filter_map(text).collect()
}

/// Returns the dyno in each line of the router.
fn dynos(app: &App) -> Vec<String> {
    let dyno = |line: &String| line.split(' ').find_map(|field| field.strip_prefix("dyno=").map(str::to_owned));
    router_lines(app).iter().filter_map(dyno).collect()
}

#[tokio::test(start_paused = true)]
async fn a_request_is_logged_by_the_router_and_by_its_dyno() {
    let (receiver, url) = Receiver::start(&[]).await;
    let (heroku, shop) = shop().await;
    shop.drain_to(&url).await;
    shop.traffic(1.0);
    sleep(SECOND).await;
    shop.drained().await;
    let url = get(&heroku, "/apps/shop").await.json()["web_url"].clone();
    let host = url.as_str().expect("the URL is text").trim_start_matches("https://").trim_end_matches('/');
    let [app_line, router_line] = receiver.messages().try_into().expect("there are two lines");
    assert!(app_line.starts_with("<190>1 ") && app_line.ends_with(" host app web.1 - Completed 200 OK in 22ms\n"));
    assert!(router_line.starts_with("<158>1 "), "{router_line}");
    let (head, tail) = router_line.split_once(" request_id=").expect("the line has a request id");
    let expected = format!(" host heroku router - at=info method=GET path=\"/cart_link\" host={host}");
    assert!(head.ends_with(&expected), "{head}");
    let expected = " fwd=\"203.0.113.7\" dyno=web.1 connect=1ms service=22ms status=200 bytes=656 protocol=https\n";
    assert_eq!(&tail[36..], expected);
}

#[tokio::test(start_paused = true)]
async fn requests_go_to_the_web_dynos_in_turn_at_the_given_rate() {
    let (_heroku, shop) = shop().await;
    shop.traffic(4.0);
    sleep(3 * SECOND).await;
    assert_eq!(dynos(&shop), ["web.1", "web.2", "web.3"].repeat(4));
    shop.traffic(1.0);
    sleep(3 * SECOND).await;
    assert_eq!(dynos(&shop).len(), 15);
    shop.traffic(0.0);
    sleep(60 * SECOND).await;
    assert_eq!(dynos(&shop).len(), 15);
}

#[tokio::test(start_paused = true)]
async fn requests_go_only_to_dynos_that_are_up() {
    let (heroku, shop) = shop().await;
    shop.dyno("web.1").never_boots();
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    shop.traffic(10.0);
    sleep(SECOND).await;
    assert_eq!(dynos(&shop), ["web.2", "web.3"].repeat(5));
}

#[tokio::test(start_paused = true)]
async fn the_router_logs_h10_while_no_web_dyno_is_up() {
    let (_heroku, shop) = shop().await;
    for dyno in ["web.1", "web.2", "web.3"] {
        shop.dyno(dyno).crash();
    }
    shop.traffic(1.0);
    sleep(SECOND).await;
    let line = router_lines(&shop).remove(0);
    assert!(line.starts_with("at=error code=H10 desc=\"App crashed\" method=GET path=\"/cart_link\" host=shop-"));
    assert!(line.ends_with(" dyno= connect= service= status=503 bytes= protocol=https"), "{line}");
    assert!(!shop.log().iter().any(|line| line.contains("Completed")));
    shop.dyno("web.1").comes_up();
    sleep(SECOND).await;
    assert_eq!(dynos(&shop), ["", "web.1"]);
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_dyno_that_hangs_time_out_until_it_is_restarted() {
    let (heroku, shop) = shop().await;
    shop.dyno("web.2").hang();
    shop.traffic(3.0);
    sleep(SECOND).await;
    let timed_out = |line: &String| line.starts_with("at=error code=H12 desc=\"Request timeout\" method=GET path=");
    let lines: Vec<String> = router_lines(&shop).into_iter().filter(timed_out).collect();
    assert_eq!((lines.len(), dynos(&shop).len()), (1, 3));
    let end = " fwd=\"203.0.113.7\" dyno=web.2 connect=0ms service=30001ms status=503 bytes=0 protocol=https";
    assert!(lines[0].ends_with(end), "{lines:?}");
    assert!(!shop.log().iter().any(|line| line.contains("app[web.2]")), "the dyno answers no request");
    delete(&heroku, "/apps/shop/dynos/web.2").await;
    sleep(60 * SECOND).await;
    assert_eq!(router_lines(&shop).into_iter().filter(timed_out).count(), 1);
    assert!(shop.log().iter().any(|line| line.contains("app[web.2]")), "the dyno answers requests again");
}

#[tokio::test(start_paused = true)]
async fn some_paths_have_a_query_with_unusual_characters() {
    let (_heroku, shop) = shop().await;
    shop.traffic(10.0);
    sleep(10 * SECOND).await;
    let unusual: Vec<String> =
        router_lines(&shop).into_iter().filter(|line| !line.contains("path=\"/cart_link\"")).collect();
    assert_eq!(unusual.len(), 2);
    assert!(
        unusual[0].contains(" path=\"/search?q=%22Error+R14%22&dyno=web.9&at=error&code=H12&sort[]="),
        "{unusual:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_day_of_traffic_leaves_10_000_lines() {
    let (_heroku, shop) = shop().await;
    shop.traffic(1.0);
    sleep(24 * 3600 * SECOND).await;
    assert_eq!(shop.log().len(), 10_000);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "invalid number of requests a second: -1")]
async fn the_panic_names_an_invalid_rate() {
    let (_heroku, shop) = shop().await;
    shop.traffic(-1.0);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_as_served_or_failed() {
    let (heroku, shop) = shop().await;
    shop.traffic(10.0);
    sleep(SECOND).await;
    assert_eq!(
        shop.request_counts(),
        RequestCounts { served: 10, failed: 0, service_time: 10 * Duration::from_millis(22) }
    );
    delete(&heroku, "/apps/shop/dynos").await;
    sleep(3 * SECOND).await;
    assert_eq!((shop.request_counts().served, shop.request_counts().failed), (10, 30));
    shop.traffic(0.0);
    sleep(3 * SECOND).await;
    shop.dyno("web.1").hang();
    shop.traffic(3.0);
    sleep(SECOND).await;
    assert_eq!((shop.request_counts().served, shop.request_counts().failed), (12, 31));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_over_its_quota_is_slow_until_it_is_restarted() {
    let (heroku, shop) = shop().await;
    let shop = shop.with("web", 1);
    shop.leak("web", 60.0);
    shop.dyno("web.1").has_leaked_for(300 * SECOND);
    shop.traffic(1.0);
    sleep(SECOND).await;
    // The dyno uses 256 MB and has leaked 301 MB, so it is 45 MB over its quota. Each of them adds 15 ms.
    assert_eq!(shop.request_counts().service_time, Duration::from_millis(22 + 45 * 15));
    assert!(shop.log().iter().any(|line| line.ends_with("app[web.1]: Completed 200 OK in 697ms")), "{:?}", shop.log());
    shop.traffic(0.0);
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    sleep(6 * SECOND).await;
    shop.traffic(1.0);
    sleep(SECOND).await;
    assert_eq!(shop.request_counts().service_time, Duration::from_millis(697 + 22));
}
