//! The processes that take part, each on a runtime of the same kind: the service, what it is compared with, and a
//! simulated Heroku. All but the service are this executable again, told by its environment which role to play.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::routing::{MethodRouter, post};
use http_body_util::BodyExt;
use simulator::Heroku;

/// The real binary.
pub(crate) const SERVICE: &str = env!("CARGO_BIN_EXE_dyno-restarter");

/// The key of the service.
pub(crate) const KEY: &str = "benchmark-key-0123456789abcdef";

/// The variable that names the role.
const ROLE: &str = "ALERTS_BENCH_ROLE";

/// How long a process may take to say what is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that is ended when this is dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
}

/// What the simulated Heroku was asked for.
pub(crate) struct Calls {
    pub(crate) lists: usize,
    pub(crate) restarts: usize,
}

/// Plays the role that the environment names; whether there is one.
pub(crate) fn play_a_role() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let answer = (StatusCode::ACCEPTED, "Restart triggered");
    match role.as_str() {
        "bare" => serve(post(async move || answer)),
        "bare, reading" => serve(post(async move |_: Bytes| answer)),
        "bare, discarding" => serve(post(async move |mut body: Body| {
            while let Some(Ok(_)) = body.frame().await {}
            StatusCode::NO_CONTENT
        })),
        "bare, parsing" => serve(post(async move |body: Bytes| {
            let (_, payload) = form_urlencoded::parse(&body).next().expect("there is a field");
            let payload: serde_json::Value = serde_json::from_str(&payload).expect("it is JSON");
            std::hint::black_box(payload);
            answer
        })),
        _ => simulate_heroku(),
    }
    true
}

#[tokio::main]
async fn serve(route: MethodRouter) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    println!("listening on {}", listener.local_addr().expect("it is bound"));
    let router = Router::new().route("/restart_web_dynos", route.clone()).route("/drain", route);
    tokio::select! {
        served = axum::serve(listener, router) => served.expect("it serves"),
        () = end_of_input() => {}
    }
}

#[tokio::main]
async fn simulate_heroku() {
    let heroku = Heroku::start().await;
    let _shop = heroku.create_app("shop").with("web", 4).with("worker", 1);
    println!("listening on {}", heroku.url().trim_start_matches("http://"));
    end_of_input().await;
    let calls = heroku.calls();
    let lists = calls.iter().filter(|call| call.method == "GET" && call.path.ends_with("/dynos")).count();
    let restarts = calls.iter().filter(|call| call.method == "DELETE").count();
    println!("calls {lists} {restarts}");
}

/// The process that started this one has finished with it, or has exited.
async fn end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    read.await.expect("reading does not panic").ok();
}

fn role(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("it has a path"));
    command.env(ROLE, name);
    command
}

impl Process {
    /// The service in front of a simulated Heroku, as it is deployed.
    pub(crate) fn service(heroku: &str, port: &str) -> Self {
        Self::start(&mut Self::service_command(heroku, port))
    }

    /// The same with a database.
    pub(crate) fn durable_service(heroku: &str, database: &str) -> Self {
        Self::start(Self::service_command(heroku, "127.0.0.1:0").env("DATABASE_URL", database))
    }

    pub(crate) fn service_command(heroku: &str, port: &str) -> Command {
        let environment = [
            ("RESTART_API_KEY", Heroku::TOKEN),
            ("APP_NAME", "shop"),
            ("RESTART_WEBHOOK_KEY", KEY),
            ("HEROKU_API_URL", heroku),
            ("PORT", port),
        ];
        let mut command = Command::new(SERVICE);
        command.env_clear().envs(environment);
        command
    }

    /// A bare axum route that answers a constant. It does not ask for the body, so the body is left unread.
    pub(crate) fn bare() -> Self {
        Self::in_role("bare")
    }

    /// The same for a route that reads the body.
    pub(crate) fn bare_reading() -> Self {
        Self::in_role("bare, reading")
    }

    /// The same for a route that builds a tree of the JSON in the body, and does not look at it.
    pub(crate) fn bare_parsing() -> Self {
        Self::start(&mut Self::bare_parsing_command())
    }

    pub(crate) fn bare_parsing_command() -> Command {
        role("bare, parsing")
    }

    /// A route that reads and discards the body and answers 204.
    pub(crate) fn bare_discarding() -> Self {
        Self::in_role("bare, discarding")
    }

    /// A simulated Heroku with an app `shop`.
    pub(crate) fn heroku() -> Self {
        Self::in_role("heroku")
    }

    fn in_role(name: &str) -> Self {
        Self::start(&mut role(name))
    }

    fn start(command: &mut Command) -> Self {
        Self::try_start(command).expect("there is such a program")
    }

    /// `None` if there is no such program.
    pub(crate) fn try_start(command: &mut Command) -> Option<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, lines) = channel();
        // Reads for as long as the process lives, so that it never waits for somebody to read.
        std::thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Some(Self { child, lines })
    }

    /// Ends it as Heroku does, and `take`s what it still has to say.
    pub(crate) fn terminate<T>(mut self, take: impl FnOnce(&mut Child) -> T) -> T {
        drop(self.child.stdin.take());
        let kill = format!("kill -TERM {}", self.child.id());
        Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        take(&mut self.child)
    }

    /// Where it listens; to be asked once.
    pub(crate) fn address(&self) -> SocketAddr {
        self.hear("listening on ").parse().expect("it is an address")
    }

    /// What it is reached at; to be asked once.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// What a simulated Heroku was asked for. It ends.
    pub(crate) fn calls(mut self) -> Calls {
        drop(self.child.stdin.take());
        let counts = self.hear("calls ");
        let (lists, restarts) = counts.split_once(' ').expect("there are two counts");
        let parse = |count: &str| count.parse().expect("it is a number");
        Calls { lists: parse(lists), restarts: parse(restarts) }
    }

    /// Whether it has not ended by itself.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// In bytes, where there is a `/proc`.
    pub(crate) fn resident_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// What all its threads together have used, where there is a `/proc`.
    pub(crate) fn cpu_time(&self) -> Option<Duration> {
        let mut nanoseconds = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()? {
            let statistics = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            nanoseconds += statistics.split(' ').next()?.parse::<u64>().ok()?;
        }
        Some(Duration::from_nanos(nanoseconds))
    }

    /// What follows `prefix` in the first line that has it.
    fn hear(&self, prefix: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("the process says what is waited for");
            if let Some((_, rest)) = line.split_once(prefix) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
