//! The page, the same as JSON, and whether the service is ready.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use simulator::{Fault, Heroku, On};

use crate::drains;
use crate::service::{KEY, Service, seconds, shop};
use crate::status::status;

fn request(service: &Service, method: Method, path: &str) -> RequestBuilder {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    client.request(method, format!("http://{}{path}", service.address))
}

pub(crate) async fn get(service: &Service, path: &str) -> String {
    let response = request(service, Method::GET, path).basic_auth("me", Some(KEY)).send().await.expect("answered");
    response.text().await.expect("whole")
}

/// Presses a button of the page with this token.
async fn press(service: &Service, token: &str, action: &str, site: &str) -> Response {
    let fields = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("token", token), ("app", "shop"), ("action", action)])
        .finish();
    let request = request(service, Method::POST, "/").basic_auth("me", Some(KEY)).header("sec-fetch-site", site);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    request.body(fields).send().await.expect("answered")
}

async fn token(service: &Service, path: &str) -> String {
    let page = get(service, path).await;
    let (_, rest) = page.split_once(r#"name="token" value=""#).expect("there is a form");
    rest.split('"').next().expect("it ends").to_owned()
}

#[tokio::test(start_paused = true)]
async fn without_a_key_the_page_asks_for_one_and_reveals_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for path in ["/", "/status", "/metrics", "/?x=1"] {
        for key in [None, Some("a-wrong-key-0123456789")] {
            let request = request(&service, Method::GET, path);
            let request = if let Some(key) = key { request.basic_auth("me", Some(key)) } else { request };
            let response = request.send().await.expect("answered");
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
            assert!(response.headers()["www-authenticate"].to_str().expect("text").starts_with("Basic "));
            let text = response.text().await.expect("whole");
            assert!(
                text.contains("heroku config:get RESTART_WEBHOOK_KEY -a ") && !text.contains("shop"),
                "{path}: {text}"
            );
        }
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_button_needs_the_token_of_the_page_and_no_other_site_can_press_it() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let token = token(&service, "/").await;
    for (token, site) in [("", "same-origin"), ("wrong", "none"), (&*token, "cross-site"), (&*token, "same-site")] {
        let response = press(&service, token, "restart", site).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{token} {site}");
    }
    let response = request(&service, Method::POST, "/").body(format!("token={token}&app=shop&action=restart"));
    assert_eq!(response.send().await.expect("answered").status(), StatusCode::UNAUTHORIZED);
    service.stop().await;
    assert_eq!(shop.restarts().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn restart_now_restarts_in_turn_and_the_page_tells_who_asked() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let token = token(&service, "/").await;
    let response = press(&service, &token, "restart", "same-origin").await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()["location"], "/?triggered=shop");
    service.passes(1).await;
    let page = get(&service, "/?triggered=shop").await;
    assert!(page.contains("A restart of shop was asked for"), "{page}");
    assert!(page.contains("1 alert from key 1: 2 restarted"), "{page}");
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1", "web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_what_would_be_restarted_and_restarts_nothing() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.2").crash();
    let service = Service::start(&heroku).await;
    let token = token(&service, "/").await;
    assert!(get(&service, "/").await.contains("nothing to do for the restarter, but dynos of shop are not up"));
    let page = press(&service, &token, "dry_run", "same-origin").await.text().await.expect("whole");
    assert!(page.contains("web.1: would be restarted") && page.contains("web.2: left alone: it is crashed"), "{page}");
    service.stop().await;
    assert_eq!(shop.restarts().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_status_tells_the_pass_under_way_and_what_it_waits_for() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    service.alert().await;
    heroku.until(|_| shop.restarts().len() == 1).await;
    let told = status(&service).await;
    let (app, page) = (&told["apps"][0], get(&service, "/").await);
    assert!(app["pass"]["waits_for"]["boot"]["web.1"]["since"].is_string(), "{told}");
    assert_eq!((&told["ok"], &app["pass"]["alerts"]), (&json!(true), &json!(1)));
    assert!(page.contains("web.1 has been booting since") && page.contains(" of 2m"), "{page}");
    service.passes(1).await;
    assert_eq!(status(&service).await["apps"][0]["pass"], Value::Null);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_the_first_sentence_and_says_what_to_do_and_until_when() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let told = status(&service).await;
    let summary = told["summary"].as_str().expect("text");
    assert!(summary.starts_with("Automatic restarts of shop are on hold: web.1 is not up"), "{summary}");
    assert!(
        summary.contains("heroku logs -a shop --dyno web.1") && summary.contains(" UTC at the latest"),
        "{summary}"
    );
    assert_eq!((&told["ok"], &told["apps"][0]["holds"][0]["dyno"]), (&json!(false), &json!("web.1")));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_shows_within_ten_minutes_without_any_alert() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let ready = async || request(&service, Method::GET, "/ready").send().await.expect("answered");
    assert_eq!(ready().await.status(), StatusCode::OK);
    heroku.revoke_token();
    tokio::time::sleep(seconds(601)).await;
    let response = ready().await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(!response.text().await.expect("whole").contains("shop"));
    assert!(status(&service).await["summary"].as_str().expect("text").contains("RESTART_API_KEY is wrong"));
    tokio::time::sleep(seconds(1800)).await;
    assert_eq!(service.log.count("cannot restart dynos of shop"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_heroku_does_not_answer_the_page_tells_since_when_and_when_it_gives_up() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Status(503), usize::MAX);
    service.alert().await;
    tokio::time::sleep(seconds(30)).await;
    let (told, page) = (status(&service).await, get(&service, "/").await);
    let trouble = &told["apps"][0]["trouble"];
    assert!(trouble["next_call"].is_string() && trouble["gives_up_at"].is_string(), "{told}");
    assert!(page.contains("; next try ") && page.contains(", gives up "), "{page}");
    assert!(page.contains("Calls to Heroku about shop have failed since "), "{page}");
    assert_eq!(get(&service, "/ready").await, "Heroku does not answer\n");
    heroku.behave();
    service.passes(1).await;
    assert_eq!(status(&service).await["apps"][0]["trouble"], Value::Null);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_led_to_nothing_are_shown_with_their_reason() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for body in ["{\"status\":\"resolved\"}", "{\"status\":\"resolved\"}"] {
        service.request(Method::POST, "").bearer_auth(KEY).body(body).send().await.expect("answered");
    }
    service.request(Method::POST, "key=wrong").send().await.expect("answered");
    service.request(Method::POST, "dry=1").bearer_auth(KEY).send().await.expect("answered");
    let alerts = &status(&service).await["alerts"];
    let outcomes: Vec<_> = (0..3).map(|at| alerts[at]["outcome"].as_str().unwrap_or_default()).collect();
    assert_eq!(outcomes, ["not acted on", "refused", "ignored"]);
    assert_eq!((&alerts[2]["reason"], &alerts[2]["count"]), (&json!("the alert has recovered"), &json!(2)));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_asks_for_an_icon_is_no_request_that_led_to_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for path in ["/favicon.ico", "/apple-touch-icon-precomposed.png", "/wp-login.php"] {
        get(&service, path).await;
    }
    let alerts = &status(&service).await["alerts"];
    assert_eq!(
        alerts.as_array().map(|alerts| alerts.iter().map(|alert| alert["count"].clone()).collect()),
        Some(vec![json!(1)])
    );
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_a_sender_and_a_drain_with_a_wrong_key_are_shown() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.ask("dry_run=true").await;
    request(&service, Method::POST, "/drain?key=wrong").send().await.expect("answered");
    let page = get(&service, "/").await;
    assert!(page.contains("dry run (shop), key 1: it asks for all watched dynos"), "{page}");
    assert!(page.contains("refused: a log drain: the key in its URL is not one of"), "{page}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_was_restarted_does_not_show_the_memory_of_the_process_before() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    drains::post(&service, drains::memory(20, "web.1", 600)).await;
    assert!(get(&service, "/").await.contains("600 of 512 MB"));
    service.alert_and_pass("").await;
    let page = get(&service, "/").await;
    assert!(!page.contains("600 of 512 MB"), "{page}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn hostile_texts_are_escaped() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let hostile = "<script>alert(1)</script>";
    let body = json!({ "id": hostile, "message": format!("'\"{hostile}") }).to_string();
    heroku.misbehave(On::List, Fault::Answer { status: 422, headers: vec![], body }, 1);
    service.alert_and_pass("").await;
    let page = get(&service, "/?offset=%3Cscript%3E&%3Cscript%3Ealert(1)=1").await;
    assert!(!page.contains("<script>alert") && page.contains("&lt;script&gt;alert(1)"), "{page}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn times_are_shown_by_the_readers_clock_on_request() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (offset, name) in [("%2B05:30", "UTC+05:30"), ("+05:30", "UTC+05:30"), ("-03:00", "UTC-03:00")] {
        let page = get(&service, &format!("/?offset={offset}")).await;
        assert!(page.contains(&format!("Times are in {name}.")), "{offset}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_picture_tells_in_words_what_it_shows() {
    let (heroku, shop) = shop(2).await;
    let service = Service::with(&heroku, &[("TOLERANCE", "2 in 2m")]).await;
    let now = heroku.now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string();
    let line = |text: &str| {
        let message = format!("<134>1 {now} host heroku web.2 - {text}\n");
        format!("{} {message}", message.len())
    };
    let batch = line("Error R14 (Memory quota exceeded)")
        + &line("source=web.2 dyno=heroku.1.x sample#memory_total=600.00MB sample#memory_quota=512.00MB");
    let drained = request(&service, Method::POST, "/drain").basic_auth("drain", Some(KEY)).body(batch);
    assert_eq!(drained.send().await.expect("answered").status(), StatusCode::NO_CONTENT);
    service.alert_and_pass("dyno=web.1").await;
    let (page, told) = (get(&service, "/").await, status(&service).await);
    let words = "web.1: 2 processes began, 1 restart by us, 0 failures, 0 reports. \
                 web.2: 1 process began, 0 restarts by us, 0 failures, 1 report, memory 600 of 512 MB now.";
    assert!(page.contains(words) && page.contains("600 of 512 MB"), "{page}");
    assert_eq!(told["apps"][0]["drain"]["day"]["web.2"][0]["reports"], json!(1));
    assert!(page.contains("web.2 has 1 of 2 reports (errors)") && page.contains(", key 1."), "{page}");
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn of_several_apps_each_has_a_line_and_a_page_and_those_that_need_a_person_come_first() {
    let (heroku, shop) = shop(2).await;
    _ = heroku.create_app("blog").with("web", 1);
    shop.dyno("web.1").never_boots();
    let service = Service::with(&heroku, &[("APP_NAME", "blog,shop")]).await;
    service.alert_and_pass("app=shop").await;
    let (all, blog) = (get(&service, "/?offset=%2B02:00").await, get(&service, "/?app=blog").await);
    let at = |text: &str| all.find(text).unwrap_or_else(|| panic!("{text} is not in {all}"));
    assert!(
        at(r#"?app=shop&amp;offset=%2B02:00">shop</a>: Automatic restarts"#) < at("blog</a>: 1 of 1 watched dynos up")
    );
    assert!(!all.contains("<table>") && !all.contains("<form method=\"post\""), "{all}");
    assert!(blog.contains("All is well") && blog.contains(r#"aria-label="blog""#), "{blog}");
    assert!(blog.contains("another one needs a person") && !blog.contains("shop"), "{blog}");
    let token = token(&service, "/?app=blog").await;
    let dry_run = press(&service, &token, "dry_run", "same-origin").await.text().await.expect("whole");
    assert!(dry_run.contains("Dry run over shop") && dry_run.contains(r#"<a href="/?app=shop">Back</a>"#), "{dry_run}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_query_that_is_not_understood_is_answered_with_what_is_accepted_and_the_page_all_the_same() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (query, why) in [
        ("offset=%2B01:00&offset=%2B02:00", "offset is given more than once; accepted: once"),
        ("offset=99:00", "invalid offset; accepted: how far your clock is ahead of UTC, such as +02:00"),
        ("app=blog", "the app in the URL is not watched here; accepted: shop"),
        ("app=shop&app=shop", "app is given more than once; accepted: once"),
        ("apps=shop", "the parameter apps is not accepted; accepted: app"),
    ] {
        for path in ["/", "/status"] {
            let request = request(&service, Method::GET, &format!("{path}?{query}")).basic_auth("me", Some(KEY));
            let response = request.send().await.expect("answered");
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path} {query}");
            let text = response.text().await.expect("whole");
            let why = if path == "/status" && query.contains("offset") {
                "the parameter offset is not accepted"
            } else {
                why
            };
            assert!(text.contains(why), "{path} {query}: {text}");
            assert!(path == "/status" || text.contains("All is well"), "{text}");
        }
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_led_to_nothing_has_the_name_of_its_key() {
    let (heroku, _) = shop(1).await;
    let keys = "grafana:a-key-of-sixteen-characters-or-more";
    let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", keys)]).await;
    for (method, path) in [
        (Method::POST, "/restart_web_dynos?dry=1"),
        (Method::PUT, "/restart_web_dynos"),
        (Method::POST, "/drain?dry_run=true"),
        (Method::POST, "/elsewhere"),
        (Method::POST, "/"),
    ] {
        request(&service, method, path).basic_auth("me", Some(KEY)).send().await.expect("answered");
    }
    let log_drain = request(&service, Method::POST, "/restart_web_dynos").header("logplex-msg-count", "1");
    log_drain.basic_auth("me", Some(KEY)).send().await.expect("answered");
    let alerts = &status(&service).await["alerts"];
    let keys: Vec<_> = (0..6).map(|at| alerts[at]["key"].as_str().unwrap_or_default()).collect();
    assert_eq!(keys, ["grafana"; 6], "{alerts:#}");
    assert_eq!(get(&service, "/").await.matches("not acted on, key grafana: ").count(), 6);
    service.stop().await;
}

/// The page of a phone loads within a second on a slow line.
const SMALL: usize = 100_000;

/// In real time: there is much to do.
#[tokio::test]
async fn however_many_apps_there_are_the_page_is_small() {
    for (apps, dynos, fault) in [(50, 100, None), (400, 1, Some(Fault::Status(401)))] {
        let heroku = Heroku::start().await;
        let names: Vec<_> = (0..apps).map(|number| format!("an-app-with-a-long-name-{number}")).collect();
        for name in &names {
            heroku.create_app(name).with("web", dynos);
        }
        if let Some(fault) = fault {
            heroku.misbehave(On::List, fault, usize::MAX);
        }
        let service = Service::with(&heroku, &[("APP_NAME", &names.join(","))]).await;
        let (all, one) = (get(&service, "/").await, get(&service, &format!("/?app={}", names[7])).await);
        assert!(all.len() < SMALL && one.len() < SMALL, "{apps}: {} and {} bytes", all.len(), one.len());
        assert!(all.matches("<li>").count() >= apps.min(150), "{all}");
        assert_eq!(all.contains("250 more apps are not listed"), apps == 400);
        service.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn however_many_dynos_an_app_has_the_page_is_small_and_those_in_trouble_are_on_it() {
    let (heroku, shop) = shop(300).await;
    let service = Service::with(&heroku, &[("MIN_AGE", "23h")]).await;
    for step in 0..144 {
        let ago = step * -600;
        let lines = (1..=200).map(|number| format!("web.{number}"));
        let lines = lines.map(|dyno| {
            drains::memory(ago, &dyno, 600) + &drains::frame(ago, &dyno, "Error R14 (Memory quota exceeded)")
        });
        drains::post(&service, lines.collect::<String>()).await;
        tokio::time::sleep(seconds(600)).await;
    }
    shop.dyno("web.299").crash();
    for _ in 0..20 {
        service.alert_and_pass("").await;
    }
    let page = get(&service, "/").await;
    assert!(page.len() < SMALL, "{} bytes", page.len());
    assert!(page.contains("<th scope=\"row\">web.299</th>") && page.contains("261 more dynos: "), "{page}");
    service.stop().await;
}
