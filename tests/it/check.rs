//! `dyno-restarter check`: each fault shows as a line, with its cure below. The check is the real one, in front of the
//! simulated Heroku.

use dyno_restarter::check::{Outcome, Results};
use simulator::{App, Fault, Heroku, On};

use crate::service::{KEY, deletes, environment, seconds, shop};

/// The results for this environment, in front of this Heroku.
async fn check(heroku: &Heroku, changes: &[(&str, &str)]) -> Results {
    let environment = environment(heroku, changes);
    dyno_restarter::check(|name| environment.get(name).map(Into::into)).await
}

/// The cure below a line that contains `part`.
fn cure_of(results: &Results, part: &str) -> Option<String> {
    let line = results.lines().iter().find(|line| line.to_string().contains(part));
    line.unwrap_or_else(|| panic!("no line has {part:?}:\n{results}")).cure.clone()
}

/// Something that can be wrong at Heroku, or with a setting in view of Heroku.
struct Injected {
    changes: &'static [(&'static str, &'static str)],
    inject: fn(&Heroku, App),
    line: &'static str,
    cure: &'static str,
}

const OURS: &str = "https://drain:a-key-of-sixteen-characters-or-more@restarter.example.com/drain";
const MEMORY_LIMIT: &[(&str, &str)] = &[("MEMORY_LIMIT", "90%")];

/// Faults that end with exit code 1.
const FAULTS: &[Injected] = &[
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.revoke_token(),
        line: "✗ RESTART_API_KEY: Heroku rejected the token: 401",
        cure: "make a new token with `heroku authorizations:create -s write -S`",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.set_token_scope(&["read"]),
        line: "✗ RESTART_API_KEY: Heroku accepts the token, but it may not restart dynos; scope: read",
        cure: "The scope write is needed. Make a new token",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.set_token_scope(&["identity"]),
        line: "✗ APP_NAME: the token may not list the dynos of shop: Heroku denied access",
        cure: "Give the token the scope write",
    },
    Injected {
        changes: &[("APP_NAME", "nosuch")],
        inject: |_, _| {},
        line: "✗ APP_NAME: Heroku knows no app nosuch, or the token may not see it",
        cure: "Check the name with `heroku apps`",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::List, Fault::Status(403), usize::MAX),
        line: "✗ APP_NAME: the token may not list the dynos of shop: Heroku denied access",
        cure: "`heroku access:add EMAIL -a shop`",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::List, Fault::Status(402), usize::MAX),
        line: "✗ APP_NAME: the dynos of shop cannot be listed: Heroku rejected the request: 402",
        cure: "Heroku has locked the account over a payment: see its billing page.",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::List, Fault::Status(503), usize::MAX),
        line: "✗ APP_NAME: the dynos of shop cannot be listed: Heroku is unavailable: 503",
        cure: "See status.heroku.com.",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.set_rate_limit_remaining(0),
        line: "✗ Heroku cannot be asked: Heroku's rate limit is reached",
        cure: "Everything that uses this Heroku account shares 4500 calls an hour",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::Any, Fault::Stall, usize::MAX),
        line: "✗ Heroku cannot be asked: no answer from Heroku: ",
        cure: "See status.heroku.com.",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::Any, Fault::Html, usize::MAX),
        line: "✗ Heroku cannot be asked: invalid response from Heroku",
        cure: "check HEROKU_API_URL if you set it.",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| {
            heroku.misbehave(On::Any, Fault::Redirect("https://example.com/".to_owned()), usize::MAX);
        },
        line: "✗ APP_NAME: the dynos of shop cannot be listed: Heroku rejected the request: 302",
        cure: "Check HEROKU_API_URL.",
    },
    Injected {
        changes: &[("HEROKU_API_URL", "http://127.0.0.1:1")],
        inject: |_, _| {},
        line: "✗ Heroku cannot be asked: no connection to Heroku: 127.0.0.1:1: ",
        cure: "See status.heroku.com, and check HEROKU_API_URL if you set it.",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| {
            heroku.set_token_scope(&["write", "identity"]);
            heroku.suspend_account();
        },
        line: "✗ Account: Heroku has suspended owner@example.com",
        cure: "Log in at dashboard.heroku.com with this account",
    },
    Injected {
        changes: &[],
        inject: |heroku, shop| {
            heroku.set_token_scope(&["write", "identity"]);
            let _ = shop.in_team().collaborator("member", &["view"]);
        },
        line: "✗ shop: the account (member) has no permission operate, so a restart is refused",
        cure: "`heroku access:update EMAIL -p deploy,operate -a shop`",
    },
    Injected {
        changes: &[("PROCESS_TYPES", "wbe")],
        inject: |_, _| {},
        line: "✗ shop: no process type wbe; it has: web and worker",
        cure: "Correct PROCESS_TYPES",
    },
    Injected {
        changes: &[],
        inject: |_, shop| {
            shop.dyno("web.1").crash();
            shop.dyno("web.2").crash();
        },
        line: "✗ shop: 2 web dynos of size Standard-1X: web.1 is crashed and web.2 is crashed",
        cure: "See why with `heroku logs -a shop`",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.list_drain(&OURS.replace("/drain", "/restart_web_dynos"))),
        line: "✗ shop: a log drain to restarter.example.com has the key 1, but its path is not /drain, so it is refused",
        cure: "Remove it, and add https://drain:KEY@restarter.example.com/drain instead.",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.runtime_metrics()),
        line: "✗ shop: no log drain delivers to this service, so MEMORY_LIMIT has no effect",
        cure: "`heroku drains:add https://drain:KEY@HOST/drain -a shop`",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.list_drain(OURS)),
        line: "✗ shop: log-runtime-metrics is off, so MEMORY_LIMIT has no effect",
        cure: "`heroku labs:enable log-runtime-metrics -a shop`",
    },
];

/// Faults that the service can live with: a warning, and exit code 0.
const WARNINGS: &[Injected] = &[
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.set_token_scope(&["global"]),
        line: "! RESTART_API_KEY: Heroku accepts the token; scope: global, which reaches far more than restarts",
        cure: "The scope write is enough. Make a new token",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| {
            heroku.set_token_scope(&["write", "identity"]);
            heroku.leave_bill_unpaid();
        },
        line: "! Account: owner@example.com has an unpaid bill",
        cure: "Pay the bill",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.set_rate_limit_remaining(100),
        line: "! API calls: 9",
        cure: "give the restarter an account of its own",
    },
    Injected {
        changes: &[],
        inject: |heroku, shop| {
            heroku.set_token_scope(&["write", "identity"]);
            let _ = shop.in_team().collaborator("member", &["deploy"]);
        },
        line: "! shop: the account (member) has no permission operate, so a restart may be refused",
        cure: "`heroku access:update EMAIL -p deploy,operate -a shop`",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.maintenance()),
        line: "! shop: maintenance mode is on",
        cure: "`heroku maintenance:off -a shop`",
    },
    Injected {
        changes: &[("PROCESS_TYPES", "web,clock")],
        inject: |_, _| {},
        line: "! shop: no process type clock; it has: web and worker",
        cure: "That is right if another app has it.",
    },
    Injected {
        changes: &[],
        inject: |_, shop| shop.scale("web", 0),
        line: "! shop: scaled to no web dynos, so there is nothing to restart",
        cure: "`heroku ps:scale web=1 -a shop`",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.dyno("web.2").crash()),
        line: "! shop: 2 web dynos of size Standard-1X: web.2 is crashed",
        cure: "A dyno that is not up is left alone.",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.size("Eco")),
        line: "! shop: web dynos are of size Eco, and sleep when nobody visits the app",
        cure: "`heroku ps:type web=basic -a shop`",
    },
    Injected {
        changes: &[],
        inject: |_, shop| shop.scale("web", 1),
        line: "! shop: one web dyno, and preboot is off: requests wait or fail while it restarts",
        cure: "Run two: `heroku ps:scale web=2 -a shop`, or switch preboot on: `heroku features:enable preboot -a shop`",
    },
    Injected {
        changes: &[],
        inject: |_, shop| shop.size("Basic").scale("web", 1),
        line: "! shop: one web dyno, and preboot is off: requests wait or fail while it restarts",
        cure: "Basic allows one web dyno. Choose a larger size, and run two",
    },
    Injected {
        changes: &[("MAX_UNAVAILABLE", "2")],
        inject: |_, _| {},
        line: "! shop: MAX_UNAVAILABLE allows all 2 web dynos to be down at once",
        cure: "Set MAX_UNAVAILABLE to less than 2.",
    },
    Injected {
        changes: &[("MIN_AGE", "2h")],
        inject: |_, _| {},
        line: "! shop: an alert now would restart nothing; web.1 and web.2 left alone: started 1h before the alert",
        cure: "restart them with force=true",
    },
    Injected {
        changes: &[("MIN_AGE", "0s")],
        inject: |_, _| {},
        line: "! MIN_AGE: 0s, so a dyno that has just started is restarted again",
        cure: "Set MIN_AGE to a few minutes.",
    },
    Injected {
        changes: &[("RESTART_WEBHOOK_KEY", "1234567890123456,ops:my-password-for-ops")],
        inject: |_, _| {},
        line: "! RESTART_WEBHOOK_KEY: keys 1 and ops: easy to guess",
        cure: "`openssl rand -hex 32`",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.list_drain("https://drain:an-old-key-0123456789@restarter.example.com/drain")),
        line: "! shop: a log drain to restarter.example.com/drain has no key of RESTART_WEBHOOK_KEY",
        cure: "If restarter.example.com is this service, it refuses the drain.",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.list_drain(&OURS.replace("https", "http"))),
        line: "! shop: a log drain delivers to restarter.example.com with the key 1, unencrypted",
        cure: "add https://drain:KEY@restarter.example.com/drain instead.",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.in_space().runtime_metrics()),
        line: "! shop: no log drain delivers to this service, unless its Private Space has one",
        cure: "`heroku drains:add https://drain:KEY@HOST/drain -a shop`",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.fir().list_drain(OURS)),
        line: "! shop: apps on Fir do not log the memory of their dynos",
        cure: "Set MEMORY_LIMIT to off",
    },
];

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
        "Nothing must be mended; 0 warnings.",
    ] {
        assert!(told.lines().any(|told| told == line), "no line {line:?}:\n{told}");
    }
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
        "? Account: whose token it is: cannot be told with this token",
        "? shop: what kind of app it is: cannot be told with this token",
        "? shop: whether preboot is on for its one web dyno: cannot be told with this token",
        "? shop: which log drains it has: cannot be told with this token",
        "? shop: whether log-runtime-metrics is on, as MEMORY_LIMIT needs it: cannot be told with this token",
    ] {
        assert!(cure_of(&results, part).is_some());
    }
    let faults = results.lines().iter().filter(|line| matches!(line.outcome, Outcome::Bad | Outcome::Warn)).count();
    assert_eq!((faults, results.exit_code()), (0, 0), "{results}");
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
async fn a_secret_that_heroku_quotes_is_not_shown() {
    let (heroku, _) = shop(2).await;
    let body = format!(r#"{{"message":"you sent {}"}}"#, Heroku::TOKEN);
    heroku.misbehave(On::Any, Fault::Answer { status: 401, headers: Vec::new(), body }, usize::MAX);
    let told = check(&heroku, &[]).await.to_string();
    assert!(told.contains("you sent [token]") && !told.contains(Heroku::TOKEN), "{told}");
}
