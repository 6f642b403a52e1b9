//! The documents say what the service does: tables, links and commands in them are checked against it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use reqwest::{Method, StatusCode};

use crate::drains;
use crate::service::{KEY, Service, shop};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const README: &str = include_str!("../../README.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");
const SENDERS: &str = include_str!("../../docs/senders.md");

/// All documents: those at the top and those in `docs/`.
fn documents() -> Vec<PathBuf> {
    let files = [ROOT.into(), Path::new(ROOT).join("docs")].into_iter().flat_map(|folder: PathBuf| {
        fs::read_dir(folder).expect("it is a folder").map(|entry| entry.expect("it can be read").path())
    });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// The first cells of the table that follows this heading.
fn first_column<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let section =
        document.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with("## "));
    let rows = section.filter(|line| line.starts_with('|')).skip(2);
    rows.filter_map(|row| row.split(" | ").next()).map(|cell| cell.trim_start_matches("| ")).collect()
}

/// The text between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// How a link names a heading: in lower case, with `-` for spaces, and without signs.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|letter| letter.is_alphanumeric() || *letter == '-' || *letter == '_').collect()
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.contains(char::is_whitespace)) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { document.clone() } else { document.with_file_name("").join(file) };
            assert!(path.exists(), "{}: {target}", document.display());
            if !heading.is_empty() {
                let text = fs::read_to_string(&path).expect("text");
                let is_there = text.lines().any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(is_there, "{}: {target}", document.display());
            }
        }
    }
}

#[test]
fn every_line_of_the_log_in_the_docs_is_one_that_the_code_writes() {
    fn source(folder: &Path) -> String {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
        let text =
            |path: PathBuf| if path.is_dir() { source(&path) } else { fs::read_to_string(path).unwrap_or_default() };
        entries.map(text).collect()
    }
    // A text goes on in the next line behind a backslash.
    let source = source(&Path::new(ROOT).join("src"));
    let source: String = source.split("\\\n").map(str::trim_start).collect();
    let phrases: Vec<_> = first_column(OPERATIONS, "## The log").into_iter().flat_map(code).collect();
    assert!(phrases.len() > 20);
    for phrase in phrases {
        assert!(source.contains(phrase), "{phrase}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_docs_describe_every_answer() {
    let (heroku, _) = shop(1).await;
    let mut service = Service::start(&heroku).await;
    let mut answers = BTreeSet::from([StatusCode::NO_CONTENT]);
    drains::post(&service, drains::frame(0, "web.1", "State changed from starting to up")).await;
    let ask = async |service: &Service, method, query: String, body: &'static str| {
        service.request(method, &query).body(body).send().await.expect("answered").status()
    };
    let with_key = format!("key={KEY}");
    for (query, body) in [("", ""), ("&dry=1", ""), ("&dry_run=true", ""), ("", r#"{"status":"resolved"}"#)] {
        answers.insert(ask(&service, Method::POST, format!("{with_key}{query}"), body).await);
    }
    answers.insert(ask(&service, Method::POST, String::new(), "").await);
    answers.insert(ask(&service, Method::POST, "key=wrong".to_owned(), "").await);
    answers.insert(ask(&service, Method::PUT, with_key.clone(), "").await);
    let elsewhere = format!("http://{}/elsewhere", service.address);
    answers.insert(reqwest::get(elsewhere).await.expect("answered").status());
    service.terminate();
    service.until_stopping().await;
    answers.insert(ask(&service, Method::POST, with_key, "").await);
    let documented = first_column(OPERATIONS, "## Answers").into_iter().filter_map(|cell| cell.get(..3));
    let documented: BTreeSet<_> = documented.map(|status| status.parse().expect("a status")).collect();
    assert_eq!(answers, documented);
    service.ended().await.expect("it ends without an error");
}

#[tokio::test(start_paused = true)]
async fn every_parameter_in_the_docs_is_accepted_and_the_docs_name_all() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let rows = first_column(SENDERS, "## What to send");
    let parameters: Vec<_> =
        rows.into_iter().flat_map(code).filter(|text| text.contains('=') && !text.contains(' ')).collect();
    let parameters: Vec<_> = parameters.into_iter().filter(|text| !text.starts_with("https:")).collect();
    for parameter in &parameters {
        let (status, text) = service.ask(&format!("{parameter}&dry_run=true")).await;
        assert!(status == 200 || parameter.starts_with("dry_run"), "{parameter}: {status} {text}");
    }
    let names: BTreeSet<_> = parameters.iter().filter_map(|parameter| parameter.split('=').next()).collect();
    assert_eq!(names, BTreeSet::from(["app", "dry_run", "dyno", "force", "only_if", "scope"]));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_curl_commands_of_the_readme_work() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    let commands: Vec<_> = README.lines().filter(|line| line.starts_with("    curl ")).collect();
    assert_eq!(commands.len(), 2);
    let mut answers = Vec::new();
    for command in commands {
        let is_post = command.contains(" -X POST ");
        let quoted: Vec<_> = command.split('"').skip(1).step_by(2).map(|text| text.replace("$KEY", KEY)).collect();
        let (header, url) = (&quoted[0], quoted[1].replace("https://$SITE", &format!("http://{}", service.address)));
        let (name, value) = header.split_once(": ").expect("a header");
        let method = if is_post { Method::POST } else { Method::GET };
        let request = reqwest::Client::new().request(method, url).header(name, value);
        answers.push(request.send().await.expect("answered").text().await.expect("whole"));
    }
    assert!(answers[0].starts_with("Dry run over shop") && answers[1].starts_with("Restart triggered"), "{answers:?}");
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

/// Commands of other kinds need a test of their own.
#[test]
fn every_command_in_the_docs_is_tested_or_needs_a_heroku_account() {
    let needs_an_account =
        ["heroku ", "git push", "git clone", "git pull", "SITE=$(heroku", "KEY=$(heroku", "TOKEN=$(heroku"];
    let is_tested = ["curl ", "cargo run --example demo", "cargo test", "cargo bench", "MODEL_"];
    let first_words = ["heroku", "git", "curl", "cargo", "echo", "promtool", "SITE=", "KEY=", "TOKEN=", "MODEL_"];
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        let commands = text.lines().filter_map(|line| line.strip_prefix("    "));
        for command in commands.filter(|line| first_words.iter().any(|word| line.starts_with(word))) {
            let known = needs_an_account.iter().chain(&is_tested).chain(&["echo "]);
            assert!(known.into_iter().any(|begin| command.starts_with(begin)), "{}: {command}", document.display());
        }
    }
    assert!(README.contains("need a Heroku account") || README.contains("no Heroku account"));
}
