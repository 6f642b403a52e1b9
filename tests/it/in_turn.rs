//! One after the other, and never more down than allowed.

use crate::service::{Service, deletes, lists, seconds, shop};

#[tokio::test(start_paused = true)]
async fn the_running_web_dynos_are_restarted_in_turn() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2", "web.3", "web.4"]);
    assert_eq!((shop.fewest_up("web"), shop.fewest_up("worker")), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn the_report_is_one_line_and_a_line_for_each_dyno() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").crash();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let told = service.log.lines(" INFO dyno_restarter::restart").into_iter();
    let told: Vec<_> =
        told.filter_map(|line| Some(line.split_once(": ")?.1.split(" app=").next()?.to_owned())).collect();
    let pass = "pass over shop (1 alert, 12s): restarted web.1 and web.3; left alone web.2 (it is crashed, not up)";
    let second = "web.2 of shop: left alone: it is crashed, not up";
    let [first, third] = ["web.1", "web.3"].map(|dyno| format!("{dyno} of shop: restarted, up again after 6s"));
    let plan = "restarting web.1 and web.3 of shop, in turn: alerts asked for all watched dynos";
    assert_eq!(told, ["watching shop: 2 web dynos up", second, plan, &first, &third, pass]);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn dynos_that_were_down_before_do_not_count() {
    let (heroku, shop) = shop(4).await;
    shop.dyno("web.2").crash();
    shop.watch();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.3", "web.4"]);
    assert_eq!(shop.fewest_up("web"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_single_web_dyno_is_restarted_too() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn web_10_comes_after_web_9() {
    let (heroku, shop) = shop(11).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts()[8..], ["web.9", "web.10", "web.11"]);
}

#[tokio::test(start_paused = true)]
async fn max_unavailable_lets_so_many_be_down_at_once_and_no_more() {
    for (max_unavailable, fewest_up) in [("2", 3), ("3", 2), ("9", 0)] {
        let (heroku, shop) = shop(5).await;
        let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", max_unavailable)]).await;
        service.alert_and_pass("").await;
        service.stop().await;
        assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (5, fewest_up));
    }
}

#[tokio::test(start_paused = true)]
async fn max_unavailable_holds_although_the_list_shows_a_restart_late() {
    let (heroku, shop) = shop(5).await;
    let shop = shop.restart_lag(seconds(8));
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn settle_time_passes_between_a_dyno_that_is_up_and_the_next() {
    let (heroku, _) = shop(2).await;
    let service = Service::with(&heroku, &[("SETTLE_TIME", "40s")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    let restarts: Vec<_> =
        heroku.calls().into_iter().filter(|call| call.method == "DELETE").map(|call| call.at).collect();
    assert!(restarts[1].saturating_sub(restarts[0]) >= seconds(45), "{restarts:?}");
}

#[tokio::test(start_paused = true)]
async fn process_types_are_restarted_in_the_order_given_and_others_not_at_all() {
    let (heroku, shop) = shop(2).await;
    let shop = shop.with("clock", 1);
    let service = Service::with(&heroku, &[("PROCESS_TYPES", "worker,web")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["worker.1", "web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn an_alert_for_one_dyno_restarts_that_one() {
    let (heroku, shop) = shop(3).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("dyno=web.2").await;
    service.alert_and_pass("dyno=web.9").await;
    service.alert_and_pass("dyno=worker.1").await;
    assert_eq!(service.log.count("web.9 of shop: left alone: the app has no such dyno"), 1);
    assert_eq!(service.log.count("worker.1 of shop: left alone: its process type is not in PROCESS_TYPES"), 1);
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn fir_dynos_that_come_back_under_another_name_are_restarted_in_turn() {
    let heroku = simulator::Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 3);
    let service = Service::with(&heroku, &[]).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("up again as web-"), 3);
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (3, 2));
}

#[tokio::test(start_paused = true)]
async fn fir_dynos_are_never_more_than_max_unavailable_down() {
    let heroku = simulator::Heroku::start().await;
    let shop = heroku.create_app("shop").fir().with("web", 5);
    let service = Service::with(&heroku, &[("MAX_UNAVAILABLE", "2")]).await;
    service.alert_and_pass("").await;
    service.stop().await;
    assert_eq!((shop.restarts().len(), shop.fewest_up("web")), (5, 3));
}

#[tokio::test(start_paused = true)]
async fn apps_are_restarted_independently_of_each_other() {
    let (heroku, shop) = shop(3).await;
    let blog = heroku.create_app("blog").with("web", 2);
    shop.dyno("web.1").never_boots();
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    assert_eq!(service.ask("app=shop").await.0, 202);
    assert_eq!(service.ask("app=blog").await.0, 202);
    service.log.until(|log| log.count("pass over blog") == 1).await;
    assert_eq!((shop.restarts().len(), blog.restarts().len()), (1, 2));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_alerts_at_once_restart_every_dyno_once() {
    let (heroku, shop) = shop(4).await;
    let service = Service::start(&heroku).await;
    for _ in 0..20 {
        tokio::join!(ask_50(&service), ask_50(&service));
    }
    service.passes(2).await;
    service.stop().await;
    assert_eq!((shop.restarts(), shop.fewest_up("web")), (shop.names()[..4].to_vec(), 3));
    assert_eq!(deletes(&heroku), 4);
    assert!(lists(&heroku) <= 12, "{} lists", lists(&heroku));
}

async fn ask_50(service: &Service) {
    for _ in 0..25 {
        service.alert().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_boots_between_two_looks_is_seen_to_be_a_new_instance() {
    let (heroku, shop) = shop(2).await;
    _ = shop.boot_time(seconds(1));
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("of shop: restarted, up again after 3s"), 2);
    service.stop().await;
}
