//! The race: the service and the bare routes under the same load, in turns.

use std::fmt;
use std::time::Duration;

use crate::load::{CONNECTIONS, Load, Outcome};
use crate::process::{KEY, Process};
use crate::verdict;

/// The share of a bare route's throughput that the service is to reach, the route doing as much with the body.
const GOAL: f64 = 0.8;

/// As long as [`KEY`], as it would be if somebody mistyped it.
const WRONG_KEY: &str = "benchmark-key-0123456789abcdeg";

/// All who take part.
pub(crate) struct Rivals<'a> {
    accepted: Rival<'a>,
    refused: Rival<'a>,
    bare: Rival<'a>,
    reading: Rival<'a>,
    parsing: Rival<'a>,
    races: usize,
}

/// A server and what is asked of it.
struct Rival<'a> {
    name: &'static str,
    server: &'a Process,
    load: Load,
    /// The first is the warm-up.
    rounds: Vec<Round>,
}

struct Round {
    outcome: Outcome,
    /// What the server used.
    cpu: Option<Duration>,
}

impl<'a> Rivals<'a> {
    pub(crate) fn new(service: &'a Process, [bare, reading, parsing]: &'a [Process; 3]) -> Self {
        let address = service.address();
        let rival = |name, server, load| Rival { name, server, load, rounds: Vec::new() };
        Self {
            accepted: rival("accepted alert, 202", service, Load::alerts(address, KEY, 202)),
            refused: rival("refused alert, 403", service, Load::alerts(address, WRONG_KEY, 403)),
            bare: rival("bare route", bare, Load::alerts(bare.address(), KEY, 202)),
            reading: rival("bare route, reads the body", reading, Load::alerts(reading.address(), KEY, 202)),
            parsing: rival("bare route, parses JSON", parsing, Load::alerts(parsing.address(), KEY, 202)),
            races: 0,
        }
    }

    /// A round of each. Who is first changes; the first race is the warm-up and does not count.
    pub(crate) fn race(&mut self, time: Duration) {
        let mut rivals = [&mut self.accepted, &mut self.refused, &mut self.bare, &mut self.reading, &mut self.parsing];
        rivals.rotate_left(self.races % 5);
        for rival in rivals {
            rival.run(time);
        }
        self.races += 1;
    }

    /// How many alerts were accepted, in the warm-up too.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.rounds.iter().map(|round| round.outcome.latencies.len()).sum()
    }
}

impl Rival<'_> {
    fn run(&mut self, time: Duration) {
        let before = self.server.cpu_time();
        let outcome = self.load.run(usize::MAX - CONNECTIONS, time);
        let cpu = self.server.cpu_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.rounds.push(Round { outcome, cpu });
    }

    fn measured(&self) -> &[Round] {
        self.rounds.get(1..).unwrap_or_default()
    }

    fn requests_per_second(&self) -> f64 {
        median(self.measured().iter().map(Round::requests_per_second))
    }

    /// Of the rounds that took turns.
    fn ratios(&self, to: &Self) -> Vec<f64> {
        let rounds = self.measured().iter().zip(to.measured());
        rounds.map(|(mine, other)| mine.requests_per_second() / other.requests_per_second()).collect()
    }

    /// The median of the ratios.
    fn ratio(&self, to: &Self) -> f64 {
        median(self.ratios(to))
    }

    /// The median, the lowest and the highest of the ratios.
    fn ratio_and_range(&self, to: &Self) -> String {
        let ratios = self.ratios(to);
        let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{:.2} ({lowest:.2}-{highest:.2})", median(ratios))
    }

    fn latencies(&self) -> Vec<Duration> {
        let mut latencies: Vec<_> =
            self.measured().iter().flat_map(|round| &round.outcome.latencies).copied().collect();
        latencies.sort_unstable();
        latencies
    }

    fn cpu_per_request(&self) -> String {
        let rounds: Option<Vec<f64>> = self.measured().iter().map(Round::cpu_per_request).collect();
        rounds.map_or_else(|| "not measured".to_owned(), |rounds| format!("{:.1} µs", median(rounds)))
    }

    /// What went wrong, if anything did.
    fn trouble(&self) -> Option<String> {
        let total = |part: fn(&Outcome) -> usize| self.rounds.iter().map(|round| part(&round.outcome)).sum::<usize>();
        let (wrong, unanswered) = (total(|outcome| outcome.wrong), total(|outcome| outcome.unanswered));
        let reconnects = total(|outcome| outcome.reconnects);
        let text =
            format!("{}: {wrong} wrong answers, {unanswered} requests unanswered, {reconnects} reconnects", self.name);
        (wrong + unanswered + reconnects > 0).then_some(text)
    }
}

impl Round {
    fn requests_per_second(&self) -> f64 {
        self.requests() / self.outcome.took.as_secs_f64()
    }

    /// In microseconds.
    fn cpu_per_request(&self) -> Option<f64> {
        self.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / self.requests())
    }

    fn requests(&self) -> f64 {
        u32::try_from(self.outcome.latencies.len()).map_or(f64::NAN, f64::from)
    }
}

impl fmt::Display for Rivals<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:26}{:>12}{:>11}{:>11}{:>14}{:>19}{:>19}",
            "", "requests/s", "p50", "p99", "CPU/request", "ratio to the", "ratio to the one"
        )?;
        writeln!(f, "{:74}{:>19}{:>19}", "", "bare route", "that parses")?;
        let rivals = [&self.accepted, &self.refused, &self.bare, &self.reading, &self.parsing];
        for rival in rivals {
            self.write_row(f, rival)?;
        }
        let (accepted, refused) = (self.accepted.ratio(&self.parsing), self.refused.ratio(&self.bare));
        let verdict = |ratio| verdict(Some(ratio >= GOAL));
        writeln!(
            f,
            "goal: at least {GOAL} of the bare route that parses: accepted {}; of the one that does not: refused {}",
            verdict(accepted),
            verdict(refused)
        )?;
        rivals.iter().filter_map(|rival| rival.trouble()).try_for_each(|trouble| writeln!(f, "{trouble}"))
    }
}

impl Rivals<'_> {
    fn write_row(&self, f: &mut fmt::Formatter<'_>, rival: &Rival<'_>) -> fmt::Result {
        let latencies = rival.latencies();
        writeln!(
            f,
            "{:26}{:>12.0}{:>11}{:>11}{:>14}{:>19}{:>19}",
            rival.name,
            rival.requests_per_second(),
            percentile(&latencies, 50),
            percentile(&latencies, 99),
            rival.cpu_per_request(),
            rival.ratio_and_range(&self.bare),
            rival.ratio_and_range(&self.parsing),
        )
    }
}

/// Of sorted latencies.
fn percentile(latencies: &[Duration], percent: usize) -> String {
    let at = latencies.len().saturating_sub(1) * percent / 100;
    latencies.get(at).map_or_else(|| "none".to_owned(), |latency| format!("{:.2} ms", latency.as_secs_f64() * 1e3))
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
