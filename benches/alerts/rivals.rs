//! A race: the service and bare routes under the same load, in turns.

use std::fmt;
use std::time::Duration;

use crate::load::{Load, Outcome};
use crate::process::Process;
use crate::verdict;

/// Some servers under the same load, in turns.
pub(crate) struct Race<'a> {
    pub(crate) rivals: Vec<Rival<'a>>,
    /// The rivals that the others are compared with: in the columns at the right.
    pub(crate) references: [usize; 2],
    /// Which one should reach which share of the throughput of which other one.
    pub(crate) goals: Vec<(usize, f64, usize)>,
}

/// A server and what is asked of it.
pub(crate) struct Rival<'a> {
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

impl Race<'_> {
    /// Rounds of each. Who is first changes; the first round is the warm-up and does not count.
    pub(crate) fn run(&mut self, rounds: usize, round: Duration, warm_up: Duration) {
        for number in 0..=rounds {
            let time = if number == 0 { warm_up } else { round };
            let many = self.rivals.len();
            for turn in 0..many {
                self.rivals[(number + turn) % many].run(time);
            }
        }
    }
}

impl<'a> Rival<'a> {
    pub(crate) fn new(name: &'static str, server: &'a Process, load: Load) -> Self {
        Self { name, server, load, rounds: Vec::new() }
    }

    /// How many requests were answered as they should be, in the warm-up too.
    pub(crate) fn answered(&self) -> usize {
        self.rounds.iter().map(|round| round.outcome.latencies.len()).sum()
    }

    fn run(&mut self, time: Duration) {
        let before = self.server.cpu_time();
        let outcome = self.load.run(usize::MAX / 2, time);
        let cpu = self.server.cpu_time().zip(before).map(|(after, before)| after.saturating_sub(before));
        self.rounds.push(Round { outcome, cpu });
    }

    fn measured(&self) -> &[Round] {
        self.rounds.get(1..).unwrap_or_default()
    }

    pub(crate) fn requests_per_second(&self) -> f64 {
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

    /// So many percent of the requests took no longer.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        percentile(&self.latencies(), percent)
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

impl fmt::Display for Race<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two] = self.references.map(|at| &self.rivals[at]);
        writeln!(
            f,
            "{:26}{:>12}{:>11}{:>11}{:>14}{:>24}{:>24}",
            "ratios at the right to", "requests/s", "p50", "p99", "CPU/request", one.name, two.name
        )?;
        for rival in &self.rivals {
            let latencies = rival.latencies();
            writeln!(
                f,
                "{:26}{:>12.0}{:>11}{:>11}{:>14}{:>24}{:>24}",
                rival.name,
                rival.requests_per_second(),
                milliseconds(percentile(&latencies, 50)),
                milliseconds(percentile(&latencies, 99)),
                rival.cpu_per_request(),
                rival.ratio_and_range(one),
                rival.ratio_and_range(two),
            )?;
        }
        for &(subject, share, reference) in &self.goals {
            let (subject, reference) = (&self.rivals[subject], &self.rivals[reference]);
            let verdict = verdict(Some(subject.ratio(reference) >= share));
            writeln!(f, "goal: {} at least {share} of {}: {verdict}", subject.name, reference.name)?;
        }
        self.rivals.iter().filter_map(Rival::trouble).try_for_each(|trouble| writeln!(f, "{trouble}"))
    }
}

/// Of sorted latencies.
fn percentile(latencies: &[Duration], percent: usize) -> Option<Duration> {
    latencies.get(latencies.len().saturating_sub(1) * percent / 100).copied()
}

fn milliseconds(latency: Option<Duration>) -> String {
    latency.map_or_else(|| "none".to_owned(), |latency| format!("{:.2} ms", latency.as_secs_f64() * 1e3))
}

fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
