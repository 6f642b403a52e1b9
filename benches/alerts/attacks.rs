//! How long alerts take beside an attack, and what the attack costs. What can be stated without figures is a test.

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::load::{self, Answer};
use crate::process::{KEY, Process};
use crate::{PATIENCE, PAUSE, Plan, STORM, megabytes, verdict};

/// How many alerts are measured beside each attack.
const ALERTS: usize = 200;

/// How long the slowest of them may take. The load generator runs on the same machine.
const GOAL: Duration = Duration::from_millis(100);

/// Connections that send these bytes and nothing more.
struct Crowd {
    name: &'static str,
    connections: usize,
    bytes: String,
}

/// Measures all attacks, or a part of them.
pub(crate) fn measure(&Plan { part, .. }: &Plan) {
    // As many as the system allows; the connections of a crowd are files of this process, too.
    rlimit::increase_nofile_limit(u64::MAX).ok();
    println!("\n{ALERTS} alerts on new connections, one after the other, beside an attack:\n");
    println!("{:44}{:>10}{:>10}{:>14}{:>14}", "", "median", "worst", "memory during", "after");
    let post = |query: &str| format!("POST /restart_web_dynos{query} HTTP/1.1\r\nHost: x\r\n");
    let slow_body = post(&format!("?key={KEY}")) + "Content-Length: 400000\r\n\r\n{";
    for (name, connections, bytes) in [
        ("nothing", 0, String::new()),
        ("10,000 idle connections", 10_000, String::new()),
        ("5,000 heads without an end", 5_000, post("")),
        ("2,000 heads of 60 KB without an end", 2_000, post("") + &format!("X-A: {}", "a".repeat(60_000))),
        ("2,000 slow bodies with a key", 2_000, slow_body),
    ] {
        Crowd { name, connections: connections / part, bytes }.measure();
    }
    measure_large_bodies(8_000_000 / part);
    measure_storm();
    measure_ampersands(1_000 / part);
}

impl Crowd {
    fn measure(&self) {
        let heroku = Process::heroku();
        let service = Process::service(&heroku.url(), "127.0.0.1:0");
        let address = service.address();
        let crowd: Vec<_> = (0..self.connections).filter_map(|_| self.connect(address)).collect();
        let latencies = latencies(address, ALERTS);
        let during = service.resident_memory();
        drop(crowd);
        std::thread::sleep(2 * PAUSE);
        print(self.name, latencies, [during, service.resident_memory()]);
    }

    /// The service may close it before it has sent everything.
    fn connect(&self, address: SocketAddr) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_write_timeout(Some(PAUSE)).ok()?;
        stream.write_all(self.bytes.as_bytes()).ok();
        Some(stream)
    }
}

/// Bodies of this size that are nothing but `{}`, each of which takes long to read.
fn measure_large_bodies(size: usize) {
    let heroku = Process::heroku();
    let service = Process::service(&heroku.url(), "127.0.0.1:0");
    let (address, body) = (service.address(), format!("[{}{{}}]", "{},".repeat(size / 3)));
    let head =
        format!("POST /restart_web_dynos?key={KEY} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    let request = head + &body;
    let sending =
        std::thread::spawn(move || (0..4).for_each(|_| assert!(exchange(address, request.as_bytes()).is_some())));
    let mut all = Vec::new();
    while !sending.is_finished() {
        all.extend(latencies(address, 10));
    }
    sending.join().expect("each body is answered");
    print("4 bodies of 8 MB of `{}`, one by one", all, [None, service.resident_memory()]);
}

/// As many alerts at once as connections.
#[tokio::main]
async fn measure_storm() {
    let heroku = Process::heroku();
    let service = Process::service(&heroku.url(), "127.0.0.1:0");
    let address = service.address();
    let begin = Instant::now();
    let mut alerts = JoinSet::new();
    for _ in 0..STORM {
        alerts.spawn(async move {
            let mut stream = load::connect(address).await;
            load::exchange(&mut stream, &load::alert(address, KEY), &mut Vec::new()).await
        });
    }
    let answers = alerts.join_all().await;
    let accepted = answers.iter().flatten().filter(|answer| answer.status == 202).count();
    let took = begin.elapsed();
    println!(
        "{STORM} alerts on {STORM} connections at once: {accepted} answered 202 in {took:.0?}  (goal: {})",
        verdict(Some(accepted == STORM))
    );
}

/// What a query of 60,000 `&` costs that comes without a key.
fn measure_ampersands(requests: usize) {
    let heroku = Process::heroku();
    let service = Process::service(&heroku.url(), "127.0.0.1:0");
    let request = format!("POST /restart_web_dynos?{} HTTP/1.1\r\nHost: x\r\n\r\n", "&".repeat(60_000));
    let (address, before) = (service.address(), service.cpu_time());
    for _ in 0..requests {
        exchange(address, request.as_bytes());
    }
    let cost = service
        .cpu_time()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before) / requests.try_into().unwrap_or(1));
    let told = cost.map_or_else(|| "not measured".to_owned(), |cost| format!("{cost:.0?}"));
    println!(
        "60,000 `&` without a key: {told} of CPU each  (goal: {})",
        verdict(cost.map(|cost| cost < Duration::from_millis(1)))
    );
}

fn latencies(address: SocketAddr, alerts: usize) -> Vec<Duration> {
    let alert = load::alert(address, KEY);
    let latency = |_| {
        let begin = Instant::now();
        exchange(address, &alert).filter(|answer| answer.status == 202).map_or(PATIENCE, |_| begin.elapsed())
    };
    (0..alerts).map(latency).collect()
}

/// One request on a connection of its own.
fn exchange(address: SocketAddr, request: &[u8]) -> Option<Answer> {
    load::exchange_blocking(TcpStream::connect(address).ok()?, request)
}

fn print(name: &str, mut latencies: Vec<Duration>, [during, after]: [Option<u64>; 2]) {
    latencies.sort_unstable();
    let (median, worst) = (latencies[latencies.len() / 2], latencies[latencies.len() - 1]);
    let (median, worst_told) = (format!("{median:.1?}"), format!("{worst:.1?}"));
    let (during, after) = (megabytes(during), megabytes(after));
    println!("{name:44}{median:>10}{worst_told:>10}{during:>14}{after:>14}  (goal: {})", verdict(Some(worst < GOAL)));
}
