//! What others do to the dynos while a pass is under way.

use crate::service::{Service, deletes, seconds, shop};

#[tokio::test(start_paused = true)]
async fn a_dyno_restarted_by_somebody_else_during_the_pass_is_left_alone() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.3").restart_from_outside();
    service.passes(1).await;
    assert_eq!(service.log.count("web.3 of shop: left alone: it was restarted meanwhile"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_down_because_of_somebody_else_is_waited_for() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.boot_time(seconds(20));
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"] && shop.state("web.1") == "starting").await;
    tokio::time::sleep(seconds(15)).await;
    shop.dyno("web.3").restart_from_outside();
    let down_at = shop.up("web");
    heroku.until(|_| shop.restarts().len() == 2).await;
    assert_eq!((down_at, shop.state("web.3").as_str()), (1, "up"));
    service.passes(1).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn another_dyno_that_crashes_and_stays_down_ends_the_pass() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.4").crash();
    service.passes(1).await;
    assert_eq!(service.log.count("ended early: only 3 dynos run where 4 ran when it began"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_deploy_during_the_pass_leaves_nothing_to_restart() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.deploy();
    service.passes(1).await;
    service.stop().await;
    heroku.until(|_| shop.up("web") == 4).await;
    assert_eq!((deletes(&heroku), shop.up("web")), (1, 4));
}

#[tokio::test(start_paused = true)]
async fn scaling_down_during_the_pass_does_not_stop_it() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.scale("web", 2);
    shop.watch();
    service.passes(1).await;
    assert_eq!(service.log.count("left alone: it went away during the pass"), 2);
    service.stop().await;
    assert_eq!((shop.restarts(), shop.fewest_up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 1));
}

#[tokio::test(start_paused = true)]
async fn scaling_the_dyno_in_hand_away_is_no_failure() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").never_boots();
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 2).await;
    shop.scale("web", 1);
    service.passes(1).await;
    assert_eq!(service.log.count("web.2 of shop: left alone: it went away during the pass"), 1);
    assert_eq!(service.log.count("ended early"), 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn scaling_up_during_the_pass_neither_stops_it_nor_adds_to_it() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.scale("web", 5);
    service.passes(1).await;
    service.stop().await;
    assert_eq!((shop.restarts(), shop.up("web")), (vec!["web.1".to_owned(), "web.2".to_owned()], 5));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_vanishes_before_its_turn_holds_up_the_rest_and_then_ends_the_pass() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts() == ["web.1"]).await;
    shop.dyno("web.2").vanish();
    service.passes(1).await;
    assert_eq!(service.log.count("web.2 of shop: left alone: it went away during the pass"), 1);
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_dyno_whose_restart_the_list_shows_late_is_waited_for() {
    let (heroku, shop) = shop(3).await;
    let shop = shop.restart_lag(seconds(9));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn unknown_states_and_absent_fields_are_tolerated() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.1").without("created_at");
    shop.dyno("web.2").without("id").without("updated_at").with_field("surprise", serde_json::json!([1]));
    shop.dyno("web.3").set_state("hibernating");
    shop.dyno("web.4").with_field("state", serde_json::json!(null));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("web.3 of shop: left alone: it is hibernating, not up"), 1);
    assert_eq!(service.log.count("web.4 of shop: left alone: it is in no known state, not up"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_are_told_of_and_left_alone() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.1").with_field("created_at", serde_json::json!("yesterday"));
    shop.dyno("web.2").with_field("name", serde_json::json!("../web"));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("2 records in Heroku's list of shop cannot be read"), 2);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.3"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_records_of_one_name_the_later_counts() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").age(seconds(10)).with_field("name", serde_json::json!("web.1"));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("web.1 of shop: left alone: started 10s before the alert"), 1);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}
