//! A model of the rules, apart from the code: it plays schedules of what may happen to an app and to the calls of the API,
//! and judges each step of the rollout.
//!
//! `MODEL_SCHEDULES` sets the number of random schedules, `MODEL_FAULTS` how many things go wrong in an exhaustive one, and
//! `MODEL_SEED` replays one random schedule.

mod promises;
mod schedule;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

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
    faults: u64,
}

impl Random {
    fn roll(&mut self, sides: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 11) % sides
    }
}

impl Chooser for Random {
    fn choose(&mut self, options: usize) -> usize {
        if self.roll(100) >= self.faults {
            return 0;
        }
        usize::try_from(self.roll(options as u64)).expect("small")
    }
}

/// Plays every schedule of a setting with up to so many faults; how many there are.
fn play_all(setting: Setting, most_faults: usize) -> u64 {
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

#[test]
fn every_schedule_of_a_small_world_keeps_the_promises() {
    let most_faults = usize::try_from(variable("MODEL_FAULTS", 2)).expect("small");
    let mut schedules = 0;
    for (dynos, max_unavailable) in [(1, 1), (2, 1), (3, 1), (3, 2)] {
        schedules += play_all(Setting { dynos, max_unavailable, settle_time: 0, is_fir: false }, most_faults);
    }
    println!("{schedules} schedules with up to {most_faults} faults");
    assert!(schedules > 1_000, "only {schedules}");
}

#[test]
fn random_schedules_of_larger_worlds_keep_the_promises() {
    let first = variable("MODEL_SEED", 0);
    let seeds = if first == 0 { 1..=variable("MODEL_SCHEDULES", 100_000) } else { first..=first };
    let mut total = Seen::default();
    for seed in seeds {
        let seen = catch_unwind(|| play_random(seed));
        let Ok(Seen { steps, restarts }) = seen else { panic!("replay this schedule with MODEL_SEED={seed}") };
        total = Seen { steps: total.steps + steps, restarts: total.restarts + restarts };
    }
    println!("{total:?}");
    assert!(total.restarts > 0);
}

fn play_random(seed: u64) -> Seen {
    let mut random = Random { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), faults: 0 };
    random.faults = [5, 15, 30][usize::try_from(random.roll(3)).expect("small")];
    let setting = Setting {
        dynos: usize::try_from(1 + random.roll(7)).expect("small"),
        max_unavailable: usize::try_from(1 + random.roll(3)).expect("small"),
        settle_time: [0, 0, 5][usize::try_from(random.roll(3)).expect("small")],
        is_fir: random.roll(5) == 0,
    };
    play(setting, &mut random)
}
