//! The log lines that `log-runtime-metrics` adds.

use std::time::Duration;

use simulator::{App, Heroku};
use tokio::time::sleep;

use crate::client::{delete, get};

const SECOND: Duration = Duration::from_secs(1);

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").runtime_metrics().with("web", 1).with("worker", 1);
    (heroku, shop)
}

/// Returns the texts of the platform's lines about a dyno.
fn texts(app: &App, dyno: &str) -> Vec<String> {
    let text = |line: &String| Some(line.split_once(&format!(" heroku[{dyno}]: "))?.1.to_owned());
    app.log().iter().filter_map(text).collect()
}

/// Returns the value of this key in each line that has it.
fn values(lines: &[String], key: &str) -> Vec<String> {
    let value = |line: &String| line.split(' ').find_map(|field| field.strip_prefix(key).map(str::to_owned));
    lines.iter().filter_map(value).collect()
}

#[tokio::test(start_paused = true)]
async fn each_dyno_logs_two_lines_of_metrics_every_20_seconds() {
    let (heroku, shop) = shop().await;
    sleep(20 * SECOND).await;
    let id = get(&heroku, "/apps/shop/dynos/web.1").await.json()["id"].clone();
    let lines = texts(&shop, "web.1");
    let (source, load) = lines[0].split_once(" sample#").expect("the line has samples");
    assert!(
        source.starts_with("source=web.1 dyno=heroku.28") && source.ends_with(id.as_str().expect("the id is text")),
        "{source}"
    );
    assert_eq!(load, "load_avg_1m=0.46 sample#load_avg_5m=0.36 sample#load_avg_15m=0.29");
    let memory = "sample#memory_total=256.00MB sample#memory_rss=251.45MB sample#memory_cache=4.55MB \
        sample#memory_swap=0.00MB sample#memory_pgpgin=65536pages sample#memory_pgpgout=0pages \
        sample#memory_quota=512.00MB";
    assert_eq!(lines[1..], [format!("{source} {memory}")]);
    sleep(40 * SECOND).await;
    assert_eq!(texts(&shop, "worker.1").len(), 6);
}

#[tokio::test(start_paused = true)]
async fn metrics_are_logged_before_the_r14_with_the_same_memory() {
    let (_heroku, shop) = shop().await;
    shop.leak("web", 384.0);
    sleep(61 * SECOND).await;
    let lines = texts(&shop, "web.1").split_off(4);
    assert!(lines[0].contains(" sample#load_avg_1m="), "{lines:#?}");
    assert!(lines[1].contains(" sample#memory_total=640.00MB sample#memory_rss=507.45MB "), "{lines:#?}");
    assert!(lines[1].contains(" sample#memory_swap=128.00MB "), "{lines:#?}");
    assert!(lines[1].contains(" sample#memory_pgpgout=32768pages "), "{lines:#?}");
    assert_eq!(lines[2..], ["Process running mem=640M(125.0%)", "Error R14 (Memory quota exceeded)"]);
}

#[tokio::test(start_paused = true)]
async fn metrics_name_the_instance_and_are_logged_only_while_it_is_up() {
    let (heroku, shop) = shop().await;
    let shop = shop.boot_time(60 * SECOND);
    sleep(20 * SECOND).await;
    delete(&heroku, "/apps/shop/dynos/web.1").await;
    sleep(59 * SECOND).await;
    let old = values(&texts(&shop, "web.1"), "dyno=");
    assert_eq!(old.len(), 2);
    sleep(30 * SECOND).await;
    let new = values(&texts(&shop, "web.1"), "dyno=").split_off(2);
    assert!(!new.is_empty() && !new.contains(&old[0]), "{old:?} {new:?}");
}

#[tokio::test(start_paused = true)]
async fn metrics_can_be_enabled_while_dynos_run_and_leak() {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 1).with("worker", 1);
    shop.leak("web", 1.0);
    sleep(SECOND).await;
    let shop = shop.runtime_metrics().runtime_metrics();
    sleep(21 * SECOND).await;
    assert_eq!((texts(&shop, "web.1").len(), texts(&shop, "worker.1").len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn metrics_continue_when_a_leak_is_stopped() {
    let (_heroku, shop) = shop().await;
    shop.leak("web", 384.0);
    shop.leak("web", 0.0);
    sleep(60 * SECOND).await;
    assert_eq!(values(&shop.log(), "sample#memory_total="), ["256.00MB"; 6]);
}

#[tokio::test(start_paused = true)]
async fn fir_has_no_metrics() {
    let (_heroku, shop) = shop().await;
    let shop = shop.fir();
    sleep(60 * SECOND).await;
    assert!(shop.log().is_empty(), "{:#?}", shop.log());
}
