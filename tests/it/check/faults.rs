//! What can be wrong, with the line that names it and the cure below that line.

use simulator::{App, Fault, Heroku, On};

/// Something that can be wrong at Heroku, or with a setting in view of Heroku.
pub(super) struct Injected {
    pub(super) changes: &'static [(&'static str, &'static str)],
    pub(super) inject: fn(&Heroku, App),
    pub(super) line: &'static str,
    pub(super) cure: &'static str,
}

/// The URL of a drain that this service takes.
pub(super) const OURS: &str = "https://drain:a-key-of-sixteen-characters-or-more@restarter.example.com/drain";
pub(super) const MEMORY_LIMIT: &[(&str, &str)] = &[("MEMORY_LIMIT", "90%")];

/// Faults that end with exit code 1.
pub(super) const FAULTS: &[Injected] = &[
    Injected {
        changes: &[("NOTIFY_URL", "http://127.0.0.1:9/services/secret")],
        inject: |_, _| {},
        line: "✗ NOTIFY_URL: no answer from the webhook of NOTIFY_URL: ",
        cure: "Check the host in NOTIFY_URL",
    },
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
        line: "✗ The calls to Heroku fail: Heroku's rate limit is reached",
        cure: "Everything that uses this Heroku account shares 4500 calls an hour",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::Any, Fault::Stall, usize::MAX),
        line: "✗ The calls to Heroku fail: no answer from Heroku: ",
        cure: "See status.heroku.com.",
    },
    Injected {
        changes: &[],
        inject: |heroku, _| heroku.misbehave(On::Any, Fault::Html, usize::MAX),
        line: "✗ The calls to Heroku fail: invalid response from Heroku",
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
        line: "✗ The calls to Heroku fail: no connection to Heroku: 127.0.0.1:1: ",
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
        cure: "Remove it, and add \"https://drain:KEY@restarter.example.com/drain\" instead.",
    },
    Injected {
        changes: &[("APP_NAME", "shop,nosuch")],
        inject: |_, shop| drop(shop.list_drain(OURS)),
        line: "✗ shop: a log drain to restarter.example.com has the key 1, but its URL does not say ?app=",
        cure: "add \"https://drain:KEY@restarter.example.com/drain?app=shop\" instead.",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.list_drain(&format!("{OURS}?app=blog"))),
        line: "✗ shop: a log drain to restarter.example.com has the key 1, but its URL names another app",
        cure: "add \"https://drain:KEY@restarter.example.com/drain\" instead.",
    },
    Injected {
        changes: &[],
        inject: |_, shop| drop(shop.list_drain(&format!("{OURS}?force=true"))),
        line: "✗ shop: a log drain to restarter.example.com has the key 1, but its URL has a parameter that no drain takes",
        cure: "add \"https://drain:KEY@restarter.example.com/drain\" instead.",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.runtime_metrics()),
        line: "✗ shop: no log drain delivers to this service, so MEMORY_LIMIT has no effect",
        cure: "`heroku drains:add \"https://drain:KEY@HOST/drain\" -a shop`",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.list_drain(OURS)),
        line: "✗ shop: log-runtime-metrics is off, so MEMORY_LIMIT has no effect",
        cure: "`heroku labs:enable log-runtime-metrics -a shop`",
    },
];

/// Faults that the service can live with: a warning, and exit code 0.
pub(super) const WARNINGS: &[Injected] = &[
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
            heroku.make_account_delinquent();
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
        line: "! shop: a log drain to restarter.example.com has the key 1, but sends it unencrypted",
        cure: "add \"https://drain:KEY@restarter.example.com/drain\" instead.",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.in_space().runtime_metrics()),
        line: "! shop: no log drain delivers to this service, unless its Private Space has one",
        cure: "`heroku drains:add \"https://drain:KEY@HOST/drain\" -a shop`",
    },
    Injected {
        changes: MEMORY_LIMIT,
        inject: |_, shop| drop(shop.fir()),
        line: "! shop: apps on Fir have no log drains that this service can read, so MEMORY_LIMIT has no effect",
        cure: "Set MEMORY_LIMIT to off",
    },
];
