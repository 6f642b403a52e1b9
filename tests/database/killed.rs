//! The program as it is, killed with SIGKILL.

use crate::alerts::until;
use crate::in_time;
use crate::process::Process;
use crate::service::{environment, seconds, shop};

#[tokio::test]
async fn an_alert_that_was_answered_survives_sigkill_and_the_successor_acts_within_35_seconds() {
    let database = database!();
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(1));
    let environment = environment(&heroku, &[("DATABASE_URL", &database.url)]);
    let first = Process::of_program(&environment).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE holder IS NOT NULL", 1).await;
    let (status, text) = first.alert().await.expect("answered");
    assert!(status == 202 && !text.contains("in memory only"), "{text}");
    let killed = first.kill();
    let second = Process::of_program(&environment).await;
    killed.await;
    in_time("the restarts", heroku.until(|_| shop.restarts().len() == 2)).await;
    until(&database, "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL", 0).await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
    second.terminate().await;
}

#[tokio::test]
async fn a_pass_that_was_killed_is_gone_on_with_and_restarts_no_dyno_twice() {
    let database = database!();
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(2));
    let environment = environment(&heroku, &[("DATABASE_URL", &database.url), ("MIN_AGE", "0s")]);
    let (first, second) = (Process::quick(&environment).await, Process::quick(&environment).await);
    first.alert().await.expect("answered");
    in_time("the second restart", heroku.until(|_| shop.restarts().len() == 2)).await;
    let holder = "SELECT count(*) FROM dyno_restarter.turns WHERE holder = 'none'";
    assert_eq!(database.number(holder).await, 0);
    // Whoever makes the pass is one of the two, and the other one goes on.
    let third = Process::quick(&environment).await;
    let (one, other) = (first.kill().await, second.kill().await);
    until(&database, "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL", 0).await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3"], "{one}\n{other}");
    assert_eq!(shop.fewest_up("web"), 2);
    third.terminate().await;
}
