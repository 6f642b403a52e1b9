//! Dynos: restarts, boots, crashes, scaling and deploys.

use std::time::Duration;

use serde_json::json;
use simulator::{App, Heroku};
use tokio::time::sleep;

use crate::client::{delete, get};

const SECOND: Duration = Duration::from_secs(1);

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 3);
    (heroku, shop)
}

async fn restart(heroku: &Heroku, dyno: &str) {
    assert_eq!(delete(heroku, &format!("/apps/shop/dynos/{dyno}")).await.status, 202);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_never_boots_stays_starting_until_it_comes_up() {
    let (heroku, shop) = shop().await;
    let web_1 = shop.dyno("web.1").never_boots();
    restart(&heroku, "web.1").await;
    sleep(600 * SECOND).await;
    assert_eq!(shop.state("web.1"), "starting");
    let before = get(&heroku, "/apps/shop/dynos/web.1").await.json();
    web_1.comes_up();
    let after = get(&heroku, "/apps/shop/dynos/web.1").await.json();
    assert_eq!((after["state"].as_str(), &after["id"]), (Some("up"), &before["id"]));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_crashes_on_each_boot_until_it_boots_normally() {
    let (heroku, shop) = shop().await;
    let web_1 = shop.dyno("web.1").crashes_on_boot();
    restart(&heroku, "web.1").await;
    heroku.until(|_| shop.state("web.1") == "crashed").await;
    restart(&heroku, "web.1").await;
    heroku.until(|_| shop.state("web.1") == "crashed").await;
    web_1.boots_normally();
    restart(&heroku, "web.1").await;
    heroku.until(|_| shop.state("web.1") == "up").await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_can_vanish_on_restart_or_at_once() {
    let (heroku, shop) = shop().await;
    shop.dyno("web.1").vanishes_on_restart();
    restart(&heroku, "web.1").await;
    shop.dyno("web.2").vanish();
    assert_eq!(shop.names(), ["web.3"]);
    assert_eq!(shop.restarts(), ["web.1"]);
    assert_eq!(get(&heroku, "/apps/shop/formation/web").await.json()["quantity"], 3);
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "shop has no dyno web.9")]
async fn the_panic_names_an_unknown_dyno() {
    let (_heroku, shop) = shop().await;
    shop.dyno("web.9").crash();
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "was not true within an hour")]
async fn until_gives_up_after_an_hour() {
    let (heroku, shop) = shop().await;
    heroku.until(|_| shop.up("web") == 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_makes_a_new_instance_that_boots() {
    let (heroku, shop) = shop().await;
    let before = get(&heroku, "/apps/shop/dynos/web.2").await.json();
    restart(&heroku, "web.2").await;
    let after = get(&heroku, "/apps/shop/dynos/web.2").await.json();
    assert_eq!(after["state"], "starting");
    assert_ne!(after["id"], before["id"]);
    assert_ne!(after["created_at"], before["created_at"]);
    sleep(4999 * SECOND / 1000).await;
    assert_eq!(shop.state("web.2"), "starting");
    sleep(SECOND / 1000).await;
    assert_eq!(shop.state("web.2"), "up");
}

#[tokio::test(start_paused = true)]
async fn the_list_shows_the_old_instance_until_the_restart_lag_ends() {
    let (heroku, shop) = shop().await;
    let shop = shop.restart_lag(3 * SECOND).boot_time(10 * SECOND);
    let before = get(&heroku, "/apps/shop/dynos/web.2").await.json();
    restart(&heroku, "web.2").await;
    sleep(2 * SECOND).await;
    assert_eq!(get(&heroku, "/apps/shop/dynos/web.2").await.json(), before);
    sleep(SECOND).await;
    assert_eq!(shop.state("web.2"), "starting");
    sleep(10 * SECOND).await;
    assert_eq!(shop.state("web.2"), "up");
}

#[tokio::test(start_paused = true)]
async fn fewest_up_includes_moments_at_which_nothing_read_the_state() {
    let (heroku, shop) = shop().await;
    restart(&heroku, "web.1").await;
    sleep(4 * SECOND).await;
    restart(&heroku, "web.2").await;
    sleep(60 * SECOND).await;
    assert_eq!((shop.up("web"), shop.fewest_up("web")), (3, 1));
    shop.reset_fewest_up();
    assert_eq!(shop.fewest_up("web"), 3);
    shop.dyno("web.3").crash();
    assert_eq!(shop.fewest_up("web"), 2);
}

#[tokio::test(start_paused = true)]
async fn restarts_does_not_contain_a_restart_from_outside() {
    let (heroku, shop) = shop().await;
    let before = get(&heroku, "/apps/shop/dynos/web.1").await.json();
    shop.dyno("web.1").restart_from_outside();
    assert_ne!(get(&heroku, "/apps/shop/dynos/web.1").await.json()["id"], before["id"]);
    assert!(shop.restarts().is_empty());
    assert_eq!(shop.state("web.1"), "starting");
}

#[tokio::test(start_paused = true)]
async fn scaling_adds_booting_dynos_or_removes_the_highest_numbers() {
    let (heroku, shop) = shop().await;
    shop.scale("web", 5);
    assert_eq!((shop.up("web"), shop.state("web.5")), (3, "starting".to_owned()));
    sleep(5 * SECOND).await;
    assert_eq!(shop.up("web"), 5);
    shop.scale("web", 2);
    assert_eq!(shop.names(), ["web.1", "web.2"]);
    assert_eq!(get(&heroku, "/apps/shop/formation/web").await.json()["quantity"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_replaces_all_dynos_at_the_same_time() {
    let (heroku, shop) = shop().await;
    let shop = shop.with("worker", 1);
    let before = get(&heroku, "/apps/shop/dynos").await;
    shop.deploy();
    let after = get(&heroku, "/apps/shop/dynos").await;
    assert!(before.column("id").iter().all(|id| !after.column("id").contains(id)));
    assert_eq!(after.json()[0]["release"]["version"], 43);
    assert_eq!((shop.fewest_up("web"), shop.fewest_up("worker")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_fir_dyno_has_a_new_name_after_each_restart() {
    let (heroku, shop) = shop().await;
    let shop = shop.fir();
    assert_eq!(get(&heroku, "/apps/shop").await.json()["generation"]["name"], "fir");
    let old = shop.names().remove(0);
    let parts: Vec<usize> = old.split('-').map(str::len).collect();
    assert_eq!(parts, [3, 10, 5], "{old}");
    shop.dyno(&old).crashes_on_boot();
    restart(&heroku, &old).await;
    assert_eq!((shop.state(&old), shop.names().len()), ("gone".to_owned(), 3));
    let crashed = |shop: &App| shop.names().iter().any(|name| shop.state(name) == "crashed");
    heroku.until(|_| crashed(&shop)).await;
}

#[tokio::test(start_paused = true)]
async fn a_field_can_be_missing_or_have_an_unknown_value() {
    let (heroku, shop) = shop().await;
    shop.dyno("web.1").without("created_at").with_field("state", json!("hibernating"));
    restart(&heroku, "web.1").await;
    let dyno = get(&heroku, "/apps/shop/dynos/web.1").await.json();
    assert_eq!((dyno.get("created_at"), dyno["state"].as_str()), (None, Some("hibernating")));
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_dyno_can_be_set() {
    let (heroku, shop) = shop().await;
    shop.dyno("web.1").age(90 * SECOND);
    let created = get(&heroku, "/apps/shop/dynos/web.1").await.json()["created_at"].clone();
    let expected = (heroku.now() - 90 * SECOND).strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    assert_eq!(created, json!(expected));
}

#[tokio::test(start_paused = true)]
async fn a_restart_logs_the_same_lines_as_heroku() {
    let (heroku, shop) = shop().await;
    restart(&heroku, "web.1").await;
    heroku.until(|_| shop.state("web.1") == "up").await;
    let texts: Vec<String> = shop.log().iter().map(|line| line[33..].to_owned()).collect();
    assert_eq!(
        texts,
        [
            "heroku[web.1]: Restarting",
            "heroku[web.1]: State changed from up to starting",
            "heroku[web.1]: Stopping all processes with SIGTERM",
            "heroku[web.1]: Process exited with status 143",
            "heroku[web.1]: Starting process with command `bin/rails server -p ${PORT:-5000} -e production`",
            "heroku[web.1]: State changed from starting to up",
        ]
    );
    let times = shop.log().iter().map(|line| line[..32].to_owned()).collect::<Vec<_>>();
    assert!(times.is_sorted() && times[0].ends_with("+00:00"), "{times:?}");
}
