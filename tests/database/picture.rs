//! What log drains told any replica, and what happened to dynos, is on the page of every replica, and survives their restarts.

use serde_json::{Value, json};

use crate::alerts::until;
use crate::drains::report;
use crate::replica;
use crate::replicas::{HELD, PASSES, get, status, two_replicas, until_shown};
use crate::service::{QUICK, Service, dyno_name, seconds, shop};
use crate::{in_time, until_true};

async fn drain(service: &Service) -> Value {
    status(service).await["apps"][0]["drain"].clone()
}

#[tokio::test]
async fn what_came_to_one_replica_is_shown_by_every_one_and_by_those_that_start_later() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let (one, other) = two_replicas(&heroku, &database).await;
    report(&one, "1", seconds(2)).await;
    report(&other, "2", seconds(1)).await;
    for service in [&one, &other] {
        until_shown(service, "/", "0 failures, 2 reports").await;
        assert_eq!(drain(service).await["lines"], json!(2));
        until_shown(service, "/metrics", r#"drain_lines_total{app="shop"} 2"#).await;
    }
    let shown = drain(&one).await["day"].clone();
    one.stop().await;
    other.stop().await;
    let later = replica(&heroku, &database).await;
    until_shown(&later, "/", "0 failures, 2 reports").await;
    assert_eq!((&drain(&later).await["day"], &drain(&later).await["lines"]), (&shown, &json!(2)));
    later.stop().await;
}

#[tokio::test]
async fn what_came_while_it_could_not_be_written_is_shown_by_the_others_later() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let (one, other) = two_replicas(&heroku, &database).await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE dyno_restarter.drain_steps RENAME COLUMN {from} TO {to}");
    database.client().await.batch_execute(&rename("heard", "old")).await.expect("done");
    report(&one, "1", seconds(1)).await;
    tokio::time::sleep(QUICK.lease).await;
    let has_picture = async |service: &Service| get(service, "/").await.contains("0 failures, 1 report");
    assert!(has_picture(&one).await && !has_picture(&other).await);
    database.client().await.batch_execute(&rename("old", "heard")).await.expect("done");
    until_true("the picture of the other one", async || has_picture(&other).await).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_came_right_before_the_end_of_a_process_is_shown_by_the_next_one() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let before = replica(&heroku, &database).await;
    let of_another = "INSERT INTO dyno_restarter.drain_steps (app, began_at, replica, heard) VALUES
        ('shop', extract(epoch FROM now())::bigint, 'another', '{\"lines\": 7, \"drains\": [], \"dynos\": {}}')";
    database.client().await.batch_execute(of_another).await.expect("done");
    // What it heard so far was written a moment ago.
    until_true("the lines of another one", async || drain(&before).await["lines"] == json!(7)).await;
    report(&before, "1", seconds(1)).await;
    before.stop().await;
    let service = replica(&heroku, &database).await;
    until_true("the lines of both", async || drain(&service).await["lines"] == json!(8)).await;
    service.stop().await;
}

#[tokio::test]
async fn rows_of_the_version_before_and_rows_that_are_not_understood_do_no_harm() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    replica(&heroku, &database).await.stop().await;
    let before = "DROP TABLE dyno_restarter.drain_steps, dyno_restarter.counters;
        ALTER TABLE dyno_restarter.replicas DROP COLUMN mark; UPDATE dyno_restarter.version SET version = 2";
    database.client().await.batch_execute(before).await.expect("done");
    replica(&heroku, &database).await.stop().await;
    let strange = r#"INSERT INTO dyno_restarter.drain_steps (app, began_at, replica, heard)
        VALUES ('shop', 9223372036854775807, 'far', '{"lines": 1, "drains": [], "dynos": {}}'), ('', 0, 'none', 'null'),
            ('shop', extract(epoch FROM now())::bigint / 600 * 600, 'old', '{"dynos": 7}'),
            ('shop', extract(epoch FROM now())::bigint / 600 * 600, 'good',
                '{"lines": 18446744073709551615, "drains": ["d.1"], "dynos": {"web.1": {"reports": 4294967295}}}')"#;
    database.client().await.batch_execute(strange).await.expect("done");
    let service = replica(&heroku, &database).await;
    report(&service, "1", seconds(1)).await;
    until_shown(&service, "/", "0 failures, 42949672").await;
    assert_eq!(drain(&service).await["drains"], json!(1));
    service.stop().await;
}

#[tokio::test]
async fn rows_that_were_altered_by_hand_are_told_once() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let service = replica(&heroku, &database).await;
    let alter = "INSERT INTO dyno_restarter.drain_steps (app, began_at, replica, heard)
        SELECT 'shop', extract(epoch FROM now())::bigint, 'another-' || number, '7' FROM generate_series(1, 2) AS number";
    database.client().await.batch_execute(alter).await.expect("done");
    let told = "heard of the log of shop is not valid in the database, and is ignored";
    in_time("the sentence", service.log.until(|log| log.count(told) == 1)).await;
    // Each of these is read again and again.
    let lines = "UPDATE dyno_restarter.drain_steps SET heard = '{\"lines\": 7, \"drains\": [], \"dynos\": {}}', changed_at = now()
        WHERE replica = 'another-1'";
    database.client().await.batch_execute(lines).await.expect("done");
    until_true("the row that is valid", async || drain(&service).await["lines"] == json!(7)).await;
    assert_eq!(service.log.count(told), 1);
    service.stop().await;
}

#[tokio::test]
async fn what_happened_to_a_dyno_is_the_same_on_a_replica_that_did_not_see_it() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let one = replica(&heroku, &database).await;
    until(&database, HELD, 1).await;
    shop.dyno("web.1").age(seconds(60)).restart_from_outside();
    one.ask("dry_run=true").await;
    let other = replica(&heroku, &database).await;
    let events = async |service: &Service| status(service).await["apps"][0]["events"].clone();
    until_true("the same events", async || events(&one).await == events(&other).await).await;
    let before = events(&one).await;
    let is_of_web = |event: &&Value| event["dyno"] == json!("web.1");
    assert_eq!(before.as_array().expect("a list").iter().filter(is_of_web).count(), 2, "{before:#}");
    one.stop().await;
    other.stop().await;
    let later = replica(&heroku, &database).await;
    until_true("the events of before", async || events(&later).await == before).await;
    later.stop().await;
}

#[tokio::test]
async fn a_pass_tells_which_replica_restarted_a_dyno_meanwhile() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(4));
    let service = replica(&heroku, &database).await;
    service.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    shop.dyno("web.2").restart_from_outside();
    let at = jiff::Timestamp::now();
    let events = json!([{ "at": at, "dyno": "web.2", "what": "restarted", "by": "web.9/12345678" }]);
    let pass = json!({ "app": "shop", "began_at": at, "took_seconds": 0, "alerts": 1, "senders": [], "dynos": [],
        "ended_early": null, "events": events });
    let insert = "INSERT INTO dyno_restarter.passes (app, report) VALUES ('shop', $1::text::jsonb)";
    database.client().await.execute(insert, &[&pass.to_string()]).await.expect("done");
    until_shown(&service, "/", "it was restarted meanwhile, by the restarter web.9/12345678").await;
    until(&database, PASSES, 2).await;
    assert!(service.report().dynos[&dyno_name("web.2")].to_string().ends_with("by the restarter web.9/12345678"));
    service.stop().await;
}
