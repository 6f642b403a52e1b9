//! Several replicas: one makes the passes, and another one takes over.

use dyno_restarter::restart::{End, Outcome, TurnStatus};
use dyno_restarter::store::Timing;
use simulator::Heroku;

use crate::alerts::{WAITING, all, until};
use crate::postgres::Database;
use crate::proxy::{Proxy, Wire};
use crate::replicas::{HELD, PASSES};
use crate::service::{KEY, QUICK, Service, environment, held_by, seconds, shop};
use crate::{in_time, replica, service_with, until_true};

#[tokio::test]
async fn alerts_at_two_replicas_at_once_restart_each_dyno_once_and_one_at_a_time() {
    let database = database!();
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(0));
    let (one, other) = (replica(&heroku, &database).await, replica(&heroku, &database).await);
    for service in [&one, &other, &one, &other] {
        service.alert().await;
    }
    until(&database, WAITING, 0).await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"]);
    assert_eq!(one.reports().len() * other.reports().len(), 0);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn after_sigterm_in_a_pass_another_replica_goes_on_with_it_within_three_seconds() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(4));
    let one = replica(&heroku, &database).await;
    one.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    let other = replica(&heroku, &database).await;
    let asked = std::time::Instant::now();
    one.stop().await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 2 AND holder IS NOT NULL", 1).await;
    assert!(asked.elapsed() < seconds(3), "{:?}", asked.elapsed());
    until(&database, WAITING, 0).await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
    assert_eq!((shop.fewest_up("web"), other.end()), (1, None));
    assert!(matches!(other.outcome("web.1"), Outcome::Restarted { .. }), "{:?}", other.outcome("web.1"));
    other.stop().await;
}

#[tokio::test]
async fn a_hold_survives_a_restart_of_the_restarter() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(0));
    let _ = shop.dyno("web.1").crashes_on_boot();
    let one = replica(&heroku, &database).await;
    one.alert().await;
    until(&database, PASSES, 1).await;
    assert!(matches!(one.end(), Some(End::Failed(_))));
    one.stop().await;
    let other = replica(&heroku, &database).await;
    other.alert().await;
    until(&database, PASSES, 2).await;
    assert_eq!((shop.restarts().len(), other.outcome("web.2")), (1, held_by("web.1")));
    other.stop().await;
}

#[tokio::test]
async fn a_holder_that_loses_the_turn_stops_before_the_next_restart() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(2));
    let service = replica(&heroku, &database).await;
    service.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    let stolen = "UPDATE dyno_restarter.turns SET holder = 'another', term = term + 1";
    database.client().await.batch_execute(stolen).await.expect("done");
    in_time("the loss", service.log.until(|log| log.count("the restarter that takes the turn goes on with it") == 1))
        .await;
    assert_eq!(shop.restarts(), ["web.1"]);
    // Nobody renews the stolen turn.
    until(&database, WAITING, 0).await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
    service.stop().await;
}

#[tokio::test]
async fn a_replica_that_is_cut_off_restarts_nothing_while_another_one_may_have_the_turn() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let proxy = Proxy::to(&database.url).await;
    let one = service_with(&heroku, &proxy.url(&database.url)).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 1).await;
    let other = replica(&heroku, &database).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.replicas", 2).await;
    // The first one sees the second one with its next renewal.
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE beat > 3", 1).await;
    proxy.set(Wire::Cut);
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 2", 1).await;
    one.alert().await;
    tokio::time::sleep(QUICK.lease * 2).await;
    assert!(shop.restarts().is_empty());
    proxy.set(Wire::Passes);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    until(&database, WAITING, 0).await;
    one.stop().await;
    assert_eq!((other.reports().len(), shop.restarts().len()), (1, 1));
    other.stop().await;
}

#[tokio::test]
async fn a_database_that_goes_away_in_a_pass_is_waited_for_when_another_replica_may_take_the_turn() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(1));
    let proxy = Proxy::to(&database.url).await;
    let one = service_with(&heroku, &proxy.url(&database.url)).await;
    let other = service_with(&heroku, &proxy.url(&database.url)).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.replicas", 2).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE beat > 3", 1).await;
    one.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    proxy.set(Wire::Stalls);
    tokio::time::sleep(QUICK.lease * 3).await;
    assert_eq!(shop.restarts(), ["web.1"]);
    proxy.set(Wire::Cut);
    proxy.set(Wire::Passes);
    until(&database, WAITING, 0).await;
    assert_eq!((shop.restarts(), shop.fewest_up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 1));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_replica_that_makes_no_passes_knows_of_holds_and_of_their_ends_without_an_alert_too() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(0));
    let _ = shop.dyno("web.1").crashes_on_boot();
    let one = replica(&heroku, &database).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 1).await;
    let other = replica(&heroku, &database).await;
    one.alert().await;
    until(&database, PASSES, 1).await;
    let name = dyno_restarter::restart::AppName::parse("shop").expect("a valid name");
    until_true("the hold at the other replica", async || other.restarter.status(&name).holds.len() == 1).await;
    let told = other.ask("dry_run=true").await.1;
    assert!(told.contains("automatic restarts are on hold: web.1"), "{told}");
    let _ = shop.dyno("web.1").comes_up();
    let is_over = async || {
        one.ask("dry_run=true").await;
        other.restarter.status(&name).holds.len() != 1
    };
    until_true("the end of the hold at the other replica", is_over).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn the_status_tells_who_makes_the_passes_and_that_the_database_does_not_answer() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let proxy = Proxy::to(&database.url).await;
    let one = service_with(&heroku, &proxy.url(&database.url)).await;
    let turn = |service: &Service| service.restarter.status(&service.restarter.watched().apps()[0]).turn;
    until_true("the turn", async || turn(&one) == Some(TurnStatus::Ours)).await;
    let other = replica(&heroku, &database).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.replicas", 2).await;
    assert_eq!(turn(&other), Some(TurnStatus::Others));
    proxy.set(Wire::Stalls);
    until_true("the silence", async || turn(&one) == Some(TurnStatus::DatabaseAway)).await;
    proxy.set(Wire::Passes);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn restart_now_on_the_page_of_another_replica_is_acted_on_by_the_one_that_makes_the_passes() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let one = replica(&heroku, &database).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE term = 1", 1).await;
    let other = replica(&heroku, &database).await;
    let page = format!("http://{}/", other.address);
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let shown = client.get(&page).basic_auth("me", Some(KEY)).send().await.expect("answered");
    let shown = shown.text().await.expect("whole");
    let token = shown.split(r#"name="token" value=""#).nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    let form =
        client.post(&page).basic_auth("me", Some(KEY)).header("content-type", "application/x-www-form-urlencoded");
    let pressed = form.body(format!("token={token}&app=shop&action=restart")).send().await.expect("answered");
    assert_eq!(pressed.status(), 303);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    until(&database, WAITING, 0).await;
    assert_eq!((one.reports().len(), other.reports().len()), (1, 0));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn forty_apps_are_served_and_no_turn_is_lost_although_the_database_takes_long_for_each_answer() {
    let database = database!();
    let heroku = Heroku::start().await;
    let names: Vec<String> = (10..50).map(|number| format!("shop-{number}")).collect();
    let apps: Vec<_> = names.iter().map(|name| heroku.create_app(name).with("web", 1).boot_time(seconds(0))).collect();
    let proxy = Proxy::to(&database.url).await;
    let url = proxy.url(&database.url);
    let environment = environment(&heroku, &[("DATABASE_URL", &url), ("APP_NAME", &names.join(","))]);
    let service = Service::with_timing(&environment, Timing::default());
    until(&database, HELD, 40).await;
    heroku.create_app("shop").with("web", 1);
    let other = replica(&heroku, &database).await;
    until(&database, HELD, 41).await;
    proxy.set(Wire::Slow(seconds(3) / 10));
    let queries: Vec<String> = names.iter().map(|name| format!("app={name}")).collect();
    all(queries.iter().map(|query| service.ask(query))).await;
    in_time("the restarts", heroku.until(|_| apps.iter().all(|app| app.restarts().len() == 1))).await;
    assert_eq!(other.log.count("turn_lost"), 0);
    service.stop().await;
    assert_eq!(database.number(HELD).await, 1);
    other.stop().await;
}

#[tokio::test]
async fn an_alert_that_waits_when_the_turn_is_lost_is_served_when_it_is_taken_again() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(2));
    let service = replica(&heroku, &database).await;
    service.ask("dyno=web.1").await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    service.ask("dyno=web.2").await;
    until(&database, "SELECT count(*) FROM dyno_restarter.requests WHERE taken IS NOT NULL", 2).await;
    let stolen = "UPDATE dyno_restarter.turns SET holder = 'another', term = term + 1, pass = NULL";
    database.client().await.batch_execute(stolen).await.expect("done");
    until(&database, WAITING, 0).await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
    service.stop().await;
}

#[tokio::test]
async fn a_write_that_arrives_late_does_not_undo_the_end_of_its_pass() {
    const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()";
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(1));
    let proxy = Proxy::to(&database.url).await;
    // The proxy reads the statements.
    let url = format!("{}?sslmode=disable", proxy.url(&database.url));
    let service = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    // The pass, as it is written down before a restart.
    proxy.set(Wire::HoldsFirst("history = $5, pass = $6"));
    service.alert().await;
    until(&database, WAITING, 0).await;
    assert_eq!(shop.restarts().len(), 2);
    until(&database, CONNECTIONS, 4).await;
    proxy.set(Wire::Passes);
    until(&database, CONNECTIONS, 3).await;
    assert_eq!(database.number("SELECT count(*) FROM dyno_restarter.turns WHERE pass IS NOT NULL").await, 0);
    service.stop().await;
}

#[tokio::test]
async fn a_free_turn_that_cannot_be_taken_because_another_session_locks_its_row_is_told() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    replica(&heroku, &database).await.stop().await;
    let mut other = Database::connect(&database.url).await;
    let lock = other.transaction().await.expect("begun");
    lock.batch_execute("SELECT FROM dyno_restarter.turns FOR UPDATE").await.expect("locked");
    let service = service_with(&heroku, &database.url).await;
    in_time("the sentence", service.log.until(|log| log.count("locks the row of its turn") == 1)).await;
    lock.rollback().await.expect("ended");
    until(&database, HELD, 1).await;
    service.stop().await;
}
