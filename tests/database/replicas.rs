//! Every replica shows the same: what one did and sees is on the page, in `/status` and in `/metrics` of the others.

use serde_json::{Value, json};

use crate::alerts::until;
use crate::drains::report;
use crate::postgres::Database;
use crate::proxy::{Proxy, Wire};
use crate::service::{KEY, QUICK, Service, seconds, shop};
use crate::{in_time, replica, service_with, until_true};

pub(crate) const HELD: &str = "SELECT count(*) FROM dyno_restarter.turns WHERE holder IS NOT NULL";
pub(crate) const PASSES: &str = "SELECT count(*) FROM dyno_restarter.passes";

pub(crate) async fn get(service: &Service, path: &str) -> String {
    get_at(&service.address, path).await
}

async fn get_at(address: &str, path: &str) -> String {
    let url = format!("http://{address}{path}");
    let response = reqwest::Client::new().get(url).basic_auth("me", Some(KEY)).send().await.expect("answered");
    response.text().await.expect("whole")
}

/// The value of a metric with these labels, if it is told.
pub(crate) async fn metric_of(address: &str, metric: &str) -> Option<String> {
    let metrics = get_at(address, "/metrics").await;
    metrics.lines().find_map(|line| Some(line.strip_prefix(metric)?.trim().to_owned()))
}

pub(crate) async fn status(service: &Service) -> Value {
    serde_json::from_str(&get(service, "/status").await).expect("it is JSON")
}

/// Waits until a page of this service shows a text.
pub(crate) async fn until_shown(service: &Service, path: &str, text: &str) {
    until_true(text, async || get(service, path).await.contains(text)).await;
}

/// A replica that makes the passes, and another one.
pub(crate) async fn two_replicas(heroku: &simulator::Heroku, database: &Database) -> (Service, Service) {
    let holder = replica(heroku, database).await;
    until(database, HELD, 1).await;
    (holder, replica(heroku, database).await)
}

/// A service makes a pass and ends.
async fn make_one_pass(heroku: &simulator::Heroku, database: &Database) {
    let service = replica(heroku, database).await;
    service.alert().await;
    until(database, PASSES, 1).await;
    service.stop().await;
}

#[tokio::test]
async fn a_replica_that_did_not_run_the_pass_shows_its_report() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let (one, other) = two_replicas(&heroku, &database).await;
    one.alert().await;
    until_shown(&other, "/", "web.1: restarted, up again after").await;
    let passes = |status: Value| status["apps"][0]["passes"].clone();
    assert_eq!(passes(status(&one).await), passes(status(&other).await));
    assert!(other.reports().is_empty());
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_service_that_has_just_started_shows_the_passes_of_before_and_what_happened_in_them() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    make_one_pass(&heroku, &database).await;
    let service = replica(&heroku, &database).await;
    until_shown(&service, "/", "web.1: restarted, up again after").await;
    let events = status(&service).await["apps"][0]["events"].clone();
    let is_restart = |event: &&Value| (&event["dyno"], &event["what"]) == (&json!("web.1"), &json!("restarted"));
    assert_eq!(events.as_array().expect("a list").iter().filter(is_restart).count(), 1, "{events:#}");
    service.stop().await;
}

#[tokio::test]
async fn passes_that_restarted_a_dyno_are_not_pushed_out_by_those_that_did_nothing() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    make_one_pass(&heroku, &database).await;
    let idle = "INSERT INTO dyno_restarter.passes (app, report)
        SELECT app, report || jsonb_build_object('began_at', now() + number * interval '1 s',
            'dynos', jsonb_build_array(jsonb_build_object('dyno', 'web.1', 'outcome', 'skipped', 'detail', 'young')))
        FROM dyno_restarter.passes, generate_series(1, 1000) AS number";
    database.client().await.batch_execute(idle).await.expect("done");
    let service = replica(&heroku, &database).await;
    until_shown(&service, "/", "web.1: restarted, up again after").await;
    assert_eq!(status(&service).await["apps"][0]["passes"].as_array().expect("a list").len(), 26);
    service.stop().await;
}

/// The status without what is of one replica, or of the moment at which it is asked.
fn shared(mut status: Value) -> Value {
    for own in ["/now", "/started_at", "/database/answered_at", "/apps/0/turn"] {
        status.pointer_mut(own).expect("it is there").take();
    }
    status["apps"][0]["drain"]["seconds_since"].take();
    for dyno in status["apps"][0]["dynos"].as_array_mut().expect("a list") {
        dyno["age_seconds"].take();
    }
    status
}

#[tokio::test]
async fn two_replicas_show_the_same_but_for_what_is_of_each_and_of_the_moment() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let _ = shop.boot_time(seconds(0)).dyno("web.2").crashes_on_boot();
    let (one, other) = two_replicas(&heroku, &database).await;
    one.alert().await;
    report(&other, "1", seconds(1)).await;
    for service in [&one, &other] {
        service.request(reqwest::Method::POST, "key=wrong").send().await.expect("answered");
    }
    until_shown(&one, "/", "Automatic restarts are on hold").await;
    let same = async {
        while shared(status(&one).await) != shared(status(&other).await) {
            tokio::time::sleep(QUICK.poll).await;
        }
    };
    if tokio::time::timeout(seconds(30), same).await.is_err() {
        assert_eq!(shared(status(&one).await), shared(status(&other).await));
    }
    let told = status(&one).await;
    assert_eq!(
        (&told["alerts"][0]["outcome"], &told["alerts"][0]["count"]),
        (&json!("refused"), &json!(2)),
        "{told:#}"
    );
    let app = &told["apps"][0];
    assert_eq!((&app["holds"][0]["dyno"], &app["drain"]["key"]), (&json!("web.2"), &json!("1")), "{told:#}");
    assert_eq!(app["drain"]["reports"][0]["count"], json!(1), "{told:#}");
    for metric in ["held", "gave_up", "restart_due", "ready", "drain_last_seen_timestamp_seconds"] {
        let value = async |service: &Service| {
            let metrics = get(service, "/metrics").await;
            metrics.lines().find(|line| line.starts_with(&format!("dyno_restarter_{metric}{{"))).map(str::to_owned)
        };
        assert_eq!(value(&one).await.expect(metric), value(&other).await.expect(metric));
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_service_that_has_just_started_knows_what_the_one_before_it_heard() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let before = replica(&heroku, &database).await;
    before.request(reqwest::Method::POST, "key=wrong").send().await.expect("answered");
    report(&before, "1", seconds(1)).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.replicas WHERE heard->'drains' ? 'shop'", 1).await;
    before.stop().await;
    let service = replica(&heroku, &database).await;
    until_shown(&service, "/", "the key in its URL is not one of RESTART_WEBHOOK_KEY").await;
    until_shown(&service, "/", "Log drain: last heard").await;
    service.stop().await;
}

#[tokio::test]
async fn what_another_version_heard_is_not_understood_and_does_no_harm() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    replica(&heroku, &database).await.stop().await;
    for heard in [r#"{"alerts": "many", "drains": []}"#, "null", "7", &format!("[\"{}\"]", "x".repeat(300_000))] {
        let insert = "INSERT INTO dyno_restarter.replicas (id, heard) VALUES (md5($1), $1::text::jsonb)";
        database.client().await.execute(insert, &[&heard]).await.expect("done");
    }
    let strange = "UPDATE dyno_restarter.turns SET status = '{\"look\": 7}', history = '[]'";
    database.client().await.batch_execute(strange).await.expect("done");
    let service = replica(&heroku, &database).await;
    service.alert().await;
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    until_shown(&service, "/", "web.1: restarted, up again after").await;
    service.stop().await;
}

#[tokio::test]
async fn a_replica_shows_the_pass_under_way_and_who_makes_it() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(8));
    let (one, other) = two_replicas(&heroku, &database).await;
    one.alert().await;
    until_shown(&other, "/", "web.1 has been booting since").await;
    let told = status(&other).await;
    let holder = status(&one).await["apps"][0]["turn_holder"].as_str().expect("a name").to_owned();
    assert_eq!((&told["apps"][0]["turn"], &told["apps"][0]["turn_holder"]), (&json!("others"), &json!(holder)));
    assert!(get(&other, "/").await.contains(&format!("The restarter {holder} makes the passes over shop.")));
    until(&database, PASSES, 1).await;
    until_shown(&other, "/", "web.1: restarted, up again after").await;
    assert_eq!(status(&other).await["apps"][0]["pass"], Value::Null);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn the_page_says_how_old_its_copy_is_when_the_database_does_not_answer() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let one = replica(&heroku, &database).await;
    until(&database, HELD, 1).await;
    let proxy = Proxy::to(&database.url).await;
    let other = service_with(&heroku, &proxy.url(&database.url)).await;
    one.alert().await;
    until_shown(&other, "/", "web.1: restarted, up again after").await;
    proxy.set(Wire::Stalls);
    until_shown(&other, "/", "the database does not answer").await;
    let page = get(&other, "/").await;
    assert!(page.contains("What other restarters did and saw is shown as of") && page.contains("web.1: restarted"));
    let told = status(&other).await;
    assert_eq!(told["database"]["answers"], json!(false));
    assert!(told["database"]["answered_at"].as_str() < told["now"].as_str(), "{told:#}");
    assert!(get(&other, "/metrics").await.contains(r#"dyno_restarter_database_up{replica="restarter"} 0.0"#));
    proxy.set(Wire::Passes);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_report_that_cannot_be_read_is_told_and_those_beside_it_are_shown() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    make_one_pass(&heroku, &database).await;
    let newer = r#"{"app": "shop", "began_at": "2026-11-28T03:12:08Z", "took_seconds": 5, "alerts": 1, "senders": [],
        "dynos": [{"dyno": "web.7", "outcome": "swapped", "detail": "<b>swapped</b> for a larger one", "cost": 7}],
        "ended_early": null, "events": [], "weather": "fair"}"#;
    let huge = "x".repeat(200_000);
    for report in
        [newer, "null", "[]", r#""{\"app\": \"shop\", \"began_""#, r#"{"app": "shop"}"#, &format!("\"{huge}\"")]
    {
        let insert = "INSERT INTO dyno_restarter.passes (app, report) VALUES ('shop', $1::text::jsonb)";
        database.client().await.execute(insert, &[&report]).await.expect("done");
    }
    let service = replica(&heroku, &database).await;
    until_shown(&service, "/", "5 passes in the database cannot be shown").await;
    let page = get(&service, "/").await;
    assert!(
        page.contains("web.1: restarted") && page.contains("1 swapped") && page.contains("&lt;b&gt;swapped&lt;/b&gt;")
    );
    service.stop().await;
}

#[tokio::test]
async fn when_the_table_of_passes_was_altered_by_hand_the_page_says_so_and_alerts_are_acted_on() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let one = replica(&heroku, &database).await;
    until(&database, HELD, 1).await;
    let alter = |from: &str, to: &str| format!("ALTER TABLE dyno_restarter.passes RENAME COLUMN {from} TO {to}");
    database.client().await.batch_execute(&alter("report", "old")).await.expect("done");
    let other = replica(&heroku, &database).await;
    until_shown(&other, "/", "the tables in the database were changed by hand").await;
    one.alert().await;
    // The service that started last has the log of both.
    in_time(
        "the sentence",
        other.log.until(|log| log.count("is kept in memory only, because it cannot be written") == 1),
    )
    .await;
    assert_eq!(shop.restarts().len(), 1);
    until_shown(&one, "/metrics", r#"dyno_restarter_database_unwritten{kind="passes",replica="restarter"} 1.0"#).await;
    database.client().await.batch_execute(&alter("old", "report")).await.expect("done");
    until_shown(&other, "/", "web.1: restarted, up again after").await;
    assert!(!get(&other, "/").await.contains("changed by hand"));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_pass_that_was_made_without_the_database_is_shown_by_others_when_it_is_back() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    let one = service_with(&heroku, &proxy.url(&database.url)).await;
    until(&database, HELD, 1).await;
    proxy.set(Wire::Down);
    one.alert().await;
    until_shown(&one, "/", "web.1: restarted, up again after").await;
    until_shown(&one, "/metrics", r#"dyno_restarter_database_unwritten{kind="alerts",replica="restarter"} 1.0"#).await;
    let other = replica(&heroku, &database).await;
    // The turn changes hands, so the next pass is not made by the one that has the report.
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 2", 1).await;
    proxy.set(Wire::Passes);
    until_shown(&other, "/", "web.1: restarted, up again after").await;
    until_shown(&one, "/metrics", r#"dyno_restarter_database_unwritten{kind="alerts",replica="restarter"} 0.0"#).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_hold_stays_on_the_page_of_a_replica_when_it_looks_by_itself() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let _ = shop.boot_time(seconds(0)).dyno("web.2").crashes_on_boot();
    let one = replica(&heroku, &database).await;
    until(&database, HELD, 1).await;
    // Its first look fails, so it looks again within a minute.
    heroku.misbehave(simulator::On::List, simulator::Fault::Status(503), 1);
    let other = replica(&heroku, &database).await;
    one.alert().await;
    let has_hold = |told: &Value| told["apps"][0]["holds"][0]["dyno"] == "web.2";
    until_true("the hold", async || has_hold(&status(&other).await)).await;
    let began = std::time::Instant::now();
    while began.elapsed() < seconds(65) {
        let told = status(&other).await;
        assert!(has_hold(&told), "after {:?}: {told:#}", began.elapsed());
        tokio::time::sleep(QUICK.poll).await;
    }
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn the_end_of_a_hold_is_shown_by_every_replica_whatever_ended_it() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let _ = shop.clone().boot_time(seconds(0)).dyno("web.2").never_boots();
    let (one, other) = two_replicas(&heroku, &database).await;
    one.ask("dyno=web.2").await;
    heroku.until(|_| shop.restarts() == ["web.2"]).await;
    heroku.misbehave(simulator::On::List, simulator::Fault::Status(401), 1);
    until_shown(&other, "/", "Automatic restarts are on hold").await;
    shop.deploy();
    // A dry run looks, and that look ends the hold.
    one.ask("dry_run=true").await;
    let is_free = async |of: &Service| status(of).await["apps"][0]["holds"] == json!([]);
    until_true("the end of the hold", async || is_free(&one).await && is_free(&other).await).await;
    one.stop().await;
    other.stop().await;
}
