//! Log lines that a test adds.

use std::time::Duration;

use simulator::{App, Heroku};

use crate::receiver::Receiver;

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 1);
    (heroku, shop)
}

/// Returns the source, the process and the text of each line.
fn texts(app: &App) -> Vec<String> {
    app.log().iter().map(|line| line[33..].to_owned()).collect()
}

/// Returns the time of each line.
fn times(app: &App) -> Vec<String> {
    app.log().iter().map(|line| line[..32].to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_app_can_print_a_line_like_one_of_the_platform() {
    let (receiver, url) = Receiver::start(&[]).await;
    let (_heroku, shop) = shop().await;
    shop.drain_to(&url).await;
    shop.print("web.1", "Error R14 (Memory quota exceeded)");
    shop.drained().await;
    assert_eq!(texts(&shop), ["app[web.1]: Error R14 (Memory quota exceeded)"]);
    let message = receiver.messages().remove(0);
    assert!(message.starts_with("<190>1 "), "{message}");
    assert!(message.ends_with(" host app web.1 - Error R14 (Memory quota exceeded)\n"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn a_line_of_the_platform_can_arrive_long_after_it_was_written() {
    let (receiver, url) = Receiver::start(&[]).await;
    let (heroku, shop) = shop().await;
    shop.drain_to(&url).await;
    let written = heroku.now() - Duration::from_secs(90);
    shop.platform_line("web.1", "Error R14 (Memory quota exceeded)", Duration::from_secs(90));
    shop.drained().await;
    let written = written.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    let expected = format!("<134>1 {written} host heroku web.1 - Error R14 (Memory quota exceeded)\n");
    assert_eq!(receiver.messages(), [expected]);
}

#[tokio::test(start_paused = true)]
async fn the_log_has_the_order_of_arrival_and_unique_times() {
    let (_heroku, shop) = shop().await;
    shop.print("web.1", "one");
    shop.platform_line("router", "late", Duration::from_secs(5));
    shop.print("web.1", "two");
    assert_eq!(texts(&shop), ["app[web.1]: one", "heroku[router]: late", "app[web.1]: two"]);
    let times = times(&shop);
    assert!(times[1] < times[0] && times[0] < times[2], "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn the_log_keeps_the_latest_10_000_lines() {
    let (_heroku, shop) = shop().await;
    for number in 1..=10_003 {
        shop.print("web.1", &number.to_string());
    }
    let texts = texts(&shop);
    assert_eq!(texts.len(), 10_000);
    assert_eq!((texts[0].as_str(), texts[9_999].as_str()), ("app[web.1]: 4", "app[web.1]: 10003"));
}
