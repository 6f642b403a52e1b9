//! How fast the service takes alerts and what it needs for that, beside a bare axum route that answers a constant, and with
//! a database beside without one.
//!
//! ```sh
//! cargo bench                                   # about four minutes
//! cargo bench --bench alerts -- drain size      # only these parts; all are in PARTS below
//! cargo test --bench alerts                     # all in a few seconds: checks that it works, measures nothing
//! ```
//!
//! How to read what it prints:
//!
//! - All servers are processes of their own and get the same requests but for the key. The rounds take turns, each ratio
//!   is of two rounds of the same turn, and the median of the ratios counts. In brackets are the lowest and the highest:
//!   where they are far apart the machine was too busy for a verdict.
//! - The load generator needs the same CPUs. That makes all servers look more alike than they are; `CPU/request`, what
//!   the server alone used, does not have this flaw.
//! - The service reads and understands the body of an alert that it accepts, and leaves that of a refused one to hyper, as
//!   a route does that does not ask for it. So the goals are against the bare route that builds a tree of the same JSON,
//!   and against the one that leaves the body alone.
//! - 1 MB is a million bytes. What is read from `/proc` is "not measured" where there is none.

#![expect(clippy::print_stdout, reason = "it prints what it measured")]

mod attacks;
mod drain;
mod durable;
mod instructions;
mod load;
#[path = "../logplex/log.rs"]
mod log;
#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/database/postgres.rs"]
mod postgres;
mod process;
mod rivals;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use load::{CONNECTIONS, Load};
use process::{Calls, Process};
use rivals::{Race, Rival};

/// As long as the right one, as it would be if somebody mistyped it.
const WRONG_KEY: &str = "benchmark-key-0123456789abcdeg";

/// Alerts that come as fast as they can be sent.
const STORM: usize = 1_000;

/// Long enough for the service to have looked at its app once, and to have put its things in order after a load.
const PAUSE: Duration = Duration::from_secs(1);

/// Longer than any start takes, and any hundred thousand alerts.
const PATIENCE: Duration = Duration::from_secs(60);

/// By what part memory may grow over the second half of the alerts and still count as flat. It is not zero because the
/// allocator takes half a million alerts to settle: 7.7 MB after 100,000, 8.1 MB after 500,000, 8.2 MB after 1,500,000.
const FLAT: u64 = 10;

/// How much to measure.
struct Plan {
    rounds: usize,
    round: Duration,
    warm_up: Duration,
    /// Accepted alerts before memory is looked at; twice.
    alerts: usize,
    starts: usize,
    /// One of how many parts of an attack.
    part: usize,
    /// Requests of the two runs in which instructions are counted.
    counted: [usize; 2],
}

const BENCH: Plan = Plan {
    rounds: 9,
    round: Duration::from_secs(2),
    warm_up: Duration::from_secs(1),
    alerts: 100_000,
    starts: 20,
    part: 1,
    counted: [500, 2_500],
};

const SMOKE: Plan = Plan {
    rounds: 1,
    round: Duration::from_millis(100),
    warm_up: Duration::from_millis(50),
    alerts: 1_000,
    starts: 2,
    part: 50,
    counted: [64, 128],
};

/// Prints what it measured.
type Measurement = fn(&Plan);

/// What is measured, by the names that the command line may give.
const PARTS: [(&str, Measurement); 8] = [
    ("instructions", instructions::measure),
    ("throughput", throughput),
    ("database", durable::measure),
    ("drain", drain::measure),
    ("memory", memory),
    ("starts", starts),
    ("size", size),
    ("attacks", attacks::measure),
];

fn main() {
    if process::play_a_role() {
        return;
    }
    // `cargo bench` says so; `cargo test` does not.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let plan = if is_bench { BENCH } else { SMOKE };
    if !is_bench {
        println!("a short run to see that it works; its numbers mean nothing, `cargo bench` measures");
    }
    let is_asked_for = |part: &str| std::env::args().any(|argument| argument == part);
    let asks_for_all = !PARTS.iter().any(|(part, _)| is_asked_for(part));
    for (_, measure) in PARTS.iter().filter(|(part, _)| asks_for_all || is_asked_for(part)) {
        measure(&plan);
    }
}

fn throughput(plan: &Plan) {
    let cpus = std::thread::available_parallelism().map_or_else(|_| "?".to_owned(), |cpus| cpus.to_string());
    let Plan { rounds, round, .. } = plan;
    println!("\n{CONNECTIONS} keep-alive connections over loopback, {rounds} rounds of {round:?} each, {cpus} CPUs\n");
    let heroku = Process::heroku();
    let service = Process::service(&heroku.url(), "127.0.0.1:0");
    let (bare, reading, parsing) = (Process::bare(), Process::bare_reading(), Process::bare_parsing());
    let (address, alerts) = (service.address(), |server: &Process| Load::alerts(server.address(), process::KEY, 202));
    let mut race = Race {
        rivals: vec![
            Rival::new("accepted alert, 202", &service, Load::alerts(address, process::KEY, 202)),
            Rival::new("refused alert, 403", &service, Load::alerts(address, WRONG_KEY, 403)),
            Rival::new("bare route", &bare, alerts(&bare)),
            Rival::new("route that reads", &reading, alerts(&reading)),
            Rival::new("route that parses", &parsing, alerts(&parsing)),
        ],
        references: [2, 4],
        goals: vec![(0, 0.8, 4), (1, 0.8, 2)],
    };
    race.run(plan.rounds, plan.round, plan.warm_up);
    println!("{race}");
    print_calls(race.rivals[0].answered(), &heroku.calls());
}

fn memory(plan: &Plan) {
    let heroku = Process::heroku();
    let service = Process::service(&heroku.url(), "127.0.0.1:0");
    let load = Load::alerts(service.address(), process::KEY, 202);
    let mut accepted = 0;
    let mut memory_after = |alerts| {
        accepted += load.run(alerts, PATIENCE).latencies.len();
        std::thread::sleep(PAUSE);
        (accepted, service.resident_memory())
    };
    std::thread::sleep(PAUSE);
    let idle = service.resident_memory();
    let ((some, before), (more, after)) = (memory_after(plan.alerts), memory_after(plan.alerts));
    let is_small = idle.map(|idle| idle < 10_000_000);
    let is_flat = before.zip(after).map(|(before, after)| after < before + before / FLAT);
    println!("memory (VmRSS)      {} idle  (goal: under 10 MB: {})", megabytes(idle), verdict(is_small));
    println!("                    {} after {} accepted alerts", megabytes(before), grouped(some));
    println!("                    {} after {}  (goal: flat: {})", megabytes(after), grouped(more), verdict(is_flat));
    print_calls(more, &heroku.calls());
}

fn starts(plan: &Plan) {
    let heroku = Process::heroku();
    let url = heroku.url();
    let mut times: Vec<Duration> = (0..plan.starts).map(|_| time_to_first_202(&url)).collect();
    times.sort_unstable();
    let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
    println!(
        "start to first 202  median {:.1} ms, worst {:.1} ms of {} starts  (goal: median under 50 ms: {})",
        median.as_secs_f64() * 1e3,
        worst.as_secs_f64() * 1e3,
        times.len(),
        verdict(Some(median < Duration::from_millis(50))),
    );
}

fn size(_: &Plan) {
    let bytes = std::fs::metadata(process::SERVICE).expect("cargo has built it").len();
    let verdict = verdict(Some(bytes < 8_000_000));
    println!("size of the binary  {}  (goal: under 8 MB: {verdict})\n", megabytes(Some(bytes)));
}

/// From the start of the process; the port is known before.
fn time_to_first_202(heroku: &str) -> Duration {
    let address = free_address();
    let begin = Instant::now();
    let mut service = Process::service(heroku, &address.to_string());
    let stream = loop {
        match TcpStream::connect(address) {
            // Nobody listens yet and the system chose the port itself for this end: the stream ends where it begins.
            Ok(stream) if stream.local_addr().is_ok_and(|local| local == address) => {}
            Ok(stream) => break stream,
            Err(_) => std::thread::sleep(Duration::from_micros(200)),
        }
        assert!(begin.elapsed() < PATIENCE && service.is_running(), "the service did not open {address}");
    };
    let answer = load::exchange_blocking(stream, &load::alert(address, process::KEY)).expect("the service answers");
    assert_eq!(answer.status, 202);
    begin.elapsed()
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound")
}

fn print_calls(alerts: usize, Calls { lists, restarts }: &Calls) {
    println!("calls of Heroku     {lists} lists and {restarts} restarts for {} accepted alerts", grouped(alerts));
}

/// What is not known was not measured.
fn verdict(is_good: Option<bool>) -> &'static str {
    match is_good {
        Some(true) => "met",
        Some(false) => "NOT MET",
        None => "?",
    }
}

fn megabytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "not measured".to_owned(),
        |bytes| format!("{}.{:02} MB", bytes / 1_000_000, bytes % 1_000_000 / 10_000),
    )
}

/// `1,234,567`
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let group = |(at, digit): (usize, char)| {
        let comma = at > 0 && (digits.len() - at).is_multiple_of(3);
        [comma.then_some(','), Some(digit)].into_iter().flatten()
    };
    digits.chars().enumerate().flat_map(group).collect()
}
