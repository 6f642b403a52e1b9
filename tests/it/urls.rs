//! URLs as people and senders write them: other spellings of a path, and of a wish that nothing be restarted.

use reqwest::Method;

use crate::service::{KEY, Service, deletes, shop};

async fn post(service: &Service, path_and_query: &str) -> (u16, String) {
    let url = format!("http://{}{path_and_query}", service.address);
    let answer = reqwest::Client::new().post(url).bearer_auth(KEY).send().await.expect("answered");
    (answer.status().as_u16(), answer.text().await.expect("whole"))
}

#[tokio::test(start_paused = true)]
async fn a_wish_not_to_restart_is_rejected_in_every_spelling_but_the_right_one() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for query in [
        "dry_runs=true",
        "dry-run=true",
        "dryRun",
        "DRY_RUN=true",
        "dry_run=yes",
        "dry_run",
        "dry_rn=true",
        "dryr_un=true",
        "dyr_run=true",
        "dry_run:true",
        "dry_run%3Dtrue",
        "is_dry_run=1",
        "dry=1",
        "noop=true",
        "what-if=true",
        "scope=all&amp;dry_run=true",
        "&amp;dry_run=true",
        "x=1&amp%3Bdry_run=true",
        ";dry_run=true",
        "x=1;dry_run=true",
        "app=shop;dry_run=true",
        "only_if=status:firing;dry_run=true",
        "x=1%26dry_run=true",
        "scope=all;dry_runs=true",
        "scope=all|dry_run=true",
        "x=1,dry_run=true",
        "x=1%3Fdry-run=true",
        "mode=dry_run",
        "action=dryRun",
        "check_only=1",
        "dont-restart=true",
        "no_restart=true",
        "pretend=1",
        "preview=1",
        "simulate=1",
        "simulated=1",
        "simulation=1",
        "test_run=1",
        "restart=false",
        "restart=no",
        "restart=0",
        "restart=False",
        "restart=off",
        "restart=never",
        "restarts=false",
        "do_restart=no",
        "do_not_restart=true",
        "skip_restart=1",
        "dryMode=1",
        "run=dry",
        "mode=dry",
        "validate_only=true",
    ] {
        let (status, text) = post(&service, &format!("/restart_web_dynos?{query}")).await;
        assert_eq!(status, 400, "{query}: {text}");
    }
    let (_, text) = post(&service, "/restart_web_dynos?dry_runs=true").await;
    assert_eq!(text, "the parameter dry_runs is misspelt; accepted: dry_run");
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dyno_that_is_not_separated_by_an_ampersand_does_not_become_all_dynos() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for query in ["x=1&amp;dyno=web.1", "x=1;dyno=web.1", "x=1%26scope=affected"] {
        let (status, text) = post(&service, &format!("/restart_web_dynos?{query}")).await;
        assert!(status == 400 && text.contains("is not separated by a plain &"), "{query}: {text}");
    }
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_a_sender_adds_by_itself_are_ignored() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for query in [
        "monitorID=7&alertType=1",
        "score=3&source=a&rerun=1",
        "text=at%3Derror;%20dyno=web.1%20x",
        "&&",
        "x=a,app=b?c=dry",
    ] {
        assert_eq!(post(&service, &format!("/restart_web_dynos?{query}")).await.0, 202, "{query}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_drain_with_a_parameter_other_than_app_is_rejected_by_its_name() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (query, name) in [
        ("dry_run=true", "dry_run"),
        ("app=shop&scope=affected", "scope"),
        ("apps=shop", "apps"),
        ("x=1", "x"),
        ("abcdef0123456789abcdef0123456789", "with an unusual name"),
    ] {
        let (status, _) = post(&service, &format!("/drain?{query}")).await;
        assert_eq!(status, 400, "{query}");
        let line = format!("a log drain was not read: the parameter {name} is not accepted; accepted: app");
        assert_eq!(service.log.count(&line), 1, "{query}:\n{}", service.log.text());
        tokio::time::sleep(crate::service::seconds(61)).await;
    }
    assert_eq!(post(&service, "/drain?app=shop&").await.0, 204);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_path_with_more_slashes_or_percent_signs_is_the_same_route() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for path in ["/restart_web_dynos/", "//restart_web_dynos", "/restart%5Fweb%5fdynos//", "/%72estart_web_dynos"] {
        assert_eq!(post(&service, &format!("{path}?app=shop")).await.0, 202, "{path}");
        assert_eq!(post(&service, &format!("{path}?app=nosuch")).await.0, 400, "{path}");
    }
    for (path, status) in
        [("//drain/", 204), ("/health/", 405), ("/restart_web_dynos/x", 404), ("/%ff", 404), ("//", 404)]
    {
        assert_eq!(post(&service, path).await.0, status, "{path}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_behind_a_url_is_refused_and_restarts_nothing() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    for parameter in ["dry_run=true", "dyno=web.1"] {
        let (status, text) = service.ask(&format!("note=https://x/y?z=1&{parameter}")).await;
        assert!(status == 400 && text.contains("is behind a URL in the query; put it in front of that"), "{text}");
    }
    service.stop().await;
    assert_eq!(shop.restarts(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_alert_that_repeats_its_webhook_url_unescaped_is_accepted() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let query = format!(
        "key={KEY}&monitorID=1&monitorURL=http://test.com&alertType=1&monitorAlertContacts=457;5;https://h/restart_web_dynos?key={KEY}&"
    );
    assert_eq!(service.request(Method::GET, &query).send().await.expect("answered").status(), 202);
    let query = format!("key={KEY}&scope=all&contact=https://h/restart_web_dynos?key={KEY}&scope=all&alertType=2");
    let answer = service.request(Method::GET, &query).send().await.expect("answered");
    assert_eq!(answer.text().await.expect("whole"), "Ignored: the alert has recovered");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_wish_in_the_body_not_to_restart_is_rejected() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let send = async |body: &str, query: &str| {
        let request = service.request(Method::POST, query).bearer_auth(KEY).body(body.to_owned());
        let form = "application/x-www-form-urlencoded";
        let answer = request.header("content-type", form).send().await.expect("answered");
        (answer.status().as_u16(), answer.text().await.expect("whole"))
    };
    for body in [
        "dry_run=true",
        "dry_run",
        "dry-run=1&x=1",
        "dry_runs=true",
        "app=shop&amp;dry_run=true",
        "a=1;dry_run=true",
        "restart=False",
        r#"{"dry_run":true}"#,
        r#"{"dryRun":1,"status":"firing"}"#,
        r#"{"dry_runs":true}"#,
        r#"{"payload":{"dry_run":true}}"#,
        r#"{"restart":false}"#,
        r#"{"no_restart":true}"#,
    ] {
        let (status, text) = send(body, "").await;
        assert_eq!((status, &*text), (400, "dry_run is in the body; put it into the URL: ?dry_run=true"), "{body}");
    }
    assert_eq!(send("dry_run=true", "dry_run=true").await.0, 200);
    assert_eq!(deletes(&heroku), 0);
    for body in ["dry_run=false", r#"{"dry_run":false}"#, r#"{"job":{"dry_run":true}}"#, r#"{"preview":true}"#] {
        assert_eq!(send(body, "").await.0, 202, "{body}");
    }
    service.stop().await;
}
