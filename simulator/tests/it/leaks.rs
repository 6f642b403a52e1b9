//! Memory leaks: R14, R15, and dynos that the platform kills.

use std::time::Duration;

use simulator::{App, Heroku};
use tokio::time::sleep;

use crate::client::{delete, get};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 1).with("worker", 1);
    (heroku, shop)
}

fn count_lines(app: &App, text: &str) -> usize {
    app.log().iter().filter(|line| line.contains(text)).count()
}

#[tokio::test(start_paused = true)]
async fn two_lines_are_logged_every_20_seconds_over_the_quota() {
    let (_heroku, shop) = shop().await;
    shop.leak("web", 64.0);
    sleep(4 * MINUTE).await;
    assert!(shop.log().is_empty(), "{:#?}", shop.log());
    sleep(MINUTE).await;
    assert_eq!(count_lines(&shop, "heroku[web.1]: Error R14 (Memory quota exceeded)"), 3);
    assert_eq!(count_lines(&shop, "heroku[web.1]: Process running mem=533M(104.2%)"), 1);
    assert_eq!(count_lines(&shop, "worker"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_at_twice_its_quota_is_killed_and_restarted() {
    let (_heroku, shop) = shop().await;
    shop.leak("web", 256.0);
    sleep(3 * MINUTE).await;
    assert_eq!(count_lines(&shop, "Error R15 (Memory quota vastly exceeded)"), 1);
    assert_eq!(count_lines(&shop, "Stopping process with SIGKILL"), 1);
    assert_eq!(shop.state("web.1"), "starting");
    assert!(shop.restarts().is_empty());
    sleep(MINUTE).await;
    assert_eq!((shop.state("web.1"), count_lines(&shop, "R15")), ("up".to_owned(), 1));
}

#[tokio::test(start_paused = true)]
async fn a_restart_frees_the_memory() {
    let (heroku, shop) = shop().await;
    shop.leak("web", 64.0);
    sleep(5 * MINUTE).await;
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    let before = count_lines(&shop, "R14");
    sleep(4 * MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), before);
    sleep(MINUTE).await;
    assert!(count_lines(&shop, "R14") > before);
}

#[tokio::test(start_paused = true)]
async fn the_last_r14_of_the_old_instance_can_arrive_after_the_restart() {
    let (heroku, shop) = shop().await;
    let shop = shop.late_r14(3 * SECOND);
    shop.leak("web", 64.0);
    sleep(5 * MINUTE).await;
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    let created = get(&heroku, "/apps/shop/dynos/web.1").await.json()["created_at"].clone();
    sleep(2 * SECOND).await;
    assert_eq!(count_lines(&shop, "R14"), 3);
    sleep(2 * SECOND).await;
    let [running, r14] = shop.log().split_off(shop.log().len() - 2).try_into().expect("there are two");
    assert!(running.ends_with(" heroku[web.1]: Process running mem=575M(112.3%)"), "{running}");
    assert!(r14.ends_with(" heroku[web.1]: Error R14 (Memory quota exceeded)"), "{r14}");
    assert!(running[..26] < r14[..26] && r14[..19] < *created.as_str().expect("the time is text"), "{r14} {created}");
    sleep(MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), 4);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_within_its_quota_has_no_late_r14() {
    let (heroku, shop) = shop().await;
    let shop = shop.late_r14(3 * SECOND);
    shop.leak("web", 64.0);
    sleep(3 * MINUTE).await;
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    delete(&heroku, "/apps/shop/dynos/worker.1").await;
    sleep(MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_crashed_dyno_and_a_dyno_on_fir_have_no_late_r14() {
    let (heroku, shop) = shop().await;
    let shop = shop.late_r14(3 * SECOND);
    shop.leak("web", 64.0);
    sleep(5 * MINUTE).await;
    shop.dyno("web.1").crash();
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    // The dyno is over its quota again, but the platform has not measured it since.
    sleep(250 * SECOND).await;
    let shop = shop.fir();
    delete(&heroku, &format!("/apps/shop/dynos/{}", shop.names()[0])).await;
    sleep(MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_killed_dyno_has_no_late_r14() {
    let (_heroku, shop) = shop().await;
    let shop = shop.late_r14(3 * SECOND);
    shop.leak("web", 256.0);
    sleep(3 * MINUTE).await;
    assert_eq!((count_lines(&shop, "R14"), count_lines(&shop, "R15")), (5, 1));
    sleep(MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), 5);
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_a_dyno_that_is_up_grows_with_the_leak() {
    let (heroku, shop) = shop().await;
    shop.leak("web", 60.0);
    assert_eq!((shop.memory("web.1"), shop.memory("worker.1"), shop.memory("web.2")), (Some(256.0), Some(256.0), None));
    sleep(10 * SECOND).await;
    assert_eq!(shop.memory("web.1"), Some(266.0));
    shop.dyno("web.1").has_leaked_for(4 * MINUTE);
    assert_eq!(shop.memory("web.1"), Some(496.0));
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    assert_eq!(shop.memory("web.1"), None);
    sleep(6 * SECOND).await;
    assert_eq!(shop.memory("web.1"), Some(262.0));
}

#[tokio::test(start_paused = true)]
async fn a_leak_that_is_set_twice_is_measured_once_and_can_be_stopped() {
    let (_heroku, shop) = shop().await;
    shop.leak("web", 64.0);
    shop.leak("web", 64.0);
    sleep(5 * MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), 3);
    shop.leak("web", 0.0);
    sleep(60 * MINUTE).await;
    assert_eq!(count_lines(&shop, "R14"), 3);
}

#[tokio::test(start_paused = true)]
async fn fir_logs_no_r14_and_kills_at_the_quota() {
    let (_heroku, shop) = shop().await;
    let shop = shop.fir();
    shop.leak("web", 64.0);
    sleep(5 * MINUTE).await;
    assert_eq!((count_lines(&shop, "R14"), count_lines(&shop, "SIGKILL")), (0, 1));
}
