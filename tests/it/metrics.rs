//! `GET /metrics`: what Prometheus reads.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::drains;
use crate::notify::receiver::{Behaviour, Receiver};
use crate::page::get;
use crate::service::{Service, seconds, shop};

const OPERATIONS: &str = include_str!("../../docs/operations.md");
const RULES: &str = include_str!("../../docs/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../docs/prometheus/grafana-dashboard.json");

/// The names of this service's metrics in a text.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words.filter(|word| word.starts_with("dyno_restarter_") || word.starts_with("process_")).collect()
}

/// The names of the metrics, as a query names them.
async fn exposed(service: &Service) -> BTreeSet<String> {
    let metrics = get(service, "/metrics").await;
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let name = |line: &str| line.split(['{', ' ']).next().map(str::to_owned);
    samples.filter_map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn metrics_count_alerts_restarts_skips_and_calls() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").crash();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.request(Method::POST, "key=wrong").send().await.expect("answered");
    let metrics = get(&service, "/metrics").await;
    for line in [
        r#"dyno_restarter_alerts_total{app="shop",result="triggered"} 1"#,
        r#"dyno_restarter_alerts_total{app="",result="refused"} 1"#,
        r#"dyno_restarter_alerts_total{app="shop",result="ignored"} 0"#,
        r#"dyno_restarter_restarts_total{app="shop",type="web",result="crashed"} 0"#,
        concat!("dyno_restarter_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "dyno_restarter_log_lines_lost_total 0",
        r#"dyno_restarter_restarts_total{app="shop",type="web",result="up"} 1"#,
        r#"dyno_restarter_skipped_total{app="shop",reason="not_up"} 1"#,
        r#"dyno_restarter_api_requests_total{status="202"} 1"#,
        r#"dyno_restarter_boot_seconds_count{app="shop"} 1"#,
        r#"dyno_restarter_boot_seconds_bucket{le="+Inf",app="shop"} 1"#,
        r#"dyno_restarter_held{app="shop"} 0.0"#,
        r#"dyno_restarter_ready{app="shop"} 1.0"#,
        "# EOF",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in:\n{metrics}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_what_came_of_messages_and_how_many_lines_a_drain_delivered() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    receiver.behave(Behaviour::Fail(503));
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    drains::post(&service, drains::frame(0, "web.1", "State changed from starting to up").repeat(3)).await;
    service.alert_and_pass("").await;
    tokio::time::sleep(seconds(3)).await;
    receiver.behave(Behaviour::Take);
    receiver.message(0).await;
    tokio::time::sleep(seconds(3)).await;
    let metrics = get(&service, "/metrics").await;
    for line in [
        r#"dyno_restarter_drain_lines_total{app="shop"} 3"#,
        "dyno_restarter_notifications_total 1",
        r#"dyno_restarter_notifications_failed_total{reason="unavailable"} 1"#,
        r#"dyno_restarter_notifications_failed_total{reason="rejected"} 0"#,
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in:\n{metrics}");
    }
    service.stop().await;
}

/// `docs/operations.md` names each metric in the first column of a table, and the examples name no other.
#[tokio::test(start_paused = true)]
async fn the_docs_describe_every_metric_and_the_examples_use_no_other() {
    let (heroku, _) = shop(1).await;
    let receiver = Receiver::start().await;
    // Nothing listens there. Its metrics exist all the same.
    let database = "postgres://nobody@127.0.0.1:1/none";
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url), ("DATABASE_URL", database)]).await;
    drains::post(&service, drains::memory(0, "web.1", 180)).await;
    let mut exposed = exposed(&service).await;
    service.stop().await;
    // Counters are told by a service without a database, because this one does not answer.
    let service = Service::with(&heroku, &[("NOTIFY_URL", &receiver.url)]).await;
    exposed.extend(self::exposed(&service).await);
    let base = |name: &String| {
        let suffix = ["_bucket", "_sum", "_count"].into_iter().find_map(|suffix| name.strip_suffix(suffix));
        suffix.unwrap_or(name).to_owned()
    };
    let documented = OPERATIONS.lines().filter_map(|line| line.strip_prefix("| `")?.split(['`', '{']).next());
    let documented: BTreeSet<_> = documented.filter(|name| !names(name).is_empty()).map(str::to_owned).collect();
    assert_eq!(exposed.iter().map(base).collect::<BTreeSet<_>>(), documented);
    for example in [RULES, DASHBOARD] {
        let unknown: Vec<_> = names(example).into_iter().filter(|name| !exposed.contains(*name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }
    service.stop().await;
}
