//! How fast the log of a busy app is parsed, compared with a scan of the same bytes for newlines.
//!
//! ```sh
//! cargo bench --bench logplex    # a few seconds
//! cargo test --bench logplex     # a short run that only shows that the benchmark works
//! ```
//!
//! How to read the output:
//!
//! - The scan is `memchr_iter(b'\n', body).count()`, which compares 32 bytes at once and does nothing else: no code
//!   can
//!   look at every byte faster. The parser comes near only because it skips most bytes.
//! - All readers read the same bodies, three times in a round, and the fastest time of a round counts. The readers
//!   take
// !   turns, each ratio compares two times of the same round, and the result is the median of the ratios. In brackets
// are !   the lowest and the highest ratio: if they are far apart, the machine was too busy for a reliable result.
//! - `from memory` reads one body after the other, more than fits into the caches. `from cache` reads the same body
//!   again
//!   and again. A body that has just been received is somewhere in between.
//! - An event allocates the name of its dyno. Allocations are counted while all bodies are read once.
//! - 1 MB is a million bytes.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

mod log;

use std::hint::black_box;
use std::time::Instant;

use dyno_restarter::logplex::{self, Code, Interest};
use log::Log;
use memchr::memchr_iter;

/// The ratio to the speed of the scan that the parser should reach.
const GOAL: f64 = 0.5;

/// The fastest of these counts. A reading takes a few milliseconds, and an interruption can take as long.
const READINGS: usize = 3;

/// How much to measure.
struct Plan {
    rounds: usize,
    bytes: usize,
}

const BENCH: Plan = Plan { rounds: 31, bytes: 64_000_000 };

const SMOKE: Plan = Plan { rounds: 1, bytes: 2_000_000 };

fn main() {
    // `cargo bench` passes this argument; `cargo test` does not.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let plan = if is_bench { BENCH } else { SMOKE };
    if !is_bench {
        println!("a short run to check the benchmark; its numbers mean nothing, use `cargo bench` to measure");
    }
    let log = Log::make(plan.bytes);
    println!("\n{} bodies of {} lines together, {} rounds\n", log.bodies.len(), log.lines, plan.rounds);
    let bodies: Vec<&[u8]> = log.bodies.iter().map(Vec::as_slice).collect();
    allocations(&log, &bodies);
    println!("\n{:32}{:>8}{:>13}{:>9}  ratio to the scan (goal: at least {GOAL})", "", "MB/s", "lines/s", "ns/line");
    race("from memory", &bodies, plan.rounds);
    race("from cache", &vec![bodies[0]; bodies.len()], plan.rounds);
    println!();
}

/// Checks that all events are found, and that nothing else allocates.
fn allocations(log: &Log, bodies: &[&[u8]]) {
    let [_, errors, errors_and_memory] = Reader::all();
    for (reader, expected) in [(errors, log.errors), (errors_and_memory, log.errors + log.metrics)] {
        let mut events = 0;
        let allocations = allocation_counter::measure(|| events = reader.read(bodies)).count_total;
        assert_eq!(events, expected, "the wrong number of events was found");
        assert_eq!(allocations, events as u64, "something other than the events allocates");
        let (name, others) = (reader.name, log.lines - events);
        println!("{name:20}{allocations:>7} allocations for{events:>6} events, none for {others} other lines");
    }
}

/// One way to read the bodies.
struct Reader {
    name: &'static str,
    /// The events to look for; `None` counts newlines.
    interest: Option<Interest>,
}

impl Reader {
    /// The scan comes first.
    fn all() -> [Self; 3] {
        let codes: [&[u8]; 4] = [b"R14", b"R15", b"H12", b"H13"];
        let interest = |memory| Interest { errors: codes.into_iter().filter_map(Code::parse).collect(), memory };
        [
            Self { name: "scan for newlines", interest: None },
            Self { name: "errors", interest: Some(interest(false)) },
            Self { name: "errors and memory", interest: Some(interest(true)) },
        ]
    }

    /// Returns how many newlines or events there are.
    fn read(&self, bodies: &[&[u8]]) -> usize {
        let bodies = bodies.iter().map(|body| black_box(*body));
        match &self.interest {
            None => bodies.map(|body| memchr_iter(b'\n', body).count()).sum(),
            Some(interest) => bodies.map(|body| logplex::events(body, interest).map(black_box).count()).sum(),
        }
    }

    /// Measures the fastest of several readings, in seconds.
    fn time(&self, bodies: &[&[u8]]) -> f64 {
        let time = |_| {
            let begin = Instant::now();
            black_box(self.read(bodies));
            begin.elapsed().as_secs_f64()
        };
        (0..READINGS).map(time).fold(f64::INFINITY, f64::min)
    }
}

/// Measures all readers, in turns, each time beginning with another one. The first round is a warm-up.
fn race(title: &str, bodies: &[&[u8]], rounds: usize) {
    let readers = Reader::all();
    let mut times: [Vec<f64>; 3] = Default::default();
    for round in 0..=rounds {
        for turn in 0..readers.len() {
            let at = (round + turn) % readers.len();
            let time = readers[at].time(bodies);
            if round > 0 {
                times[at].push(time);
            }
        }
    }
    let bytes = number(bodies.iter().map(|body| body.len()).sum());
    let lines = number(bodies.iter().map(|body| logplex::frames(body).count()).sum());
    for (reader, mine) in readers.iter().zip(&times) {
        let ratios = sorted(times[0].iter().zip(mine).map(|(scan, mine)| scan / mine));
        let time = median(&sorted(mine.iter().copied()));
        let (ratio, lowest, highest) = (median(&ratios), ratios[0], ratios[ratios.len() - 1]);
        let verdict = match (&reader.interest, ratio >= GOAL) {
            (None, _) => "",
            (Some(_), true) => "met",
            (Some(_), false) => "NOT MET",
        };
        println!(
            "{title:12}{:20}{:>8.0}{:>13.0}{:>9.1}{ratio:>9.2} ({lowest:.2}-{highest:.2})  {verdict}",
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

fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
