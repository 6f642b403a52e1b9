//! The real binary: its exit codes, and how it copes with clients that send nothing.

use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::service::{KEY, environment, seconds, shop};

/// The binary with this environment and nothing else.
fn binary(environment: impl IntoIterator<Item = (String, String)>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dyno-restarter"));
    command.env_clear().envs(environment).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// A running binary on a free loopback port: its log, and its address.
async fn start(heroku: &simulator::Heroku) -> (Child, Lines<BufReader<ChildStdout>>, String) {
    let mut child =
        binary(environment(heroku, &[("PORT", "127.0.0.1:0"), ("RUST_LOG", "trace")])).spawn().expect("it starts");
    let mut log = BufReader::new(child.stdout.take().expect("it is piped")).lines();
    loop {
        let line = log.next_line().await.expect("it is text").expect("it says where it listens");
        if let Some((_, address)) = line.split_once("listening on ") {
            return (child, log, address.to_owned());
        }
    }
}

/// Sends SIGTERM and waits, with a limit: a binary that does not exit must not hang the test.
async fn terminate(child: &mut Child) -> ExitStatus {
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
