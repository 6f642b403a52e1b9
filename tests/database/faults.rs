//! Databases that do not do what they should: an alert is answered all the same, and a sentence says what to do.

use dyno_restarter::store::Timing;
use simulator::{App, Heroku};

use crate::alerts::until;
use crate::postgres::{Database, PASSWORD};
use crate::proxy::{Proxy, Wire};
use crate::replicas::{HELD, PASSES, until_shown};
use crate::service::{QUICK, Service, environment, seconds, shop};
use crate::{in_time, replica, service_at_pace, unconnected_service};

/// Starts the service with this URL and sends an alert, which is kept in memory only. Returns what the log says.
async fn alert_with(url: &str) -> String {
    let (heroku, _) = shop(1).await;
    let service = unconnected_service(&heroku, url);
    let (status, text) = in_time("an answer", service.ask("")).await;
    assert!(status == 202 && text.contains("kept in memory only"), "{status} {text}");
    in_time("the sentence", service.log.until(|log| log.count("Alerts are kept in memory only") == 1)).await;
    let text = service.log.text();
    service.stop().await;
    assert!(!text.contains(PASSWORD), "{text}");
    text
}

pub(crate) const WAITING_FOR_LOCKS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";

/// Runs these statements once the tables are there.
async fn change(database: &Database, statements: &str) {
    let (heroku, _) = shop(1).await;
    crate::replica(&heroku, database).await.stop().await;
    database.client().await.batch_execute(statements).await.expect("the statements are right");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let database = database!();
    let told = alert_with(&database.url.replace(PASSWORD, "another-password")).await;
    assert!(told.contains("the database rejected the user or the password of DATABASE_URL"), "{told}");
    assert!(!told.contains("another-password"), "{told}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_told() {
    _ = database!();
    let told = alert_with("postgres://postgres:secret-word@127.0.0.1:1/none").await;
    assert!(told.contains("the database of DATABASE_URL is down: ") && !told.contains("secret-word"), "{told}");
}

#[tokio::test]
async fn a_url_that_the_database_does_not_accept_is_told_and_not_shown() {
    let database = database!();
    let (server, name) = database.url.rsplit_once('/').expect("the name of the database is last");
    for url in [format!("{server}/{name}?options=-c%20secret-word"), format!("{server}/secret-word")] {
        let told = alert_with(&url).await;
        assert!(told.contains("it does not accept what the URL says"), "{told}");
        assert!(!told.contains("secret-word") && !told.contains("DROP SCHEMA"), "{told}");
    }
}

#[tokio::test]
async fn tables_of_a_newer_version_are_left_alone() {
    let database = database!();
    change(&database, "UPDATE dyno_restarter.version SET version = 1000").await;
    let told = alert_with(&database.url).await;
    assert!(
        told.contains("the tables in the database are of version 1000") && told.contains("deploy the newest"),
        "{told}"
    );
}

#[tokio::test]
async fn a_table_that_was_altered_by_hand_is_told() {
    let database = database!();
    change(&database, "ALTER TABLE dyno_restarter.requests DROP COLUMN senders").await;
    let told = alert_with(&database.url).await;
    assert!(told.contains("the tables in the database were changed by hand: ") && told.contains("senders"), "{told}");
}

#[tokio::test]
async fn a_database_that_became_read_only_is_told() {
    let database = database!();
    let name = database.name();
    change(&database, &format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    let told = alert_with(&database.url).await;
    assert!(told.contains("the database of DATABASE_URL is read-only, as after a failover"), "{told}");
}

/// Statements that let the disk be full when this table is written: at each statement, or at each row.
pub(crate) fn full_disk(table: &str) -> String {
    format!(
        "CREATE FUNCTION no_space() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION 'No space left on device' USING ERRCODE = '53100'; END $$;
        CREATE TRIGGER no_space BEFORE INSERT ON dyno_restarter.{table} EXECUTE FUNCTION no_space()"
    )
}

#[tokio::test]
async fn a_full_disk_is_told() {
    let database = database!();
    change(&database, &full_disk("requests")).await;
    let told = alert_with(&database.url).await;
    assert!(told.contains("the database of DATABASE_URL is full: ") && told.contains("larger plan"), "{told}");
}

#[tokio::test]
async fn rows_that_are_not_understood_are_told_and_do_not_stop_the_others() {
    let database = database!();
    change(
        &database,
        "UPDATE dyno_restarter.turns SET history = '{\"of\": \"tomorrow\"}', pass = '[]';
        INSERT INTO dyno_restarter.requests (app, asked, alerts, senders, ids) VALUES ('shop', '\"?\"', 1, '{}', '{}')",
    )
    .await;
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let service = crate::replica(&heroku, &database).await;
    service.alert().await;
    until(&database, PASSES, 1).await;
    assert_eq!(shop.restarts(), ["web.1"]);
    for what in ["what is remembered", "the pass under way", "an alert"] {
        assert_eq!(service.log.count(&format!("{what} of shop in the database is not valid")), 1, "{what}");
    }
    service.stop().await;
}

/// Two apps, `shop` and `blog`, with one dyno each, and a service that has both turns.
async fn service_for_two_apps(database: &Database) -> (Heroku, App, Service) {
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    // A statement that waits for a lock takes two seconds to fail.
    let timing = Timing { lease: seconds(8), longest_call: seconds(2), answer: seconds(1), ..QUICK };
    let _ = heroku.create_app("blog").with("web", 1).boot_time(seconds(0));
    let changes = [("DATABASE_URL", database.url.as_str()), ("APP_NAME", "shop,blog")];
    let service = Service::with_timing(&environment(&heroku, &changes), timing);
    until(database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 2).await;
    (heroku, shop, service)
}

#[tokio::test]
async fn a_row_of_a_turn_that_is_locked_by_hand_does_not_stop_the_other_apps() {
    let database = database!();
    let (heroku, shop, service) = service_for_two_apps(&database).await;
    let mut blocker = Database::connect(&database.url).await;
    let lock = blocker.transaction().await.expect("begun");
    lock.batch_execute("SELECT FROM dyno_restarter.turns WHERE app = 'blog' FOR UPDATE").await.expect("locked");
    in_time("the sentence", service.log.until(|log| log.count("locks the row of its turn") == 1)).await;
    assert_eq!(in_time("an answer", service.ask("app=shop")).await.0, 202);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    assert_eq!(database.number(WAITING_FOR_LOCKS).await, 0);
    lock.rollback().await.expect("ended");
    service.stop().await;
}

#[tokio::test]
async fn a_pass_that_cannot_be_ended_is_told_and_does_not_stop_the_other_apps() {
    let database = database!();
    let (heroku, shop, service) = service_for_two_apps(&database).await;
    let mut blocker = Database::connect(&database.url).await;
    let lock = blocker.transaction().await.expect("begun");
    lock.batch_execute("LOCK TABLE dyno_restarter.passes").await.expect("locked");
    assert_eq!(in_time("an answer", service.ask("app=blog")).await.0, 202);
    in_time(
        "the sentence",
        service.log.until(|log| log.count("is kept in memory only, because it cannot be written") == 1),
    )
    .await;
    assert_eq!(in_time("an answer", service.ask("app=shop")).await.0, 202);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    // What was given up has ended.
    let waiting = database.number(WAITING_FOR_LOCKS).await;
    assert!(waiting <= 2, "{waiting} statements wait for the lock");
    lock.rollback().await.expect("ended");
    until(&database, PASSES, 2).await;
    service.stop().await;
}

#[tokio::test]
async fn a_connection_that_stalls_in_the_middle_of_a_statement_loses_no_alert() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    let service = unconnected_service(&heroku, &proxy.url(&database.url));
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 1).await;
    // The statement waits for the lock, and so does its answer.
    let mut blocker = Database::connect(&database.url).await;
    let lock = blocker.transaction().await.expect("begun");
    lock.batch_execute("LOCK TABLE dyno_restarter.requests").await.expect("locked");
    assert_eq!(in_time("an answer", service.ask("")).await.0, 202);
    proxy.set(Wire::Stalls);
    lock.rollback().await.expect("ended");
    proxy.set(Wire::Cut);
    proxy.set(Wire::Passes);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL", 0).await;
    assert_eq!(shop.restarts(), ["web.1"]);
    service.stop().await;
}

#[tokio::test]
async fn a_process_that_knows_of_no_other_acts_when_the_database_was_silent_for_long() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    // An attempt to connect takes five seconds, and must have begun within the trust of a lease.
    let Timing { lease, longest_call, poll, .. } = Timing::default();
    let timing = Timing { lease, longest_call, poll, answer: seconds(1), silence: seconds(6) };
    let service = service_at_pace(&heroku, &proxy.url(&database.url), timing);
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 1).await;
    proxy.set(Wire::Stalls);
    assert_eq!(in_time("an answer", service.ask("")).await.0, 202);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    service.stop().await;
}

#[tokio::test]
async fn with_sslmode_require_a_self_signed_certificate_is_accepted_and_with_verify_full_it_is_not() {
    let database = database!();
    let ssl: String = database.client().await.query_one("SHOW ssl", &[]).await.expect("answered").get(0);
    if ssl == "off" {
        return;
    }
    let (heroku, _) = shop(1).await;
    let url = format!("{}?sslmode=require", database.url);
    let service = crate::service_with(&heroku, &url).await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'dyno-restarter' AND datname = current_database()";
    service.alert().await;
    until(&database, encrypted, 2).await;
    service.stop().await;
    let told = alert_with(&format!("{}?sslmode=verify-full", database.url)).await;
    assert!(
        told.contains("cannot connect to the database of DATABASE_URL: ") && told.contains("certificate"),
        "{told}"
    );
}

#[tokio::test]
async fn an_alert_in_the_database_that_cannot_be_read_is_told_and_does_not_stop_the_others() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let service = replica(&heroku, &database).await;
    let broken = "INSERT INTO dyno_restarter.requests (app, asked, alerts, senders, ids)
        SELECT 'shop', asked, 1, ARRAY[NULL]::text[], '{}'
        FROM unnest(ARRAY[(repeat('[', 200) || repeat(']', 200))::jsonb, '1e400']) AS asked";
    database.client().await.batch_execute(broken).await.expect("done");
    in_time("the sentence", service.log.until(|log| log.count("an alert of shop in the database is not valid") == 2))
        .await;
    service.alert().await;
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    service.stop().await;
}

#[tokio::test]
async fn when_turns_cannot_be_kept_the_status_and_ready_say_so_although_the_database_answers() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let service = replica(&heroku, &database).await;
    until(&database, HELD, 1).await;
    let rename = |from, to| format!("ALTER TABLE dyno_restarter.turns RENAME COLUMN {from} TO {to}");
    database.client().await.batch_execute(&rename("beat", "other")).await.expect("done");
    until_shown(&service, "/status", "No dyno of shop can be restarted now, and its alerts wait").await;
    until_shown(&service, "/ready", "the database does not say which restarter may make passes").await;
    assert_eq!(in_time("an answer", service.ask("")).await.0, 202);
    database.client().await.batch_execute(&rename("other", "beat")).await.expect("done");
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    until_shown(&service, "/status", "All is well").await;
    service.stop().await;
}

#[tokio::test]
async fn a_turn_whose_term_was_set_to_the_largest_number_is_taken_like_the_others() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let largest = "UPDATE dyno_restarter.turns SET term = 9223372036854775807, beat = 9223372036854775807";
    change(&database, largest).await;
    let service = replica(&heroku, &database).await;
    service.alert().await;
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    service.stop().await;
}
