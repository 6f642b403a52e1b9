//! The documents say what the service does: tables, links and commands in them are checked against it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::{Method, StatusCode};

use crate::drains;
use crate::service::{KEY, Service, seconds, shop};

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

/// The words of a command, as a shell reads them.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for letter in command.trim().chars() {
        match (letter, quote) {
            ('\'' | '"', None) => quote = Some(letter),
            (_, Some(open)) if letter == open => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(letter),
        }
    }
    words
}

/// The commands of a document that begin like this, each with the output that the document shows. The output is the block
/// after a paragraph that says what it prints.
fn commands<'a>(document: &'a str, begin: &str) -> Vec<(&'a str, String)> {
    let paragraphs: Vec<_> = document.split("\n\n").collect();
    let mut commands = Vec::new();
    for (at, paragraph) in paragraphs.iter().enumerate() {
        for line in paragraph.lines().filter_map(|line| line.strip_prefix("    ")) {
            let is_last = paragraph.ends_with(line);
            let output = match paragraphs.get(at + 1..at + 3) {
                Some([told, block]) if is_last && told.contains("prints") && told.ends_with(':') => {
                    block.replace("    ", "")
                }
                _ => String::new(),
            };
            if line.starts_with(begin) {
                commands.push((line, output));
            }
        }
    }
    commands
}

/// A command with its values: those that the README sets, and those that a reader of the recipes writes.
fn with_values(command: &str, service: &Service) -> String {
    let command =
        command.replace("$SITE", &service.address).replace("HOST", &service.address).replace("https://", "http://");
    command.replace("$KEY", KEY).replace("KEY", KEY)
}

/// What a command of curl does: a request. Returns the answer.
async fn run_curl(command: &str) -> (StatusCode, String) {
    let (mut method, mut request) =
        (Method::GET, reqwest::Request::new(Method::GET, "http://x".parse().expect("a URL")));
    let words = words(command);
    let mut words = words.iter().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("the option has a value");
        match word.as_str() {
            "-X" => method = value().parse().expect("a method"),
            "-H" => {
                let (name, value) = value().split_once(": ").expect("a header");
                let name: reqwest::header::HeaderName = name.parse().expect("a name");
                request.headers_mut().insert(name, value.parse().expect("a value"));
            }
            "-d" => {
                method = Method::POST;
                *request.body_mut() = Some(value().clone().into());
            }
            url => *request.url_mut() = url.parse().expect("a URL"),
        }
    }
    *request.method_mut() = method;
    let answer = reqwest::Client::new().execute(request).await.expect("answered");
    (answer.status(), answer.text().await.expect("whole"))
}

#[tokio::test(start_paused = true)]
async fn the_curl_commands_of_the_docs_print_what_the_docs_say() {
    let mut shown = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        for (command, output) in commands(&text, "curl ") {
            let (heroku, shop) = shop(2).await;
            shop.dyno("web.2").age(seconds(60));
            let service = Service::start(&heroku).await;
            let (status, answer) = run_curl(&with_values(command, &service)).await;
            assert!(status.is_success(), "{command}: {answer}");
            if !output.is_empty() {
                shown += 1;
                assert_eq!(answer.trim(), output, "{}: {command}", document.display());
            }
            service.stop().await;
        }
    }
    assert_eq!(shown, 3);
}

#[tokio::test(start_paused = true)]
async fn the_url_that_the_readme_prints_for_logentries_is_accepted_and_the_log_says_who_sent_it() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let printed =
        commands(README, "echo ").into_iter().find(|(line, _)| line.contains("logentries")).expect("it is there");
    let url = format!("{}&dry_run=true", words(&with_values(printed.0, &service))[1]);
    let request = reqwest::Client::new().post(url).header("user-agent", "Logentries/1.2");
    let request = request.body("payload=%7B%22event%22%3A%7B%22m%22%3A%22heroku%5Bweb.2%5D%3A+Error+R14%22%7D%7D");
    assert_eq!(request.send().await.expect("answered").status(), StatusCode::OK);
    let line = README.split('`').find(|text| text.contains(" is a dry run and asks for ")).expect("it is there");
    assert_eq!(service.log.count(line), 1, "{}", service.log.text());
    service.stop().await;
}

#[test]
fn the_readme_shows_lines_of_the_demo_as_it_was() {
    let block = README.split("\n\n").find(|block| block.contains("heroku ps:restart\n")).expect("it is there");
    let demo = include_str!("../../docs/demo.txt");
    for line in block.lines().map(|line| line.strip_prefix("    ").expect("indented")) {
        assert!(demo.lines().any(|shown| shown == line), "{line}");
    }
}

/// How the commands begin that only set or print what the other commands use.
const PLAIN: [&str; 4] = ["APP=shop ", "NEW=$(openssl ", "echo ", "sed "];

/// Runs them in a shell in which the values of earlier commands are set.
#[test]
fn the_plain_commands_of_the_docs_run_and_leave_no_value_out() {
    let set = "SITE=site.example KEY=the-key NEW=new-key RESTARTER=shop-restarter; openssl() { echo new-key; }";
    let mut printed = String::new();
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        for (command, _) in PLAIN.iter().flat_map(|begin| commands(&text, begin)) {
            let script = format!("set -eu; {set}\n{command}");
            let shell = Command::new("sh").args(["-c", &script]).current_dir(ROOT).output();
            let output = shell.expect("there is a shell");
            assert!(output.status.success(), "{}: {command}", document.display());
            printed += str::from_utf8(&output.stdout).expect("text");
        }
    }
    for filled in
        ["https://site.example/ password: the-key", "https://logentries:the-key@site.example/", "=papertrail:the-key"]
    {
        assert!(printed.contains(filled), "{filled}");
    }
    assert!(printed.contains("RESTART_WEBHOOK_KEY") && !printed.contains("//HOST/") && !printed.contains("=KEY"));
}

/// What a shell prints that runs this block of the README, with stand-ins for the programs. `heroku` and `git` print what they
/// are called with, and `heroku fails` fails.
fn run_block(begin: &str, fails: &str) -> String {
    let block = README.split("\n\n").find(|block| block.starts_with(&format!("    {begin}"))).expect("it is there");
    let stand_ins = format!(
        "openssl() {{ echo new-key; }}; git() {{ echo git $*; }}
         heroku() {{ [ $1 = authorizations:create ] && echo token || echo heroku $*; [ $1 != {fails} ]; }}"
    );
    let script = format!("APP=shop RESTARTER=shop-restarter\n{stand_ins}\n{block}");
    let output = Command::new("sh").args(["-c", &script]).output().expect("there is a shell");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn the_command_that_deploys_with_git_ends_at_the_first_fault() {
    let config = "heroku config:set -a shop-restarter APP_NAME=shop RESTART_WEBHOOK_KEY=new-key RESTART_API_KEY=token";
    let create = "heroku create shop-restarter --buildpack emk/rust --no-remote";
    let push = "git push https://git.heroku.com/shop-restarter.git HEAD:refs/heads/main";
    let all = [create, config, push, "heroku ps:type basic -a shop-restarter"];
    for (fails, ran) in [("nothing", 4), ("create", 1), ("config:set", 2)] {
        let printed = run_block("heroku create ", fails);
        assert_eq!(printed.lines().collect::<Vec<_>>(), all[..ran], "{fails}");
    }
}

/// Commands of other kinds need a test of their own.
#[test]
fn every_command_in_the_docs_is_tested_or_needs_a_heroku_account() {
    let needs_an_account =
        ["heroku ", "git push", "git clone", "git pull", "SITE=$(heroku", "KEY=$(heroku", "TOKEN=$(heroku"];
    let is_tested = ["curl ", "cargo run --example demo", "cargo test", "cargo bench", "MODEL_"];
    let first_words = [
        "heroku", "git", "curl", "cargo", "echo", "sed", "promtool", "APP=", "NEW=", "SITE=", "KEY=", "TOKEN=",
        "MODEL_",
    ];
    for document in documents() {
        let text = fs::read_to_string(&document).expect("text");
        let commands = text.lines().filter_map(|line| line.strip_prefix("    "));
        for command in commands.filter(|line| first_words.iter().any(|word| line.starts_with(word))) {
            let known = needs_an_account.iter().chain(&is_tested).chain(&PLAIN);
            assert!(known.into_iter().any(|begin| command.starts_with(begin)), "{}: {command}", document.display());
        }
    }
    assert!(README.contains("need a Heroku account") || README.contains("no Heroku account"));
}
