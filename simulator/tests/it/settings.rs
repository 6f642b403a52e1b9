//! The settings of an app and its account, as the API shows them.

use simulator::{App, Fault, Heroku, On};

use crate::client::get;

async fn shop() -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", 1);
    (heroku, shop)
}

#[tokio::test(start_paused = true)]
async fn features_are_off_until_they_are_switched_on() {
    let (heroku, shop) = shop().await;
    let names = get(&heroku, "/apps/shop/features").await.column("name");
    assert_eq!(names, ["log-runtime-metrics", "preboot"]);
    assert_eq!(get(&heroku, "/apps/shop/features/preboot").await.json()["enabled"], false);
    let _ = shop.preboot().runtime_metrics();
    for feature in names {
        assert_eq!(get(&heroku, &format!("/apps/shop/features/{feature}")).await.json()["enabled"], true);
    }
    assert_eq!(get(&heroku, "/apps/shop/features/nosuch").await.status, 404);
}

#[tokio::test(start_paused = true)]
async fn an_app_shows_its_owner_team_space_maintenance_and_size() {
    let (heroku, shop) = shop().await;
    heroku.set_token_scope(&["global"]);
    let account = get(&heroku, "/account").await.json();
    let plain = get(&heroku, "/apps/shop").await.json();
    assert_eq!((&plain["owner"]["id"], &plain["team"], &plain["space"]), (&account["id"], &().into(), &().into()));
    let _ = shop.in_team().in_space().maintenance().size("Basic");
    let app = get(&heroku, "/apps/shop").await.json();
    assert!(app["owner"]["id"] != account["id"] && app["team"].is_object() && app["space"].is_object());
    assert_eq!(app["maintenance"], true);
    assert_eq!(get(&heroku, "/apps/shop/formation").await.column("size"), ["Basic"]);
    assert_eq!(get(&heroku, "/apps/shop/dynos").await.column("size"), ["Basic"]);
}

#[tokio::test(start_paused = true)]
async fn a_collaborator_has_a_role_and_permissions() {
    let (heroku, shop) = shop().await;
    assert_eq!(get(&heroku, "/apps/shop/collaborators").await.json().as_array().map(Vec::len), Some(0));
    let _ = shop.in_team().collaborator("member", &["view", "operate"]);
    let collaborator = &get(&heroku, "/apps/shop/collaborators").await.json()[0];
    assert_eq!((&collaborator["role"], &collaborator["permissions"][1]["name"]), (&"member".into(), &"operate".into()));
}

#[tokio::test(start_paused = true)]
async fn an_account_can_be_suspended_or_delinquent() {
    let (heroku, _) = shop().await;
    heroku.set_token_scope(&["identity"]);
    assert!(get(&heroku, "/account").await.json()["suspended_at"].is_null());
    heroku.suspend_account();
    assert!(get(&heroku, "/account").await.json()["suspended_at"].is_string());
    heroku.make_account_delinquent();
    assert!(get(&heroku, "/account").await.json()["delinquent_at"].is_string());
}

#[tokio::test(start_paused = true)]
async fn a_drain_of_any_scheme_can_be_listed() {
    let (heroku, shop) = shop().await;
    let _ = shop.list_drain("syslog+tls://logs.example.com:1234");
    assert_eq!(get(&heroku, "/apps/shop/log-drains").await.column("url"), ["syslog+tls://logs.example.com:1234"]);
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_request_can_be_rejected_alone() {
    let (heroku, _) = shop().await;
    heroku.set_token_scope(&["global"]);
    let calls = [
        (On::Account, "/account"),
        (On::App, "/apps/shop"),
        (On::Collaborators, "/apps/shop/collaborators"),
        (On::Features, "/apps/shop/features"),
        (On::Drains, "/apps/shop/log-drains"),
    ];
    for (on, rejected) in calls {
        heroku.misbehave(on, Fault::Status(403), usize::MAX);
        for (_, path) in calls {
            let expected = if path == rejected { 403 } else { 200 };
            assert_eq!(get(&heroku, path).await.status, expected, "{path} while {on:?} is rejected");
        }
        heroku.behave();
    }
}
