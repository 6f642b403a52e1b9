//! PgBouncer in transaction mode between the service and the database, as it is behind `DATABASE_CONNECTION_POOL_URL`.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::alerts::until;
use crate::faults::WAITING_FOR_LOCKS;
use crate::postgres::{Database, PASSWORD, as_ordinary_user, free_port};
use crate::replicas::HELD;
use crate::service::{seconds, shop};
use crate::{in_time, service_with};

/// Starts one on a free port. Returns the URL of the same database by way of it; `None` where it is not installed.
pub(crate) async fn pooler(database: &Database) -> Option<(Child, String)> {
    let is_there = std::path::Path::new("/usr/sbin/pgbouncer").exists();
    if !is_there {
        assert!(std::env::var_os("DATABASE_TESTS_REQUIRED").is_none(), "there is no PgBouncer");
        return None;
    }
    let port = free_port();
    let (_, server) = database.url.split_once('@').expect("the URL has a user");
    let (server, name) = server.split_once('/').expect("the URL has a database");
    let server_port = server.rsplit_once(':').expect("the URL has a port").1;
    let directory = std::env::temp_dir().join(format!("pgbouncer-{port}"));
    std::fs::create_dir_all(&directory).expect("there is room");
    let settings = format!(
        "[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
         unix_socket_dir =\nauth_type = plain\nauth_file = {0}/users\npool_mode = transaction\n",
        directory.display()
    );
    std::fs::write(directory.join("settings"), settings).expect("there is room");
    std::fs::write(directory.join("users"), format!("\"postgres\" \"{PASSWORD}\"\n")).expect("there is room");
    let mut command = Command::from(as_ordinary_user());
    let child = command
        .arg("/usr/sbin/pgbouncer")
        .arg(directory.join("settings"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it is installed");
    let connecting = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    in_time("the start of PgBouncer", connecting).await;
    Some((child, format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/{name}")))
}

#[tokio::test]
async fn behind_a_pooler_in_transaction_mode_alerts_turns_and_drains_work_as_well() {
    let database = database!();
    let Some((_pooler, url)) = pooler(&database).await else { return };
    let (heroku, shop) = shop(2).await;
    let shop = shop.boot_time(seconds(1));
    let (one, other) = (service_with(&heroku, &url).await, service_with(&heroku, &url).await);
    until(&database, "SELECT count(*) FROM dyno_restarter.replicas", 2).await;
    for (number, service) in ["1", "2", "3"].iter().zip([&one, &other, &one]) {
        service.alert().await;
        crate::drains::report(service, number, seconds(10)).await;
    }
    in_time("the first restart", heroku.until(|_| !shop.restarts().is_empty())).await;
    one.stop().await;
    until(&database, "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL", 0).await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (2, 1));
    assert!(!other.log.text().contains("prepared statement"));
    other.stop().await;
}

#[tokio::test]
async fn behind_a_pooler_statements_that_wait_for_a_lock_end_too_and_their_alerts_are_written_later() {
    let database = database!();
    let Some((_pooler, url)) = pooler(&database).await else { return };
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let service = service_with(&heroku, &url).await;
    until(&database, HELD, 1).await;
    let mut blocker = Database::connect(&database.url).await;
    let lock = blocker.transaction().await.expect("begun");
    lock.batch_execute("LOCK TABLE dyno_restarter.requests").await.expect("locked");
    service.alert().await;
    in_time("the sentence", service.log.until(|log| log.count("did not answer within 5s") == 1)).await;
    tokio::time::sleep(seconds(10)).await;
    let waiting = database.number(WAITING_FOR_LOCKS).await;
    // Of each of the two connections there is one, and one that has been given up a moment ago.
    assert!(waiting <= 4, "{waiting} statements wait for the lock");
    lock.rollback().await.expect("ended");
    in_time("the restart", heroku.until(|_| shop.restarts().len() == 1)).await;
    until(&database, "SELECT sum(alerts)::bigint FROM dyno_restarter.requests WHERE done_at IS NOT NULL", 1).await;
    service.stop().await;
}
