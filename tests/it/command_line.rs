//! The command line of the real binary: what it prints where, and its exit codes.

use std::collections::HashMap;
use std::process::Output;

use tokio::process::Command;

use crate::service::{KEY, environment, shop};

/// The binary with these arguments, this environment and nothing else.
fn binary(arguments: &[&str], environment: &HashMap<String, String>) -> Command {
    let mut command = crate::binary::binary(environment.clone());
    command.args(arguments);
    command
}

pub(crate) async fn run(arguments: &[&str], environment: &HashMap<String, String>) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = binary(arguments, environment).output().await.expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it is text");
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test]
async fn version_prints_name_and_version_and_needs_no_environment() {
    let version = format!("dyno-restarter {}\n", env!("CARGO_PKG_VERSION"));
    for argument in ["--version", "-V"] {
        assert_eq!(run(&[argument], &HashMap::new()).await, (Some(0), version.clone(), String::new()));
    }
}

#[tokio::test]
async fn help_prints_every_variable_with_its_default_and_every_url() {
    for argument in ["--help", "-h", "help"] {
        let (code, told, complaint) = run(&[argument], &HashMap::new()).await;
        assert_eq!((code, complaint.as_str()), (Some(0), ""));
        for line in include_str!("../../.env.example").lines().filter(|line| line.contains('=')) {
            let (name, default) = line.trim_start_matches("# ").split_once('=').expect("it has a =");
            let default = match default {
                "" if line.starts_with("# ") => "optional".to_owned(),
                "" => "required".to_owned(),
                default => format!("default: {default}"),
            };
            assert!(told.contains(&format!("  {name} ({default})\n      ")) || name.contains(' '), "{name}:\n{told}");
        }
        for part in [
            "Restarts the running web dynos",
            "/restart_web_dynos",
            "/drain",
            "/health",
            "/ready",
            "/status",
            "/metrics",
            "RUST_LOG",
            "check",
            "health ",
        ] {
            assert!(told.contains(part), "{part}:\n{told}");
        }
    }
}

#[tokio::test]
async fn any_other_argument_is_refused_with_64_and_is_not_repeated() {
    let (heroku, _) = shop(1).await;
    let environment = environment(&heroku, &[("PORT", "127.0.0.1:0")]);
    for arguments in [
        &["my-password"][..],
        &["check", "my-password"],
        &["health", "my-password"],
        &["--version", "my-password"],
        &["--key=my-password"],
        &[""],
    ] {
        let (code, told, complaint) = run(arguments, &environment).await;
        assert_eq!((code, told.as_str()), (Some(64), ""), "{arguments:?}");
        assert!(complaint.contains("Usage: dyno-restarter ") && !complaint.contains("password"), "{complaint}");
    }
}

#[tokio::test]
async fn each_fault_in_the_environment_is_named_with_its_cure_and_the_exit_code_is_78() {
    let (heroku, _) = shop(1).await;
    for (variable, value, line, cure) in [
        ("RESTART_API_KEY", "", "RESTART_API_KEY is not set", "HRKU-"),
        ("RESTART_API_KEY", "two secret-words", "RESTART_API_KEY contains a character that no token", "HRKU-"),
        ("APP_NAME", "Secret_Shop", "APP_NAME is invalid: the name of an app consists of", "shop"),
        ("APP_NAME", "'secret'", "APP_NAME begins with a quotation mark", "shop"),
        ("RESTART_WEBHOOK_KEY", "secret", "RESTART_WEBHOOK_KEY is invalid: a key has at least 16", "openssl rand"),
        (
            "RESTART_WEBHOOK_KEY",
            "secretsecretsecret",
            "RESTART_WEBHOOK_KEY is invalid: a key must not repeat",
            "openssl",
        ),
        ("RESTART_WEBHOOK_KEY", "HRKU-secret-0123456789", "a key appears in URLs and so in logs", "openssl rand"),
        ("PORT", "99999", "PORT is not a port from 1 to 65535", "3000"),
        ("PORT", "0", "PORT is not a port from 1 to 65535", "3000"),
        ("PROCESS_TYPES", "run", "PROCESS_TYPES is invalid: run dynos are one-off dynos", "web,worker"),
        ("MIN_AGE", "25h", "MIN_AGE is longer than 24h", "5m"),
        ("MIN_AGE", "5", "MIN_AGE is not a duration with its unit", "5m"),
        ("BOOT_TIMEOUT", "1s", "BOOT_TIMEOUT is shorter than 5s", "2m"),
        ("MAX_UNAVAILABLE", "0", "MAX_UNAVAILABLE is not a whole number of at least 1", "1"),
        ("GIVE_UP_AFTER", "often", "GIVE_UP_AFTER is not a number of restarts", "3 in 1h"),
        ("ERRORS", "L10", "ERRORS is invalid: the code of an error is R or H", "R14,R15,H12"),
        ("TOLERANCE", "101 in 1h", "TOLERANCE has a count above 100", "3 in 2m"),
        ("MEMORY_LIMIT", "90", "MEMORY_LIMIT is neither off nor", "90% or 480MB"),
        ("HEROKU_API_URL", "http://secret.example.com", "HEROKU_API_URL would send the token unencrypted", "https://"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is neither text nor json", "json"),
        ("RUST_LOG", "a=b=c", "RUST_LOG is not a valid filter", "info,dyno_restarter=debug"),
    ] {
        let (code, told, complaint) = run(&["check"], &environment(&heroku, &[(variable, value)])).await;
        assert_eq!((code, complaint.as_str()), (Some(78), ""), "{variable}={value}:\n{told}");
        let mut lines = told.lines().skip_while(|told| !told.starts_with("✗ ") || !told.contains(line));
        assert!(lines.next().is_some(), "{line:?} is not in:\n{told}");
        let expected =
            lines.next().is_some_and(|below| below.starts_with("  Expected, for example: ") && below.contains(cure));
        assert!(expected && told.contains("Heroku was not called"), "{told}");
        assert!(!told.contains("secret") && heroku.calls().is_empty(), "{told}");
    }
}

#[tokio::test]
async fn without_ca_certificates_the_check_says_what_to_install() {
    let (heroku, _) = shop(2).await;
    let nowhere = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    let (code, told, _) = run(&["check"], &environment(&heroku, &nowhere)).await;
    assert!(code == Some(1) && told.contains("\n✗ CA certificates: "), "{told}");
    assert!(told.contains("\n  Install the package ca-certificates"), "{told}");
}

#[tokio::test]
async fn a_check_prints_its_results_without_a_secret_and_exits_with_their_code() {
    let (heroku, _) = shop(2).await;
    let trace = [("RUST_LOG", "trace")];
    let (code, told, complaint) = run(&["check"], &environment(&heroku, &trace)).await;
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{told}");
    assert!(told.contains("✓ shop: an alert now would restart web.1 and web.2\n"), "{told}");
    assert!(!told.contains(KEY) && !told.contains(simulator::Heroku::TOKEN), "{told}");
    heroku.revoke_token();
    let (code, told, _) = run(&["check"], &environment(&heroku, &trace)).await;
    assert!(code == Some(1) && told.contains("✗ RESTART_API_KEY: Heroku rejected the token"), "{told}");
}

#[tokio::test]
async fn a_reader_that_goes_away_changes_neither_the_exit_code_nor_causes_a_panic() {
    let (heroku, _) = shop(2).await;
    for (argument, expected) in [("check", 0), ("--help", 0), ("--version", 0)] {
        let mut child = binary(&[argument], &environment(&heroku, &[])).spawn().expect("it starts");
        drop(child.stdout.take());
        let Output { status, stderr, .. } = child.wait_with_output().await.expect("it ends");
        assert_eq!((status.code(), stderr.len()), (Some(expected), 0), "{}", String::from_utf8_lossy(&stderr));
    }
}
