//! The real binary: its exit codes, and how it copes with clients that send nothing.

use std::process::{ExitStatus, Stdio};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::service::{KEY, environment, seconds, shop};

/// The binary with this environment and nothing else.
pub(crate) fn binary(environment: impl IntoIterator<Item = (String, String)>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dyno-restarter"));
    command.env_clear().envs(environment).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A running binary on a free loopback port: its log, and its address.
pub(crate) async fn start(heroku: &simulator::Heroku) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    start_with(heroku, &[("PORT", "127.0.0.1:0"), ("RUST_LOG", "trace")]).await
}

/// The same with these variables. A JSON line has a quote and a brace behind the address.
pub(crate) async fn start_with(
    heroku: &simulator::Heroku,
    changes: &[(&str, &str)],
) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    listening(&mut binary(environment(heroku, changes))).await
}

/// The same with room for a few dozen connections.
async fn start_with_room_for_few_files(heroku: &simulator::Heroku) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let environment = environment(heroku, &[("PORT", "127.0.0.1:0"), ("RUST_LOG", "info")]);
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"ulimit -n 160; exec "$0""#, env!("CARGO_BIN_EXE_dyno-restarter")])
        .env_clear()
        .envs(environment);
    listening(&mut command).await
}

async fn listening(command: &mut Command) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    let mut log = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    loop {
        let line = log.next_line().await.expect("it is text").expect("it says where it listens");
        if let Some((_, address)) = line.split_once("listening on ") {
            return (child, log, address.trim_end_matches(r#""}"#).to_owned());
        }
    }
}

/// Sends SIGTERM and waits, with a limit: a binary that does not exit must not hang the test.
pub(crate) async fn terminate(child: &mut Child) -> ExitStatus {
    let kill = format!("kill -TERM {}", child.id().expect("it runs"));
    // The `kill` of the shell, because not every machine has a program of that name.
    Command::new("sh").args(["-c", &kill]).status().await.expect("there is a shell");
    tokio::time::timeout(seconds(40), child.wait()).await.expect("it ends in time").expect("it is ours")
}

#[tokio::test]
async fn a_wrong_environment_exits_with_78_and_names_every_fault() {
    let faults = [("APP_NAME", "!"), ("RESTART_WEBHOOK_KEY", "too-short-secret"), ("MIN_AGE", "soon")];
    let environment = faults.map(|(name, value)| (name.to_owned(), value.replace("too-short-secret", "secret")));
    let output = binary(environment).output().await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(78), 0));
    for variable in ["RESTART_API_KEY", "APP_NAME", "RESTART_WEBHOOK_KEY", "MIN_AGE"] {
        assert!(told.contains(variable) && !told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_exits_with_1_and_says_so() {
    let (heroku, _) = shop(1).await;
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = binary(environment(&heroku, &[("PORT", &address)])).output().await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && told.contains(&format!("cannot listen on {address}")), "{told}");
}

#[tokio::test]
async fn sigterm_exits_with_0_and_no_secret_is_in_the_log_at_any_level() {
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let (mut child, mut log, address) = start(&heroku).await;
    let answer = reqwest::get(format!("http://{address}/restart_web_dynos?key={KEY}")).await.expect("answered");
    assert_eq!(answer.status(), 202);
    let mut told = String::new();
    while !told.contains("pass over shop (1 alert") {
        told += &(log.next_line().await.expect("it is text").expect("it goes on") + "\n");
    }
    assert_eq!(terminate(&mut child).await.code(), Some(0));
    log.into_inner().read_to_string(&mut told).await.expect("it is text");
    assert!(told.contains("TRACE") && !told.contains(KEY) && !told.contains(simulator::Heroku::TOKEN), "{told}");
}

#[tokio::test]
async fn clients_that_send_half_a_request_do_not_keep_an_alert_out() {
    let (heroku, shop) = shop(1).await;
    let (mut child, _log, address) = start(&heroku).await;
    let mut silent = Vec::new();
    for _ in 0..600 {
        let stream = TcpStream::connect(&address).await.expect("connected");
        stream.try_write(b"POST /restart_web_dynos HTT").expect("sent");
        silent.push(stream);
    }
    let url = format!("http://{address}/restart_web_dynos?key={KEY}");
    let answer = tokio::time::timeout(seconds(10), reqwest::get(url)).await.expect("answered in time");
    assert_eq!(answer.expect("answered").status(), 202);
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert_eq!(terminate(&mut child).await.code(), Some(0));
}

#[tokio::test]
async fn with_room_for_few_files_neither_silent_clients_nor_slow_bodies_keep_an_alert_out() {
    let (heroku, shop) = shop(1).await;
    let shop = shop.boot_time(seconds(0));
    let (mut child, _log, address) = start_with_room_for_few_files(&heroku).await;
    let mut clients = Vec::new();
    for number in 0..600 {
        let mut stream = TcpStream::connect(&address).await.expect("connected");
        let slow_body =
            format!("POST /restart_web_dynos?key={KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n{{");
        let sent = if number % 2 == 0 { "POST /restart_web_dynos HTT" } else { &slow_body };
        stream.write_all(sent.as_bytes()).await.expect("sent");
        clients.push(stream);
    }
    let url = format!("http://{address}/restart_web_dynos?key={KEY}");
    let answer = tokio::time::timeout(seconds(8), reqwest::get(url)).await.expect("answered in time");
    assert_eq!(answer.expect("answered").status(), 202);
    heroku.until(|_| shop.restarts().len() == 1).await;
    assert_eq!(terminate(&mut child).await.code(), Some(0));
}

#[tokio::test]
async fn strangers_who_take_all_the_room_do_not_cut_off_an_alert_that_is_still_arriving() {
    let (heroku, shop) = shop(1).await;
    let (mut child, _log, address) = start_with_room_for_few_files(&heroku).await;
    let mut alert = TcpStream::connect(&address).await.expect("connected");
    let head = format!("POST /restart_web_dynos?key={KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: 21\r\n\r\n");
    alert.write_all((head + r#"{"status":"reso"#).as_bytes()).await.expect("sent");
    let mut strangers = Vec::new();
    for _ in 0..300 {
        strangers.push(TcpStream::connect(&address).await.expect("connected"));
    }
    // The last of them is accepted only when there was room for it.
    let mut last = TcpStream::connect(&address).await.expect("connected");
    last.write_all(b"GET /health HTTP/1.0\r\n\r\n").await.expect("sent");
    last.read_to_end(&mut Vec::new()).await.expect("answered");
    alert.write_all(br#"lved"}"#).await.expect("sent");
    let mut answer = [0; 12];
    alert.read_exact(&mut answer).await.expect("answered");
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert!(shop.restarts().is_empty());
    assert_eq!(terminate(&mut child).await.code(), Some(0));
}

/// Makes more log lines than wait to be written: one for each connection that sends no HTTP.
async fn fill_the_log(address: &str) {
    for _ in 0..7000 {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(b"no HTTP\r\n\r\n").await.expect("sent");
        stream.read_to_end(&mut Vec::new()).await.ok();
    }
}

#[tokio::test]
async fn a_log_that_nobody_reads_delays_neither_an_answer_nor_the_exit_and_the_lost_lines_are_counted() {
    let (heroku, _) = shop(1).await;
    let (mut child, mut log, address) = start(&heroku).await;
    fill_the_log(&address).await;
    let answer = reqwest::get(format!("http://{address}/restart_web_dynos?key={KEY}"));
    let answer = tokio::time::timeout(seconds(10), answer).await.expect("answered in time").expect("answered");
    assert_eq!(answer.status(), 202);
    let lost = async {
        while !log.next_line().await.expect("it is text").expect("it goes on").contains(" log lines were lost, because")
        {
        }
    };
    tokio::time::timeout(seconds(20), lost).await.expect("the lost lines are counted");
    fill_the_log(&address).await;
    assert_eq!(terminate(&mut child).await.code(), Some(0));
}

#[tokio::test]
async fn a_json_line_has_the_fields_of_the_event_and_of_its_request_at_the_top() {
    let (heroku, shop) = shop(1).await;
    let _ = shop.boot_time(seconds(0));
    let changes = [("PORT", "127.0.0.1:0"), ("LOG_FORMAT", "json"), ("RUST_LOG", "info")];
    let (mut child, mut log, address) = start_with(&heroku, &changes).await;
    let request = reqwest::Client::new().get(format!("http://{address}/restart_web_dynos?key={KEY}"));
    let answer = request.header("x-request-id", "id-of-the-request").send().await.expect("answered");
    assert_eq!(answer.status(), 202);
    let mut events = Vec::new();
    while events.len() < 2 {
        let line = log.next_line().await.expect("it is text").expect("it goes on");
        let line: serde_json::Value = serde_json::from_str(&line).expect("it is JSON");
        events.extend(Some(line).filter(|line| ["alert", "pass"].iter().any(|event| line["event"] == **event)));
    }
    let [alert, pass] = [&events[0], &events[1]];
    let told = json!([alert["app"], alert["outcome"], alert["key"], alert["request_id"], alert["level"]]);
    assert_eq!(told, json!(["shop", "accepted", "1", "id-of-the-request", "INFO"]));
    let told = json!([pass["app"], pass["outcome"], pass["restarted"], pass["failed"], pass["took_s"].is_u64()]);
    assert_eq!(told, json!(["shop", "done", "web.1", "", true]));
    assert_eq!(terminate(&mut child).await.code(), Some(0));
}

#[tokio::test]
async fn without_ca_certificates_the_exit_names_what_is_missing() {
    let (heroku, _) = shop(1).await;
    let mut environment = environment(&heroku, &[("PORT", "127.0.0.1:0")]);
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
        environment.insert(variable.to_owned(), "/nonexistent".to_owned());
    }
    let output = binary(environment).output().await.expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(1) && told.contains("No CA certificates were loaded"), "{told}");
    assert!(told.contains("SSL_CERT_FILE"), "{told}");
}
