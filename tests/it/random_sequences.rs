//! Random sequences of alerts, faults, crashes and restarts from outside: never are more dynos down because of us than
//! allowed, no dyno is restarted twice for the same trouble, and the service comes to rest.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use simulator::{App, Call, Fault, Heroku, On};

use crate::service::{Service, seconds, shop};

/// How many sequences are played.
const SEQUENCES: usize = 150;

/// The shortest time between two restarts of a dyno: `MIN_AGE`, less the seconds to which the platform cuts its times.
const MIN_AGE: Duration = Duration::from_secs(5 * 60 - 2);

/// A seeded sequence of numbers (xorshift64), so that a run that fails can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.roll(from.len() as u64)).expect("it is an index");
        from[at].clone()
    }
}

/// A world, and what happens in it.
#[derive(Debug)]
struct Sequence {
    dynos: usize,
    boot_time: Duration,
    restart_lag: Duration,
    max_unavailable: usize,
    settle_time: &'static str,
    /// How the answers to restarts are lost. One way for each sequence, so that a call without an answer tells whether the
    /// dyno was restarted.
    lost_answer: Fault,
    /// What happens, and the pause after each.
    steps: Vec<(Step, Duration)>,
}

#[derive(Clone, Debug)]
enum Step {
    Alert,
    CrashesOnBoot(String),
    NeverBoots(String),
    Fault(On, Fault, usize),
    Crash(String),
    RestartFromOutside(String),
}

impl Sequence {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let dynos = dice.pick(&[2, 3, 4, 6]);
        let lost_answer = dice.pick(&[Fault::LoseAnswer, Fault::Reset, Fault::Stall]);
        let mut sequence = Self {
            dynos,
            boot_time: seconds(1 + dice.roll(40)),
            restart_lag: seconds(dice.roll(8)),
            max_unavailable: dice.pick(&[1, 2, 3]),
            settle_time: dice.pick(&["0s", "7s", "30s"]),
            lost_answer,
            steps: Vec::new(),
        };
        for _ in 0..5 + dice.roll(9) {
            let step = sequence.step(&mut dice);
            let pause = seconds(dice.pick(&[0, 1, 3, 10, 40, 200])) + Duration::from_millis(dice.roll(1000));
            sequence.steps.push((step, pause));
        }
        sequence
    }

    fn step(&self, dice: &mut Dice) -> Step {
        let dyno = format!("web.{}", 1 + dice.roll(self.dynos as u64));
        match dice.roll(10) {
            0..=3 => Step::Alert,
            4 => Step::CrashesOnBoot(dyno),
            5 => Step::NeverBoots(dyno),
            6 => Step::Fault(On::Restart, self.lost_answer.clone(), 1),
            7 => Step::Fault(On::List, dice.pick(&[Fault::Status(503), Fault::Status(401), Fault::Html]), 2),
            8 => Step::Fault(On::Any, dice.pick(&[Fault::RetryAfter("45"), Fault::Status(500)]), 3),
            _ if dice.roll(2) == 0 => Step::Crash(dyno),
            _ => Step::RestartFromOutside(dyno),
        }
    }

    /// The fewest dynos that must be up at every moment, where somebody else may have taken one down at some steps. With
    /// zero no mistake would show.
    fn must_be_up(&self) -> usize {
        let is_by_others = |(step, _): &&(Step, _)| matches!(step, Step::Crash(_) | Step::RestartFromOutside(_));
        self.dynos.saturating_sub(self.max_unavailable + self.steps.iter().filter(is_by_others).count())
    }

    /// Whether this call restarted a dyno.
    fn restarted(&self, call: &Call) -> bool {
        call.method == "DELETE" && call.status.map_or(matches!(self.lost_answer, Fault::LoseAnswer), |it| it == 202)
    }

    /// A restart, and another one of the same dyno too soon after it.
    fn repeated_restart<'a>(&self, calls: &'a [Call]) -> Option<(&'a Call, &'a Call)> {
        let too_soon = |(at, first): (usize, &'a Call)| {
            let is_repeated = |later: &&Call| {
                later.method == "DELETE" && later.path == first.path && later.at.saturating_sub(first.at) < MIN_AGE
            };
            Some((first, calls[at + 1..].iter().find(is_repeated)?))
        };
        calls.iter().enumerate().filter(|(_, call)| self.restarted(call)).find_map(too_soon)
    }

    async fn play(&self) {
        let (heroku, shop) = shop(self.dynos).await;
        let shop = shop.boot_time(self.boot_time).restart_lag(self.restart_lag);
        let max_unavailable = self.max_unavailable.to_string();
        let changes = [("MAX_UNAVAILABLE", max_unavailable.as_str()), ("SETTLE_TIME", self.settle_time)];
        let service = Service::with(&heroku, &changes).await;
        for (step, pause) in &self.steps {
            step.happen(&heroku, &shop, &service).await;
            tokio::time::sleep(*pause).await;
        }
        heroku.behave();
        tokio::time::sleep(seconds(40 * 60)).await;
        let calls = heroku.calls();
        tokio::time::sleep(seconds(5 * 60)).await;
        // While the app is on hold, there is one look a minute, perhaps with a question about the formation.
        assert!(heroku.calls().len() <= calls.len() + 2 * 5, "it does not come to rest");
        let (up, must_be_up) = (shop.fewest_up("web"), self.must_be_up());
        assert!(up >= must_be_up, "only {up} were up where {must_be_up} must be: {:#?}", service.reports());
        assert_eq!(self.repeated_restart(&calls), None, "restarted twice within MIN_AGE: {:#?}", service.reports());
        service.stop().await;
    }
}

impl Step {
    async fn happen(&self, heroku: &Heroku, shop: &App, service: &Service) {
        match self {
            Self::Alert => service.alert().await,
            Self::CrashesOnBoot(dyno) => _ = shop.dyno(dyno).crashes_on_boot(),
            Self::NeverBoots(dyno) => _ = shop.dyno(dyno).never_boots(),
            Self::Fault(on, fault, times) => heroku.misbehave(*on, fault.clone(), *times),
            Self::Crash(dyno) => _ = shop.dyno(dyno).crash(),
            Self::RestartFromOutside(dyno) => shop.dyno(dyno).restart_from_outside(),
        }
    }
}

#[test]
fn in_random_sequences_too_many_dynos_are_never_down_and_none_is_restarted_twice() {
    let sequences = (1..).map(|seed| (seed, Sequence::new(seed)));
    for (seed, sequence) in sequences.filter(|(_, sequence)| sequence.must_be_up() > 0).take(SEQUENCES) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(sequence.play())));
        assert!(played.is_ok(), "seed {seed} fails, see above: {sequence:#?}");
    }
}
