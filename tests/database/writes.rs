//! A database that answers and takes no writes: the user lost the right, as at Heroku when a database is larger than its plan
//! allows, or the database became read-only.

use dyno_restarter::store::Timing;
use serde_json::Value;

use crate::alerts::{DONE, WAITING, until};
use crate::faults::full_disk;
use crate::postgres::{Database, PASSWORD};
use crate::proxy::{Proxy, Wire};
use crate::replicas::{HELD, PASSES, get, status, until_shown};
use crate::service::{QUICK, Service, environment, seconds, shop};
use crate::{in_time, replica, service_at_pace, service_with, until_true};

/// The URL of the database for a user who owns it and is no superuser.
async fn url_of_owner(database: &Database) -> String {
    let name = database.name();
    let owner = format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'; ALTER DATABASE {name} OWNER TO {name}");
    database.client().await.batch_execute(&owner).await.expect("done");
    database.url.replace("//postgres:", &format!("//{name}:"))
}

/// Takes this right from the owner, as in `REVOKE INSERT ON ...`, or gives it back.
async fn change_rights(database: &Database, change: &str) {
    let name = database.name();
    let direction = if change.starts_with("REVOKE") { "FROM" } else { "TO" };
    database.client().await.batch_execute(&format!("{change} {direction} {name}")).await.expect("done");
}

const ALL: &str = "ON ALL TABLES IN SCHEMA dyno_restarter";
const DENIED: &str =
    "The database cannot be written: the user of DATABASE_URL may not write to the database: permission denied";

#[tokio::test]
async fn without_the_right_to_write_the_status_ready_and_check_say_so_until_it_is_back() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let url = url_of_owner(&database).await;
    let service = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    change_rights(&database, &format!("REVOKE INSERT, UPDATE {ALL}")).await;
    until_shown(&service, "/status", DENIED).await;
    until_shown(&service, "/ready", "the database cannot be written: the log and the page say why").await;
    assert!(get(&service, "/").await.contains(DENIED));
    let check = crate::check::told(&heroku, &url).await.join("\n");
    assert!(check.contains("permission denied for table requests"), "{check}");
    change_rights(&database, &format!("GRANT INSERT, UPDATE {ALL}")).await;
    until_shown(&service, "/status", "All is well").await;
    service.stop().await;
}

#[tokio::test]
async fn an_alert_that_a_replica_without_the_turn_cannot_write_is_on_its_status_and_acted_on_later() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let url = url_of_owner(&database).await;
    let holder = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    let other = service_with(&heroku, &url).await;
    change_rights(&database, "REVOKE INSERT ON dyno_restarter.requests").await;
    assert_eq!(in_time("an answer", other.ask("")).await.0, 202);
    until_shown(&other, "/status", " 1 alert is in memory only.").await;
    assert_eq!(status(&other).await["ok"], false);
    change_rights(&database, "GRANT INSERT ON dyno_restarter.requests").await;
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    holder.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn when_the_report_on_a_pass_cannot_be_written_later_alerts_are_acted_on_all_the_same() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let url = url_of_owner(&database).await;
    let service = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    change_rights(&database, "REVOKE INSERT ON dyno_restarter.passes").await;
    service.alert().await;
    let sentence = "the report on the last pass over shop is kept in memory only, because it cannot be written";
    in_time("the sentence", service.log.until(|log| log.count(sentence) == 1)).await;
    let other = service_with(&heroku, &url).await;
    service.ask("force=true").await;
    in_time("the second restart", heroku.until(|_| shop.restarts().len() == 2)).await;
    assert_eq!(status(&other).await["apps"][0]["holds"].as_array().map(Vec::len), Some(0));
    change_rights(&database, "GRANT INSERT ON dyno_restarter.passes").await;
    until(&database, PASSES, 2).await;
    until(&database, WAITING, 0).await;
    service.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_report_that_could_not_be_written_until_the_end_is_named() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let url = url_of_owner(&database).await;
    let mut service = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    change_rights(&database, "REVOKE INSERT ON dyno_restarter.passes").await;
    service.alert().await;
    let sentence = "the report on the last pass over shop is kept in memory only";
    in_time("the sentence", service.log.until(|log| log.count(sentence) == 1)).await;
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(shop.restarts(), ["web.1"]);
    assert_eq!(service.log.count("reports on passes over shop that could not be written are dropped: 1"), 1);
}

#[tokio::test]
async fn a_process_that_knows_of_no_other_acts_when_the_database_has_been_read_only_for_long() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(0));
    let timing = Timing { answer: seconds(1), silence: seconds(6), ..QUICK };
    let service = service_at_pace(&heroku, &database.url, timing);
    until(&database, HELD, 1).await;
    let name = database.name();
    // A connection that is made before the change is committed does not know of it, and would not be ended.
    let read_only = |is_on: bool| {
        format!(
            "BEGIN; ALTER DATABASE {name} SET default_transaction_read_only = {is_on}; COMMIT;
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
        )
    };
    database.client().await.batch_execute(&read_only(true)).await.expect("done");
    assert_eq!(in_time("an answer", service.ask("")).await.0, 202);
    until_shown(&service, "/status", "The database cannot be written: the database of DATABASE_URL is read-only").await;
    in_time("the restarts", heroku.until(|_| shop.restarts() == ["web.1", "web.2"])).await;
    assert_eq!(status(&service).await["apps"][0]["turn"], "alone");
    assert!(get(&service, "/").await.contains("This restarter acts without it."));
    let writer = format!("SET default_transaction_read_only = false; {}", read_only(false));
    database.client().await.batch_execute(&writer).await.expect("done");
    until_shown(&service, "/status", "All is well").await;
    until(&database, PASSES, 2).await;
    assert_eq!(shop.restarts().len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn what_a_process_remembers_of_its_time_alone_does_not_hide_a_later_restart_by_another_one() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let one = replica(&heroku, &database).await;
    until(&database, HELD, 1).await;
    let proxy = Proxy::to(&database.url).await;
    proxy.set(Wire::Down);
    let timing = Timing { answer: seconds(1), silence: seconds(2), ..QUICK };
    let changes = [("DATABASE_URL", &*proxy.url(&database.url))];
    let other = Service::with_timing(&environment(&heroku, &changes), timing);
    other.ask("force=true").await;
    in_time("a pass without the turn", other.log.until(|_| other.reports().len() == 1)).await;
    proxy.set(Wire::Passes);
    until(&database, DONE, 1).await;
    // Longer than the other one watches the turn before it takes it.
    let shop = shop.boot_time(seconds(8));
    one.ask("force=true").await;
    in_time("the second restart", heroku.until(|_| shop.restarts().len() == 2)).await;
    one.stop().await;
    let is_over = |app: &Value| app["turn"] == "ours" && app["pass"].is_null() && app["dynos"][0]["state"] == "up";
    until_true("the end of the pass", async || is_over(&status(&other).await["apps"][0])).await;
    let status = status(&other).await;
    assert_eq!(status["apps"][0]["passes"][0]["dynos"][0]["outcome"], "restarted");
    other.stop().await;
}

#[tokio::test]
async fn an_app_whose_row_cannot_be_made_does_not_stop_the_others() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let _ = heroku.create_app("blog").with("web", 1);
    let url = url_of_owner(&database).await;
    let before = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    before.stop().await;
    change_rights(&database, "REVOKE INSERT ON dyno_restarter.turns").await;
    let changes = [("DATABASE_URL", &*url), ("APP_NAME", "shop,blog")];
    let service = in_time("the start", Service::with(&heroku, &changes)).await;
    assert_eq!(in_time("an answer", service.ask("app=shop")).await.0, 202);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    service.stop().await;
}

#[tokio::test]
async fn a_disk_that_is_too_full_for_a_report_is_on_the_status() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let service = service_with(&heroku, &database.url).await;
    until(&database, HELD, 1).await;
    let full = full_disk("passes FOR EACH ROW");
    database.client().await.batch_execute(&full).await.expect("done");
    service.alert().await;
    until_shown(&service, "/status", "The database cannot be written: the database of DATABASE_URL is full").await;
    database.client().await.batch_execute("DROP TRIGGER no_space ON dyno_restarter.passes").await.expect("done");
    until_shown(&service, "/status", "All is well").await;
    service.stop().await;
}
