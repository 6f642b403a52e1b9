//! A model of the rules, apart from the code: it plays schedules of what may happen to an app and to the calls of the API,
//! and judges each step of the rollout.
//!
//! `MODEL_SCHEDULES` sets the number of random schedules, `MODEL_MORE_FAULTS` lets more go wrong in the exhaustive ones, and
//! `MODEL_SEED` replays one random schedule.

mod database;
mod promises;
mod replicas;
mod schedule;
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use replicas::Replication;
use schedule::{Chooser, Seen, Setting, play};

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// Takes each combination of choices in turn in which no more than `most_faults` differ from zero.
struct Exhaustive {
    choices: Vec<(usize, usize)>,
    at: usize,
    most_faults: usize,
}

impl Chooser for Exhaustive {
    fn choose(&mut self, options: usize) -> usize {
        if self.at == self.choices.len() {
            self.choices.push((0, options));
        }
        self.at += 1;
        self.choices[self.at - 1].0
    }
}

impl Exhaustive {
    /// Goes on to the next combination; false after the last.
    fn advance(&mut self) -> bool {
        self.choices.truncate(self.at);
        self.at = 0;
        while let Some((chosen, options)) = self.choices.pop() {
            let faults = self.choices.iter().filter(|(chosen, _)| *chosen > 0).count();
            if chosen + 1 < options && faults < self.most_faults {
                self.choices.push((chosen + 1, options));
                return true;
            }
        }
        false
    }
}

/// A seeded sequence (xorshift64), so that a schedule that fails can be replayed.
struct Random {
    state: u64,
    /// In how many of a hundred choices something goes wrong.
    faults: usize,
}

impl Random {
    fn roll(&mut self, sides: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 33).expect("31 bits") % sides
    }
}

impl Chooser for Random {
    fn choose(&mut self, options: usize) -> usize {
        if self.roll(100) < self.faults { self.roll(options) } else { 0 }
    }
}

/// Plays every schedule of a setting with up to so many faults; how many there are.
fn play_all(setting: Setting, most_faults: usize, play: impl Fn(Setting, &mut Exhaustive)) -> u64 {
    let mut exhaustive = Exhaustive { choices: Vec::new(), at: 0, most_faults };
    let mut schedules = 0;
    loop {
        schedules += 1;
        if catch_unwind(AssertUnwindSafe(|| play(setting, &mut exhaustive))).is_err() {
            let taken: Vec<_> = exhaustive.choices.iter().map(|(chosen, _)| chosen).collect();
            panic!("{setting:?} breaks a promise by these choices: {taken:?}");
        }
        if !exhaustive.advance() {
            return schedules;
        }
    }
}

/// Small worlds, and how many things go wrong in each schedule of one: all such schedules are played.
const SMALL_WORLDS: [(usize, usize, usize); 4] = [(1, 1, 3), (2, 1, 2), (3, 1, 2), (3, 2, 2)];

#[test]
fn every_schedule_of_a_small_world_keeps_the_promises() {
    let more_faults = usize::try_from(variable("MODEL_MORE_FAULTS", 0)).expect("small");
    for (dynos, max_unavailable, faults) in SMALL_WORLDS {
        let setting = Setting { dynos, max_unavailable, settle_time: 0, is_fir: false };
        let schedules = play_all(setting, faults + more_faults, |setting, choices| _ = play(setting, choices));
        tell(&format!("{setting:?}: {schedules} schedules with up to {} faults", faults + more_faults));
        assert!(schedules > 1_000, "only {schedules}");
    }
}

/// The same of replicas with one database: dynos, replicas, faults.
const SMALL_WORLDS_OF_REPLICAS: [(usize, usize, usize); 3] = [(1, 2, 2), (2, 2, 2), (2, 3, 2)];

#[test]
fn every_schedule_of_replicas_with_one_database_keeps_the_promises() {
    for (dynos, replicas, faults) in SMALL_WORLDS_OF_REPLICAS {
        let replication = Replication { replicas, first_starts: 0, is_away_at_times: false };
        let seen = play_replicas(dynos, replication, faults);
        assert!(seen.takeovers > 100, "{seen:?}");
    }
}

/// Replicas whose database is away at times: dynos, replicas, faults, and when the first process starts, which acts alone. One
/// that starts late does not have the turn when the database goes away.
const SMALL_WORLDS_AWAY: [(usize, usize, usize, i64); 2] = [(2, 2, 2, 0), (3, 2, 2, 30)];

#[test]
fn every_schedule_of_replicas_whose_database_is_away_at_times_keeps_the_promises() {
    let mut all = replicas::Seen::default();
    for (dynos, replicas, faults, first_starts) in SMALL_WORLDS_AWAY {
        let replication = Replication { replicas, first_starts, is_away_at_times: true };
        all.add(play_replicas(dynos, replication, faults));
    }
    assert!(all.takeovers > 100 && all.alone > 100, "{all:?}");
    // What nothing can prevent, and what nobody can know: the limits that are documented.
    assert!(all.late_wrong_process > 0 && all.late_too_many > 0 && all.beside_unknown > 0, "{all:?}");
}

/// Plays every schedule of replicas with one database.
fn play_replicas(dynos: usize, replication: Replication, faults: usize) -> replicas::Seen {
    let more_faults = usize::try_from(variable("MODEL_MORE_FAULTS", 0)).expect("small");
    let setting = Setting { dynos, max_unavailable: 1, settle_time: 0, is_fir: false };
    let seen = Cell::new(replicas::Seen::default());
    let schedules = play_all(setting, faults + more_faults, |setting, choices| {
        let mut all = seen.get();
        all.add(replicas::play(setting, replication, choices));
        seen.set(all);
    });
    tell(&format!("{replication:?}, {dynos} dynos: {schedules} schedules, {:?}", seen.get()));
    seen.get()
}

#[test]
fn random_schedules_of_larger_worlds_keep_the_promises() {
    let seed = variable("MODEL_SEED", 0);
    let last = variable("MODEL_SCHEDULES", 100_000);
    if seed > 0 {
        return tell(&format!("{:?}", play_random(seed)));
    }
    // One thread for each core of a small machine.
    let halves = std::thread::scope(|scope| {
        let half = |first: u64| scope.spawn(move || (first..=last).step_by(2).map(judge_random).sum::<u64>());
        [half(1), half(2)].map(|half| half.join().expect("a promise was broken; see above"))
    });
    tell(&format!("{last} random schedules with {} steps", halves.iter().sum::<u64>()));
    assert!(halves.iter().all(|steps| *steps > last), "{halves:?}");
}

/// Plays a random schedule; how many steps it had.
fn judge_random(seed: u64) -> u64 {
    let played = catch_unwind(|| play_random(seed));
    played.unwrap_or_else(|_| panic!("replay this schedule with MODEL_SEED={seed}")).steps
}

fn play_random(seed: u64) -> Seen {
    let mut random = Random { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), faults: 0 };
    random.faults = [5, 15, 30][random.roll(3)];
    let setting = Setting {
        dynos: 1 + random.roll(7),
        max_unavailable: 1 + random.roll(3),
        settle_time: [0, 0, 5][random.roll(3)],
        is_fir: random.roll(5) == 0,
    };
    play(setting, &mut random)
}

#[expect(clippy::print_stdout, reason = "how much was checked is worth knowing")]
fn tell(what: &str) {
    println!("{what}");
}
