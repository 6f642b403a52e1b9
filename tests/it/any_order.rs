//! Whatever comes in whatever order: never more dynos down because of us than allowed, and no end of it.

use std::time::Duration;

use simulator::{App, Fault, Heroku, On};

use crate::service::{Service, seconds, shop};

/// A seeded sequence (xorshift64), so that a run that fails can be repeated.
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

#[test]
fn in_any_order_of_alerts_faults_crashes_and_restarts_no_more_are_down_than_allowed() {
    for seed in 1..=150 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        runtime.expect("a runtime").block_on(play(seed));
    }
}

async fn play(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let dynos = dice.pick(&[2, 3, 4, 6]);
    let (heroku, shop) = shop(dynos).await;
    let shop = shop.boot_time(seconds(1 + dice.roll(40))).restart_lag(seconds(dice.roll(8)));
    let max_unavailable = dice.pick(&["1", "2", "3"]);
    let settle_time = dice.pick(&["0s", "7s", "30s"]);
    let changes = [("MAX_UNAVAILABLE", max_unavailable), ("SETTLE_TIME", settle_time)];
    let service = Service::with(&heroku, &changes).await;
    let mut down_because_of_others = 0;
    for _ in 0..5 + dice.roll(9) {
        down_because_of_others += happen(&mut dice, &heroku, &shop, &service).await;
        tokio::time::sleep(seconds(dice.pick(&[0, 1, 3, 10, 40, 200])) + Duration::from_millis(dice.roll(1000))).await;
    }
    heroku.behave();
    tokio::time::sleep(seconds(40 * 60)).await;
    let calls = heroku.calls().len();
    tokio::time::sleep(seconds(5 * 60)).await;
    assert_eq!(heroku.calls().len(), calls, "seed {seed}: it does not come to rest");
    let allowed: usize = max_unavailable.parse().expect("a number");
    let passes = service.log.lines("pass over ").join("\n");
    let fewest_up = shop.fewest_up("web");
    assert!(fewest_up + allowed + down_because_of_others >= dynos, "seed {seed}: {fewest_up} of {dynos} up:\n{passes}");
    service.stop().await;
}

/// One thing happens; how many dynos somebody else may have taken down by it.
async fn happen(dice: &mut Dice, heroku: &Heroku, shop: &App, service: &Service) -> usize {
    let web = shop.names().into_iter().filter(|name| name.starts_with("web")).collect::<Vec<_>>();
    let dyno = dice.pick(&web);
    match dice.roll(10) {
        0..=3 => {
            service.alert().await;
            return 0;
        }
        4 => _ = shop.dyno(&dyno).crashes_on_boot(),
        5 => _ = shop.dyno(&dyno).never_boots(),
        6 => heroku.misbehave(On::Restart, dice.pick(&[Fault::LoseAnswer, Fault::Reset, Fault::Stall]), 1),
        7 => heroku.misbehave(On::List, dice.pick(&[Fault::Status(503), Fault::Status(401), Fault::Html]), 2),
        8 => heroku.misbehave(On::Any, dice.pick(&[Fault::RetryAfter("45"), Fault::Status(500)]), 3),
        _ => {
            if dice.roll(2) == 0 {
                shop.dyno(&dyno).crash();
            } else {
                shop.dyno(&dyno).restart_from_outside();
            }
            return 1;
        }
    }
    0
}
