//! Measures how fast the log of a busy app is parsed, compared with a scan of the same bytes for newlines.
//!
//! ```sh
//! cargo bench --bench logplex    # a few seconds
//! cargo test --bench logplex     # a short run that only shows that the benchmark works
//! ```
//!
//! How to read the output:
//!
//! - The scan is `memchr_iter(b'\n', body).count()`. It compares 32 bytes at once, and no code can look at every byte
//!   faster. The parser reaches a similar speed only because it skips most bytes.
//! - All readers read the same bodies three times in each round, and the fastest time counts. The readers take turns.
//!   Each ratio compares two times of the same round. The result is the median of the ratios, with the lowest and the
//!   highest ratio in brackets. If these are far apart, the machine was too busy for a reliable result.
//! - `from memory` reads all bodies in turn, which are larger than the caches. `from cache` reads the same body again
//!   and again. The speed for a body that was just received should be in between.
//! - Each event allocates the name of its dyno. Allocations are counted while all bodies are read once.
//! - 1 MB is a million bytes.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod log;

use std::hint::black_box;
use std::time::Instant;

use dyno_restarter::logplex::{self, Code, Interest};
use log::Log;
use memchr::memchr_iter;

/// The speed that the parser should reach, compared with the scan.
const GOAL: f64 = 0.5;

/// How many times the bodies are read in a round. The fastest reading counts, because a reading takes only a few
/// milliseconds, and an interruption may take as long.
const READINGS: usize = 3;

/// The length of a run.
struct RunLength {
    rounds: usize,
    bytes: usize,
}

const FULL_RUN: RunLength = RunLength { rounds: 31, bytes: 64_000_000 };

const SHORT_RUN: RunLength = RunLength { rounds: 1, bytes: 2_000_000 };

fn main() {
    // `cargo bench` passes this argument; `cargo test` does not.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let run = if is_bench { FULL_RUN } else { SHORT_RUN };
    if !is_bench {
        println!("a short run that only shows that the benchmark works; use `cargo bench` to measure");
    }
    let log = Log::generate(run.bytes);
    println!("\n{} bodies with {} lines in total, {} rounds\n", log.bodies.len(), log.lines, run.rounds);
    let bodies: Vec<&[u8]> = log.bodies.iter().map(Vec::as_slice).collect();
    check_allocations(&log, &bodies);
    println!("\n{:32}{:>8}{:>13}{:>9}  ratio to the scan (goal: at least {GOAL})", "", "MB/s", "lines/s", "ns/line");
    compare_readers("from memory", &bodies, run.rounds);
    compare_readers("from cache", &vec![bodies[0]; bodies.len()], run.rounds);
    println!();
}

/// Checks that all events are found, and that there is one allocation for each event and no other.
fn check_allocations(log: &Log, bodies: &[&[u8]]) {
    let [_, errors, errors_and_memory] = Reader::all();
    for (reader, expected) in [(errors, log.errors), (errors_and_memory, log.errors + log.metrics)] {
        let mut events = 0;
        let allocations = allocation_counter::measure(|| events = reader.read(bodies)).count_total;
        assert_eq!(events, expected, "the wrong number of events was found");
        assert_eq!(allocations, events as u64, "expected one allocation for each event");
        let (name, others) = (reader.name, log.lines - events);
        println!("{name:20}{allocations:>7} allocations for{events:>6} events, none for {others} other lines");
    }
}

/// A way to read the bodies.
struct Reader {
    name: &'static str,
    /// The events to look for; `None` counts newlines.
    interest: Option<Interest>,
}

impl Reader {
    /// Returns the scan, and then the readers to compare with it.
    fn all() -> [Self; 3] {
        let codes: [&[u8]; 4] = [b"R14", b"R15", b"H12", b"H13"];
        let interest = |memory| Interest { errors: codes.into_iter().filter_map(Code::parse).collect(), memory };
        [
            Self { name: "scan for newlines", interest: None },
            Self { name: "errors", interest: Some(interest(false)) },
            Self { name: "errors and memory", interest: Some(interest(true)) },
        ]
    }

    /// Returns the number of newlines or events.
    fn read(&self, bodies: &[&[u8]]) -> usize {
        let bodies = bodies.iter().map(|body| black_box(*body));
        match &self.interest {
            None => bodies.map(|body| memchr_iter(b'\n', body).count()).sum(),
            Some(interest) => bodies.map(|body| logplex::events(body, interest).map(black_box).count()).sum(),
        }
    }

    /// Returns the time of the fastest of several readings, in seconds.
    fn time(&self, bodies: &[&[u8]]) -> f64 {
        let time = |_| {
            let start = Instant::now();
            black_box(self.read(bodies));
            start.elapsed().as_secs_f64()
        };
        (0..READINGS).map(time).fold(f64::INFINITY, f64::min)
    }
}

/// Measures all readers in turn, and prints the results. Each round begins with another reader. The first round is a
/// warm-up, which does not count.
fn compare_readers(title: &str, bodies: &[&[u8]], rounds: usize) {
    let readers = Reader::all();
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..=rounds {
        for turn in 0..readers.len() {
            let index = (round + turn) % readers.len();
            let time = readers[index].time(bodies);
            if round > 0 {
                times[index].push(time);
            }
        }
    }
    let bytes = to_f64(bodies.iter().map(|body| body.len()).sum());
    let lines = to_f64(bodies.iter().map(|body| logplex::frames(body).count()).sum());
    for (reader, reader_times) in readers.iter().zip(&times) {
        let ratios = sorted(times[0].iter().zip(reader_times).map(|(scan_time, time)| scan_time / time));
        let time = median(&sorted(reader_times.iter().copied()));
        let (ratio, lowest, highest) = (median(&ratios), ratios[0], ratios[ratios.len() - 1]);
        let result = match (&reader.interest, ratio >= GOAL) {
            (None, _) => "",
            (Some(_), true) => "met",
            (Some(_), false) => "NOT MET",
        };
        println!(
            "{title:12}{:20}{:>8.0}{:>13.0}{:>9.1}{ratio:>9.2} ({lowest:.2}-{highest:.2})  {result}",
            reader.name,
            bytes / time / 1e6,
            lines / time,
            time / lines * 1e9,
        );
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted[sorted.len() / 2]
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
