//! The variables of the environment: which values are accepted, and what is said of the others.

use crate::service::{config, environment, shop};

#[tokio::test(start_paused = true)]
async fn every_error_in_the_environment_is_reported_at_once_and_no_value_is_shown() {
    let (heroku, _) = shop(1).await;
    let faults = [
        ("RESTART_API_KEY", "two words-of-secret"),
        ("APP_NAME", "shop,Not_An_App"),
        ("RESTART_WEBHOOK_KEY", "short-secret"),
        ("PORT", "99999"),
        ("PROCESS_TYPES", "web,run"),
        ("MIN_AGE", "5"),
        ("BOOT_TIMEOUT", "0s"),
        ("SETTLE_TIME", "-3s"),
        ("MAX_UNAVAILABLE", "0"),
        ("GIVE_UP_AFTER", "3 times"),
        ("ERRORS", "R14;H12"),
        ("TOLERANCE", "often"),
        ("MEMORY_LIMIT", "half of it"),
        ("DATABASE_URL", "postgres://user:password@host/name?secret=1"),
        ("NOTIFY_URL", "hooks.example.com/secret-path"),
        ("HEROKU_API_URL", "http://api.heroku.com"),
        ("LOG_FORMAT", "xml"),
        ("RUST_LOG", "a=b=c"),
    ];
    let told = config(&environment(&heroku, &faults)).expect_err("all is wrong").to_string();
    for (variable, value) in faults {
        assert!(told.contains(&format!("\n  {variable} ")), "{variable} is not in:\n{told}");
        assert!(!told.contains(value) || value.len() < 4, "{value} is in:\n{told}");
    }
    assert_eq!(told.lines().count(), 1 + faults.len(), "{told}");
}

#[tokio::test(start_paused = true)]
async fn invalid_values_are_rejected() {
    let (heroku, _) = shop(1).await;
    for (variable, value) in [
        ("APP_NAME", "shop,shop"),
        ("APP_NAME", "shop-"),
        ("APP_NAME", "'shop'"),
        ("PROCESS_TYPES", "web,release"),
        ("PROCESS_TYPES", "Scheduler"),
        ("MIN_AGE", "24h1s"),
        ("BOOT_TIMEOUT", "721h"),
        ("BOOT_TIMEOUT", "1s"),
        ("GIVE_UP_AFTER", "0 in 1h"),
        ("GIVE_UP_AFTER", "3 in 1s"),
        ("ERRORS", "L10"),
        ("ERRORS", "R14,r15"),
        ("TOLERANCE", "3 in 0s"),
        ("TOLERANCE", "101 in 1h"),
        ("MEMORY_LIMIT", "0%"),
        ("MEMORY_LIMIT", "90"),
        ("MEMORY_LIMIT", "1GB"),
        ("DATABASE_URL", "mysql://user:password@host/name"),
        ("DATABASE_URL", "postgres://host/name"),
        ("DATABASE_URL", "postgres://user@host/name?sslmode=verify-ca"),
        ("NOTIFY_URL", "ftp://hooks.example.com/x"),
        ("NOTIFY_URL", "https://"),
        ("HEROKU_API_URL", "api.heroku.com"),
        ("HEROKU_API_URL", "https://user@api.heroku.com"),
        ("HEROKU_API_URL", "https://:secret@api.heroku.com"),
        ("HEROKU_API_URL", "https://api.heroku.com/?x"),
        ("RESTART_WEBHOOK_KEY", "a-good-key-0123456789,,"),
        ("RESTART_WEBHOOK_KEY", "aaaaaaaaaaaaaaaaaaaaaaaa"),
        ("RESTART_WEBHOOK_KEY", "restart-restart-restart-"),
        ("RESTART_WEBHOOK_KEY", "a:a-good-key-0123456789,b:a-good-key-0123456789"),
        ("RESTART_WEBHOOK_KEY", "a:a-good-key-0123456789,a:another-key-0123456789"),
    ] {
        let told = config(&environment(&heroku, &[(variable, value)])).map(|_| ()).expect_err(value).to_string();
        assert!(told.contains(&format!("\n  {variable} ")) && told.lines().count() == 2, "{value}: {told}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_heroku_token_is_rejected_as_a_webhook_key() {
    let (heroku, _) = shop(1).await;
    for (token, key) in [("any-token-0123456789", "any-token-0123456789"), ("another", "HRKU-0123456789-0123456789")] {
        let told = config(&environment(&heroku, &[("RESTART_API_KEY", token), ("RESTART_WEBHOOK_KEY", key)]));
        let told = told.expect_err("the key is a token").to_string();
        assert!(
            told.contains("RESTART_WEBHOOK_KEY is invalid: a key appears in URLs") && !told.contains(key),
            "{told}"
        );
    }
}

#[test]
fn three_variables_are_required() {
    let told = config(&std::collections::HashMap::new()).expect_err("nothing is set").to_string();
    for variable in ["RESTART_API_KEY", "APP_NAME", "RESTART_WEBHOOK_KEY"] {
        assert!(told.contains(&format!("\n  {variable} is not set. Expected, for example: ")), "{told}");
    }
    assert_eq!(told.lines().count(), 4, "{told}");
}

#[tokio::test(start_paused = true)]
async fn valid_values_are_accepted() {
    let (heroku, _) = shop(1).await;
    for right in [
        ("RESTART_WEBHOOK_KEY", "one-key-of-16-chars , another-key-of-16-chars"),
        ("PORT", "127.0.0.1:3000"),
        ("PROCESS_TYPES", "web, my-worker_2"),
        ("MIN_AGE", "0s"),
        ("MIN_AGE", "90s"),
        ("MIN_AGE", "24h"),
        ("BOOT_TIMEOUT", "1h"),
        ("GIVE_UP_AFTER", "10 in 24h"),
        ("ERRORS", "R14, H12"),
        ("TOLERANCE", "1 in 1s"),
        ("MEMORY_LIMIT", "90%"),
        ("MEMORY_LIMIT", "480 MB"),
        ("MEMORY_LIMIT", "off"),
        ("DATABASE_URL", "postgres://user:password@host:5432/name"),
        ("DATABASE_URL", "postgresql://user:p%40ss@host/name?sslmode=verify-full"),
        ("DATABASE_URL", ""),
        ("NOTIFY_URL", "https://hooks.example.com/services/T0/B0/secret"),
        ("NOTIFY_URL", "http://chat.internal:8065/hooks/secret"),
        ("NOTIFY_URL", ""),
        ("HEROKU_API_URL", "https://proxy.example.com/heroku/"),
        ("LOG_FORMAT", "json"),
        ("PORT", " "),
    ] {
        let config = config(&environment(&heroku, &[right]));
        assert!(config.is_ok(), "{right:?}: {}", config.expect_err("it is wrong"));
    }
}

#[test]
fn the_docs_and_the_example_list_the_variables_in_the_same_order_and_words() {
    let cells =
        |row: &'static str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect();
    let docs =
        include_str!("../../docs/operations.md").lines().skip_while(|line| !line.starts_with("| variable | default |"));
    let table: Vec<Vec<String>> = docs.skip(2).take_while(|line| line.starts_with('|')).map(cells).collect();
    let example: Vec<&str> = include_str!("../../.env.example").lines().filter(|line| !line.is_empty()).collect();
    assert_eq!((table.len(), example.len()), (17, 34));
    for (row, lines) in table.iter().zip(example.chunks(2)) {
        let name = lines[1].trim_start_matches("# ").split('=').next();
        assert_eq!((Some(row[0].as_str()), format!("# {}", row[2])), (name, lines[0].to_owned()));
    }
}
