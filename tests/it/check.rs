//! `dyno-restarter check`: each fault shows as a line, with its cure below. The check is the real one, in front of the
//! simulated Heroku.

mod faults;

use dyno_restarter::check::{Outcome, Results};
use simulator::{App, Fault, Heroku, On};

use self::faults::{FAULTS, Injected, MEMORY_LIMIT, OURS, WARNINGS};
use crate::notify::receiver::{Behaviour, Receiver};
use crate::service::{KEY, Log, deletes, environment, seconds, shop};

/// The results for this environment, in front of this Heroku.
async fn check(heroku: &Heroku, changes: &[(&str, &str)]) -> Results {
    let environment = environment(heroku, changes);
    // `tracing` remembers for the whole process whether anybody reads a line, and may remember the first answer. The other
    // tests read what is logged here.
    let _guard = Log::default().capture();
    dyno_restarter::check(|name| environment.get(name).map(Into::into), false).await
}

/// The cure below a line that contains `part`.
fn cure_of(results: &Results, part: &str) -> Option<String> {
    let line = results.lines().iter().find(|line| line.to_string().contains(part));
    line.unwrap_or_else(|| panic!("no line has {part:?}:\n{results}")).cure.clone()
}

async fn injected(fault: &Injected) -> Results {
    let (heroku, shop) = shop(2).await;
    (fault.inject)(&heroku, shop);
    let results = check(&heroku, fault.changes).await;
    let cure = cure_of(&results, fault.line).unwrap_or_default();
    assert!(cure.contains(fault.cure), "{}: {cure}", fault.line);
    assert!(!results.to_string().contains(KEY) && !results.to_string().contains(Heroku::TOKEN), "{results}");
    assert_eq!(deletes(&heroku), 0);
    results
}

#[tokio::test(start_paused = true)]
async fn each_fault_at_heroku_is_named_with_its_cure_and_the_exit_code_is_1() {
    for fault in FAULTS {
        let results = injected(fault).await;
        assert_eq!(results.exit_code(), 1, "{}:\n{results}", fault.line);
    }
}

#[tokio::test(start_paused = true)]
async fn each_warning_is_named_with_its_cure_and_the_exit_code_is_0() {
    for fault in WARNINGS {
        let results = injected(fault).await;
        assert_eq!(results.exit_code(), 0, "{}:\n{results}", fault.line);
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_set_up_has_no_warning_and_says_what_an_alert_would_do() {
    let (heroku, shop) = shop(3).await;
    shop.dyno("web.2").age(seconds(60));
    let _ = shop.clone().preboot().runtime_metrics().list_drain(OURS);
    let results = check(&heroku, MEMORY_LIMIT).await;
    let told = results.to_string();
    for line in [
        "✓ RESTART_API_KEY: set and valid",
        "✓ MIN_AGE: not set; the default is 5m",
        "✓ CA certificates: loaded",
        "✓ RESTART_API_KEY: Heroku accepts the token; scope: write",
        "✓ APP_NAME: shop is there, and its dynos can be listed",
        "✓ shop: 3 web dynos of size Standard-1X, all up",
        "✓ shop: preboot is on: a new web dyno boots before the old one stops",
        "✓ shop: an alert now would restart web.1 and web.3; web.2 left alone: started 1m before the alert, MIN_AGE is 5m",
        "✓ shop: a log drain delivers to restarter.example.com with the key 1",
        "✓ shop: log-runtime-metrics is on, as MEMORY_LIMIT needs it",
        "No problems were found; 0 warnings.",
    ] {
        assert!(told.lines().any(|told| told == line), "no line {line:?}:\n{told}");
    }
    assert!(include_str!("../../README.md").contains(told.lines().last().expect("there is one")), "{told}");
    assert_eq!((results.exit_code(), deletes(&heroku)), (0, 0), "{told}");
}

#[tokio::test(start_paused = true)]
async fn what_the_token_may_not_read_cannot_be_told_and_is_no_fault() {
    let (heroku, shop) = shop(1).await;
    let _ = shop.in_team();
    for on in [On::App, On::Account, On::Collaborators, On::Features, On::Drains, On::Formation] {
        heroku.misbehave(on, Fault::Status(403), usize::MAX);
    }
    let results = check(&heroku, MEMORY_LIMIT).await;
    for part in [
        "? Account: whose token it is: cannot be checked with this token",
        "? shop: whether the token may restart its dynos: cannot be checked with this token",
        "? shop: whether preboot is on for its one web dyno: cannot be checked with this token",
        "? shop: which log drains it has: cannot be checked with this token",
        "? shop: whether log-runtime-metrics is on, as MEMORY_LIMIT needs it: cannot be checked with this token",
    ] {
        assert!(cure_of(&results, part).is_some());
    }
    let faults = results.lines().iter().filter(|line| matches!(line.outcome, Outcome::Bad | Outcome::Warn)).count();
    assert_eq!((faults, results.exit_code()), (0, 0), "{results}");
}

#[tokio::test(start_paused = true)]
async fn a_process_type_without_dynos_is_no_fault_while_the_formation_cannot_be_read() {
    let (heroku, shop) = shop(2).await;
    shop.scale("web", 0);
    heroku.misbehave(On::Formation, Fault::Status(403), usize::MAX);
    let results = check(&heroku, &[]).await;
    cure_of(&results, "? shop: whether it has the process type web: cannot be checked with this token");
    assert_eq!(results.exit_code(), 0, "{results}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_for_a_moment_is_no_fault_of_the_token() {
    let (heroku, _) = shop(2).await;
    for on in [On::Account, On::Features, On::Drains] {
        heroku.misbehave(on, Fault::Status(503), usize::MAX);
    }
    let results = check(&heroku, &[]).await;
    for part in
        ["? Account: whose token", "? shop: whether the token may", "? shop: whether preboot", "? shop: which log"]
    {
        assert_eq!(cure_of(&results, part).as_deref(), Some("Run the check again."), "{results}");
    }
    assert_eq!(results.exit_code(), 0, "{results}");
}

#[tokio::test(start_paused = true)]
async fn the_right_to_restart_is_told_by_owner_role_or_permission() {
    type SetUp = fn(App) -> App;
    let cases: [(SetUp, &str); 5] = [
        (|shop| shop, "✓ shop: the account owns the app"),
        (|shop| shop.owned_by_another().collaborator("collaborator", &[]), "✓ shop: the account (collaborator) may"),
        (|shop| shop.in_team().collaborator("admin", &["view"]), "✓ shop: the account (admin) may restart the dynos"),
        (|shop| shop.in_team().collaborator("member", &["deploy", "operate"]), "✓ shop: the account (member) may"),
        (|shop| shop.in_team(), "? shop: whether the token may restart its dynos: the account is not among"),
    ];
    for (set_up, line) in cases {
        let (heroku, shop) = shop(2).await;
        heroku.set_token_scope(&["write", "identity"]);
        let _ = set_up(shop);
        let results = check(&heroku, &[]).await;
        cure_of(&results, line);
        assert_eq!(results.exit_code(), 0, "{results}");
    }
}

#[tokio::test(start_paused = true)]
async fn preboot_is_not_offered_in_a_private_space() {
    let (heroku, shop) = shop(1).await;
    let _ = shop.in_space();
    let cure = cure_of(&check(&heroku, &[]).await, "! shop: one web dyno, and preboot is off");
    assert_eq!(cure.as_deref(), Some("Run two: `heroku ps:scale web=2 -a shop`"));
}

#[tokio::test(start_paused = true)]
async fn a_drain_is_ours_wherever_its_url_has_the_key_and_no_key_of_it_is_shown() {
    for (url, line) in [
        ("https://host.example/drain?key=the%2Bold-key-0123456789", "delivers to host.example with the key 1"),
        ("https://the%2Bold-key-0123456789@host.example/drain", "delivers to host.example with the key 1"),
        ("https://:the-new-key-0123456789@host.example/drain/?app=shop", "delivers to host.example with the key ops"),
        ("http://x:the-new-key-0123456789@localhost:3000/drain", "delivers to localhost with the key ops"),
        ("https://x:wrong-key@host.example/drain?key=the-new-key-0123456789", "host.example/drain has no key of"),
        ("https://host.example/drain", "host.example/drain has no key of"),
        ("syslog+tls://logs.example:1234", "no log drain delivers to this service; alerts must come from elsewhere"),
        ("https://user:wrong-key@logs.example/v1", "no log drain delivers to this service; alerts must"),
    ] {
        let (heroku, shop) = shop(2).await;
        let _ = shop.list_drain(url);
        let keys = "the+old-key-0123456789,ops:the-new-key-0123456789";
        let results = check(&heroku, &[("RESTART_WEBHOOK_KEY", keys)]).await;
        cure_of(&results, line);
        let told = results.to_string();
        assert!(!told.contains("0123456789") && !told.contains("wrong-key"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_app_is_checked_in_the_order_of_app_name() {
    let (heroku, _) = shop(2).await;
    let _ = heroku.create_app("blog").with("web", 2);
    let results = check(&heroku, &[("APP_NAME", "shop,nosuch,blog")]).await;
    let lines = results.lines().iter().filter(|line| line.text.starts_with("APP_NAME: ")).skip(1);
    let told: Vec<_> = lines.map(|line| (line.outcome, line.text.contains("nosuch"))).collect();
    assert_eq!(told, [(Outcome::Good, false), (Outcome::Bad, true), (Outcome::Good, false)]);
    assert_eq!(results.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_check_ends_within_a_minute_even_when_heroku_stalls() {
    let (heroku, _) = shop(2).await;
    heroku.misbehave(On::Any, Fault::Stall, usize::MAX);
    let results = tokio::time::timeout(seconds(60), check(&heroku, &[])).await.expect("it ends");
    assert_eq!(results.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_comes_slowly_page_by_page_is_given_up() {
    let (heroku, _) = shop(2500).await;
    heroku.misbehave(On::List, Fault::Delay(seconds(9)), usize::MAX);
    let results = check(&heroku, &[]).await;
    let part = "✗ APP_NAME: the dynos of shop cannot be listed: no answer from Heroku: timed out after 20s";
    assert_eq!((cure_of(&results, part).as_deref(), results.exit_code()), (Some("See status.heroku.com."), 1));
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_heroku_quotes_is_not_shown() {
    let (heroku, _) = shop(2).await;
    let body = format!(r#"{{"message":"you sent {}"}}"#, Heroku::TOKEN);
    heroku.misbehave(On::Any, Fault::Answer { status: 401, headers: Vec::new(), body }, usize::MAX);
    let told = check(&heroku, &[]).await.to_string();
    assert!(told.contains("you sent [token]") && !told.contains(Heroku::TOKEN), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_test_message_is_sent_only_on_request() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let environment = environment(&heroku, &[("NOTIFY_URL", &receiver.url)]);
    let _guard = Log::default().capture();
    let check =
        async |sends_test| dyno_restarter::check(|name| environment.get(name).map(Into::into), sends_test).await;
    cure_of(&check(false).await, "✓ NOTIFY_URL: the webhook is there");
    assert_eq!(receiver.messages(), Vec::<String>::new());
    cure_of(&check(true).await, "✓ NOTIFY_URL: the webhook took a test message");
    let text = "shop: This is a test by `dyno-restarter check --notify`. Messages arrive here.";
    assert_eq!(receiver.messages(), [text]);
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_does_not_take_the_test_message_is_a_fault() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    for (behaviour, line, cure) in [
        (Behaviour::Fail(404), "✗ NOTIFY_URL: the webhook of NOTIFY_URL rejected it with 404", "Make a new webhook"),
        (Behaviour::Fail(503), "✗ NOTIFY_URL: the webhook of NOTIFY_URL answered 503", "whether the chat is down"),
        (Behaviour::Stall, "✗ NOTIFY_URL: the webhook of NOTIFY_URL did not answer within 10s", "Check the host"),
    ] {
        receiver.behave(behaviour);
        let environment = environment(&heroku, &[("NOTIFY_URL", &receiver.url)]);
        let _guard = Log::default().capture();
        let results = dyno_restarter::check(|name| environment.get(name).map(Into::into), true).await;
        assert!(cure_of(&results, line).is_some_and(|told| told.contains(cure)), "{results}");
        assert_eq!((results.exit_code(), results.to_string().contains("secret-path")), (1, false));
    }
}

#[tokio::test(start_paused = true)]
async fn that_a_webhook_of_slack_or_discord_is_gone_shows_without_a_message() {
    let (heroku, _) = shop(2).await;
    let receiver = Receiver::start().await;
    let gone = "✗ NOTIFY_URL: the webhook of NOTIFY_URL rejected it with 404";
    for (path, there, gone) in [
        ("services/secret-path", "✓ NOTIFY_URL: the webhook is there", gone),
        ("api/webhooks/1/secret-path/slack", "✓ NOTIFY_URL: the webhook is there", gone),
        ("hooks/of-another-chat", "✓ NOTIFY_URL: its server answers", "✓ NOTIFY_URL: its server answers"),
    ] {
        let url = receiver.url.replace("services/secret-path", path);
        let environment = environment(&heroku, &[("NOTIFY_URL", &url)]);
        let _guard = Log::default().capture();
        for (behaviour, line) in [(Behaviour::Take, there), (Behaviour::Fail(404), gone)] {
            receiver.behave(behaviour);
            cure_of(&dyno_restarter::check(|name| environment.get(name).map(Into::into), false).await, line);
        }
    }
    assert_eq!(receiver.messages(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_test_message_without_a_webhook_is_a_warning() {
    let (heroku, _) = shop(2).await;
    let environment = environment(&heroku, &[]);
    let _guard = Log::default().capture();
    let results = dyno_restarter::check(|name| environment.get(name).map(Into::into), true).await;
    cure_of(&results, "! NOTIFY_URL: not set, so no message was sent");
    assert_eq!(results.exit_code(), 0);
}
