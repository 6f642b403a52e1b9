//! Answers of the Platform API that nobody should trust.

use simulator::{Fault, On};

use crate::service::{Service, deletes, lists, shop};

#[tokio::test(start_paused = true)]
async fn a_list_without_an_end_ends_the_pass() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::EndlessList, usize::MAX);
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("ended early: Heroku's answer does not end: after 20 pages"), 1);
    service.stop().await;
    assert_eq!((lists(&heroku), deletes(&heroku)), (21, 0));
}

/// In real time: the paused clock would run away while megabytes are copied.
#[tokio::test]
async fn a_body_without_an_end_ends_the_pass() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::HugeBody, 1);
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("ended early: Heroku's answer does not end: its body is longer"), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_not_followed_with_the_token() {
    let (heroku, _) = shop(1).await;
    let elsewhere = simulator::Heroku::start().await;
    let service = Service::start(&heroku).await;
    heroku.misbehave(On::List, Fault::Redirect(format!("{}/apps/shop/dynos", elsewhere.url())), 1);
    service.alert_and_pass("").await;
    assert_eq!(service.log.count("ended early: Heroku refused: 302"), 1);
    service.stop().await;
    assert_eq!(elsewhere.calls().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_long_message_with_control_characters_is_cut_to_one_line() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let body = format!(r#"{{"error":"\u001b[31mred\n{}"}}"#, "long ".repeat(1000));
    heroku.misbehave(On::List, Fault::Answer { status: 422, headers: vec![], body }, 1);
    service.alert_and_pass("").await;
    let told = service.log.lines("ended early: Heroku refused: 422 [31mred long long");
    assert!(told.len() == 1 && told[0].len() < 800 && told[0].contains("lo…"), "{told:?}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_ever_logged_even_when_the_api_quotes_it() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    for status in [500, 401] {
        let body = format!(
            r#"{{"message":"you sent \u0048{} and {}"}}"#,
            &simulator::Heroku::TOKEN[1..],
            simulator::Heroku::TOKEN
        );
        let headers = vec![("Request-Id", simulator::Heroku::TOKEN.to_owned())];
        heroku.misbehave(On::List, Fault::Answer { status, headers, body }, 1);
    }
    service.alert_and_pass("").await;
    let with_query_key = format!("key={}", crate::service::KEY);
    assert_eq!(service.request(reqwest::Method::GET, &with_query_key).send().await.expect("answered").status(), 202);
    service.request(reqwest::Method::GET, "key=a-wrong-key-that-is-secret-too").send().await.expect("answered");
    service.passes(2).await;
    let log = service.log.text();
    for secret in [simulator::Heroku::TOKEN, crate::service::KEY, "a-wrong-key"] {
        // The test's own client logs here, too.
        let leaks = log.lines().filter(|line| line.contains(secret) && !line.contains("127.0.0.1")).count();
        assert_eq!(leaks, 0, "{secret} is in the log:\n{log}");
    }
    assert!(log.contains("you sent [token] and [token] (Request-Id [token])"), "{log}");
    service.stop().await;
}

/// In real time: it is a large list.
#[tokio::test]
async fn a_list_of_several_pages_is_read_to_its_end() {
    let (heroku, _) = shop(1100).await;
    let service = Service::start(&heroku).await;
    assert_eq!(service.log.count("watching shop: 1100 web dynos up"), 1);
    let ranges: Vec<_> = heroku.calls().into_iter().map(|call| call.range.expect("it asks for a range")).collect();
    assert_eq!((ranges.len(), ranges[0].as_str()), (2, "name ..; max=1000"));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn every_call_says_who_calls() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    service.alert_and_pass("").await;
    service.stop().await;
    let user_agent = format!("dyno-restarter/{}", env!("CARGO_PKG_VERSION"));
    assert!(heroku.calls().iter().all(|call| call.user_agent.as_ref() == Some(&user_agent)));
}
