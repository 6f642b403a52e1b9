//! What the log says of each alert: who sent it, what it asks for, and what comes of it.

use reqwest::Method;

use crate::service::{KEY, Service, seconds, shop};

/// The last line of the log about an alert, from its first word on.
fn line(service: &Service) -> String {
    let line = service.log.lines(": an alert").pop().expect("an alert was logged");
    let (_, message) = line.split_once(": an alert").expect("it has a message");
    format!("an alert{}", message.split(" event=").next().unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn an_accepted_alert_is_one_line_that_says_who_asks_for_what_and_what_comes_of_it() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let request = service.request(Method::POST, "dyno=web.2&force=true").basic_auth("logentries", Some(KEY));
    let request = request.header("user-agent", "Logentries/1.2").header("x-forwarded-for", "10.0.0.1, 203.0.113.7");
    assert_eq!(request.send().await.expect("answered").status(), 202);
    let caller = "(key 1, user logentries, Logentries/1.2, from 203.0.113.7)";
    let expected = format!("an alert for shop was accepted and asks for web.2 (force=true): a pass begins {caller}");
    assert_eq!(line(&service), expected);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_answer_and_the_log_tell_whether_a_pass_begins_follows_or_is_joined() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let mut told = vec![service.ask("").await.1];
    heroku.until(|_| shop.restarts().len() == 1).await;
    for _ in 0..2 {
        told.push(service.ask("").await.1);
    }
    let comes =
        ["a pass begins", "a pass begins when the one under way has ended", "joins the pass that is about to begin"];
    assert_eq!(told, comes.map(|comes| format!("Restart triggered\nshop: {comes}\n")));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn while_restarts_are_on_hold_the_answer_names_the_dyno_and_since_when() {
    let (heroku, shop) = shop(2).await;
    shop.dyno("web.1").never_boots();
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    let text = service.ask("").await.1;
    assert!(text.contains("shop: held: web.1 is not up after its restart at "), "{text}");
    assert!(!service.ask("force=true").await.1.contains("held"));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_waits_because_the_last_ones_restarted_nothing_is_told() {
    let (heroku, _) = shop(1).await;
    let service = Service::with(&heroku, &[("MIN_AGE", "3h")]).await;
    for _ in 0..2 {
        service.alert_and_pass("").await;
        tokio::time::sleep(seconds(1)).await;
    }
    let text = service.ask("").await.1;
    assert!(
        text.contains("a pass begins in ")
            && text.contains(", because the dynos were just listed and none was restarted"),
        "{text}"
    );
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_ignored_alert_a_dry_run_and_a_repeated_alert_are_told_as_such() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    assert_eq!(service.ask("status=resolved").await.0, 200);
    assert_eq!(line(&service), "an alert for shop was ignored: the alert has recovered (key 1)");
    assert_eq!(service.ask("dry_run=true").await.0, 200);
    assert_eq!(
        line(&service),
        "an alert for shop is a dry run and asks for all watched dynos: nothing is restarted (key 1)"
    );
    for _ in 0..2 {
        let request = service.request(Method::POST, "").bearer_auth(KEY).header("webhook-id", "7");
        assert_eq!(request.send().await.expect("answered").status(), 202);
    }
    assert_eq!(line(&service), "an alert for shop was delivered again and counts once (key 1)");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn texts_of_the_sender_are_cut_and_cleaned() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let agent = format!("a\tb {}", "c".repeat(1000));
    let request = service.request(Method::POST, "").bearer_auth(KEY).header("user-agent", agent);
    let request = request.header("x-forwarded-for", "1.2.3.4, <script>").header("x-request-id", "a b\u{e9}");
    assert_eq!(request.send().await.expect("answered").status(), 202);
    assert!(line(&service).ends_with(&format!("(key 1, a b {}…)", "c".repeat(76))), "{}", line(&service));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_id_of_a_request_is_in_its_lines_and_in_its_answer() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (path, key) in [("restart_web_dynos", KEY), ("restart_web_dynos", "wrong"), ("drain?dry_run=true", KEY)] {
        let id = format!("{}-0123456789", path.len() + key.len());
        let request = reqwest::Client::new().post(format!("http://{}/{path}", service.address)).bearer_auth(key);
        let answer = request.header("x-request-id", &id).send().await.expect("answered");
        assert_eq!(answer.headers()["x-request-id"], id);
        assert_eq!(service.log.lines("request_id=").iter().filter(|line| line.contains(&id)).count(), 1, "{path}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_valid_id_is_given_one() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut ids = Vec::new();
    for sent in ["", "spaces in it", &"x".repeat(201)] {
        let request = service.request(Method::POST, "").bearer_auth(KEY).header("x-request-id", sent);
        ids.push(request.send().await.expect("answered").headers()["x-request-id"].to_str().expect("text").to_owned());
    }
    let is_told = |id: &String| id.parse::<u64>().is_ok() && service.log.text().contains(id);
    assert!(ids.iter().all(is_told), "{ids:?}");
    assert!(ids[0] != ids[1] && ids[1] != ids[2], "{ids:?}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_id_with_a_key_in_it_is_repeated_in_no_answer() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for key in [KEY, "wrong"] {
        let request = service.request(Method::POST, "").bearer_auth(key).header("x-request-id", KEY);
        let answer = request.send().await.expect("answered");
        assert!(answer.headers()["x-request-id"].to_str().expect("text").parse::<u64>().is_ok(), "{key}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_acted_on_is_logged_with_its_key() {
    let (heroku, _) = shop(1).await;
    let keys = format!("pager:{KEY},drain:{}", KEY.to_uppercase());
    let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", &keys)]).await;
    for method in [Method::POST, Method::DELETE] {
        for key in [KEY, &KEY.to_uppercase()] {
            service.request(method.clone(), "app=nosuch").bearer_auth(key).send().await.expect("answered");
        }
    }
    for name in ["pager", "drain"] {
        assert_eq!(service.log.count(&format!("(key {name}). Correct the URL")), 2, "{name}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn events_of_very_many_kinds_are_counted_in_one_line() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    let letters = || ('a'..='z').chain(['_']);
    for query in letters().flat_map(|first| letters().map(move |second| format!("dryrun{first}{second}=1"))).take(210) {
        assert_eq!(service.ask(&query).await.0, 400, "{query}");
    }
    service.terminate();
    service.ended().await.expect("it ends well");
    assert_eq!(service.log.count("is misspelt"), 200);
    assert_eq!(service.log.count("10 events of the last minute were not logged"), 1);
}
