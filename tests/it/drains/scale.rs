//! Many apps, many dynos, many names.

use simulator::{App, Heroku};

use super::{HIGH_MEMORY, R14, frame, post, trouble};
use crate::service::{KEY, Service, shop};

#[tokio::test(start_paused = true)]
async fn a_hundred_apps_with_a_drain_each_are_kept_apart() {
    let heroku = Heroku::start().await;
    let names: Vec<String> = (1..=100).map(|number| format!("app{number}")).collect();
    let apps: Vec<App> = names.iter().map(|name| heroku.create_app(name).with("web", 2)).collect();
    let service = Service::with(&heroku, &[("APP_NAME", &names.join(","))]).await;
    for (name, app) in names.iter().zip(&apps) {
        app.drain_to(&format!("http://drain:{KEY}@{}/drain?app={name}", service.address)).await;
    }
    for app in apps.iter().step_by(10) {
        app.leak("web", 60.0);
    }
    heroku.until(|_| apps.iter().step_by(10).all(|app| app.restarts().len() == 2)).await;
    service.stop().await;
    assert_eq!(apps.iter().map(|app| app.restarts().len()).sum::<usize>(), 20);
}

#[tokio::test(start_paused = true)]
async fn an_app_of_160_dynos_in_trouble_is_restarted() {
    let (heroku, shop) = shop(160).await;
    let service = Service::with(&heroku, &[("MEMORY_LIMIT", "90%")]).await;
    for round in (0..30).rev() {
        let reports = |dyno: &str| frame(round * 20, dyno, HIGH_MEMORY) + &frame(round * 20, dyno, R14);
        let body: String = (1..=160).map(|number| reports(&format!("web.{number}"))).collect();
        post(&service, body).await;
    }
    heroku.until(|_| !shop.restarts().is_empty()).await;
    assert!(service.log.count("is in trouble") > 0);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_app_of_301_dynos_in_trouble_is_restarted() {
    let (heroku, shop) = shop(301).await;
    let service = Service::start(&heroku).await;
    for round in (0..30).rev() {
        let body: String = (1..=301).map(|number| frame(round * 20, &format!("web.{number}"), R14)).collect();
        post(&service, body).await;
    }
    heroku.until(|_| !shop.restarts().is_empty()).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_names_neither_fill_the_log_nor_hide_a_dyno() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    for ago in [340, 320, 300] {
        let names = (3..10_003).map(|number| frame(ago, &format!("web.{number}"), R14)).collect::<Vec<_>>();
        post(&service, names.concat()).await;
    }
    service.passes(1).await;
    assert!(service.log.count("INFO") < 100, "{}", service.log.count("INFO"));
    post(&service, trouble("web.2")).await;
    heroku.until(|_| shop.restarts() == ["web.2"]).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn too_many_dynos_are_logged() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body: String = (1..1_100).map(|number| frame(0, &format!("web.{number}"), R14)).collect();
    post(&service, body).await;
    assert_eq!(service.log.count("the log of shop reports too many different dynos"), 1);
    service.stop().await;
}
