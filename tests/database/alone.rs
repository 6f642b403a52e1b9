//! Passes that are made while the database is away, and what becomes of them when it is back.

use dyno_restarter::store::Timing;

use crate::alerts::{DONE, WAITING, until};
use crate::proxy::{Proxy, Wire};
use crate::replicas::{HELD, PASSES};
use crate::service::{QUICK, Service, environment, held_by, seconds, shop};
use crate::{in_time, replica, service_at_pace, service_with};

#[tokio::test]
async fn a_hold_of_a_pass_that_ended_without_the_database_is_written_when_it_is_back() {
    let database = database!();
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(2));
    let _ = shop.dyno("web.2").crashes_on_boot();
    let proxy = Proxy::to(&database.url).await;
    let service = service_with(&heroku, &proxy.url(&database.url)).await;
    service.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    proxy.set(Wire::Down);
    in_time("the end of the pass", service.log.until(|_| service.reports().len() == 1)).await;
    proxy.set(Wire::Passes);
    until(&database, WAITING, 0).await;
    service.stop().await;
    let other = replica(&heroku, &database).await;
    other.alert().await;
    until(&database, PASSES, 2).await;
    assert_eq!((shop.restarts().len(), other.outcome("web.3")), (2, held_by("web.2")));
    other.stop().await;
}

#[tokio::test]
async fn a_first_dyno_whose_own_pooler_has_ended_restarts_nothing_while_it_knows_of_another_replica() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let proxy = Proxy::to(&database.url).await;
    let one = Service::with(&heroku, &[("DATABASE_URL", &proxy.url(&database.url)), ("DYNO", "web.1")]).await;
    let other = service_with(&heroku, &database.url).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.replicas", 2).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE beat > 3", 1).await;
    proxy.set(Wire::Down);
    one.alert().await;
    tokio::time::sleep(QUICK.lease * 3).await;
    assert!(shop.restarts().is_empty());
    proxy.set(Wire::Passes);
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_process_that_acted_alone_and_takes_over_a_stored_pass_keeps_its_own_history() {
    let database = database!();
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(3));
    let before = replica(&heroku, &database).await;
    before.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    before.stop().await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE pass IS NOT NULL AND holder IS NULL", 1).await;
    let _ = shop.dyno("web.3").crashes_on_boot();
    let proxy = Proxy::to(&database.url).await;
    proxy.set(Wire::Down);
    let timing = Timing { answer: seconds(1), silence: seconds(4), ..QUICK };
    // The pass of before waits that long for the dyno that is down.
    let changes = [("DATABASE_URL", &*proxy.url(&database.url)), ("BOOT_TIMEOUT", "10s")];
    let service = Service::with_timing(&environment(&heroku, &changes), timing);
    service.ask("dyno=web.3").await;
    in_time("a pass without the turn", service.log.until(|_| service.reports().len() == 1)).await;
    proxy.set(Wire::Passes);
    in_time("the takeover", service.log.until(|_| service.reports().len() == 2)).await;
    let name = service.restarter.watched().apps()[0].clone();
    assert_eq!(service.restarter.status(&name).holds[0].dyno.as_str(), "web.3");
    assert_eq!(shop.restarts(), ["web.1", "web.3"]);
    service.stop().await;
}

#[tokio::test]
async fn a_pass_made_alone_ends_when_the_database_is_back_and_another_replica_has_the_turn() {
    let database = database!();
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(4));
    let other = replica(&heroku, &database).await;
    let proxy = Proxy::to(&database.url).await;
    proxy.set(Wire::Down);
    let timing = Timing { answer: seconds(1), silence: seconds(2), ..QUICK };
    let one = service_at_pace(&heroku, &proxy.url(&database.url), timing);
    one.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts() == ["web.1"])).await;
    proxy.set(Wire::Passes);
    in_time("the end of the pass", one.log.until(|log| log.count("makes the passes now") == 1)).await;
    until(&database, WAITING, 0).await;
    assert_eq!((shop.restarts(), other.reports().len()), (["web.1", "web.2", "web.3"].map(str::to_owned).to_vec(), 1));
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_process_that_ended_without_a_word_does_not_keep_the_next_one_from_acting_alone_for_long() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    replica(&heroku, &database).await.stop().await;
    let killed = "INSERT INTO dyno_restarter.replicas (id) VALUES ('restarter/killed')";
    database.client().await.batch_execute(killed).await.expect("done");
    let proxy = Proxy::to(&database.url).await;
    let service = service_with(&heroku, &proxy.url(&database.url)).await;
    until(&database, HELD, 1).await;
    // It is watched for five leases.
    tokio::time::sleep(QUICK.lease * 6).await;
    proxy.set(Wire::Down);
    service.alert().await;
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    service.stop().await;
}

#[tokio::test]
async fn an_alert_is_served_by_one_pass_although_the_database_was_away_meanwhile() {
    let database = database!();
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(4));
    let proxy = Proxy::to(&database.url).await;
    let service = service_with(&heroku, &proxy.url(&database.url)).await;
    service.alert().await;
    in_time("the first restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    proxy.set(Wire::Cut);
    in_time("the gap", service.log.until(|log| log.count("cannot tell which restarter makes the passes") == 1)).await;
    proxy.set(Wire::Passes);
    until(&database, DONE, 1).await;
    service.alert().await;
    until(&database, DONE, 2).await;
    assert_eq!(service.reports().iter().map(|report| report.alerts).collect::<Vec<_>>(), [1, 1]);
    service.stop().await;
}
