//! Random schedules: one to three replicas are killed, stopped and started, the database is cut off and stalls, and the API
//! fails. Whatever happens: no alert that is in the database is lost, no process is restarted twice, and never is more than
//! one dyno down because of us.
//!
//! ```sh
//! SCHEDULES=1000 cargo test --release --test database schedules -- --nocapture    # more of them
//! SCHEDULE_SEED=4711 cargo test --test database schedules -- --nocapture          # replay one, as far as time allows
//! ```
//!
//! The replicas are processes of the tests, whose turns change hands ten times as fast as in earnest. With
//! `SCHEDULE_PROGRAM=1` they are the program itself at its own pace, and a schedule takes three minutes.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use fastrand::Rng;
use simulator::{App, Fault, Heroku, On};
use tokio::process::Child;

use crate::pooler::pooler;
use crate::postgres::Database;
use crate::process::Process;
use crate::proxy::{Proxy, Wire};
use crate::service::{environment, seconds, shop};

/// How many run at the same time. They mostly wait.
const AT_ONCE: usize = 4;
const MANY_AT_ONCE: usize = 16;
const MANY_PROGRAMS_AT_ONCE: usize = 60;

/// How much slower the program is than the processes of the tests.
const PROGRAM_PACE: u32 = 10;

/// In one of so many schedules, PgBouncer is between the replicas and the database, where it is installed.
const POOLED: u64 = 4;

/// How many steps a schedule has before everything is mended.
const STEPS: usize = 12;

/// A process begins up to two seconds after its restart was asked for, Heroku's clock is cut to the second, and the machine
/// may be busy. An alert of that time is about the process before.
const BEGINS_WITHIN: Duration = Duration::from_secs(4);

/// One schedule.
struct Schedule {
    random: Rng,
    heroku: Heroku,
    shop: App,
    database: Database,
    /// The URL by which replicas reach it, and the pooler in between, if there is one.
    url: String,
    _pooler: Option<Child>,
    environment: HashMap<String, String>,
    replicas: Vec<(Process, Proxy)>,
    /// How much longer all takes than with the processes of the tests.
    pace: u32,
    /// A database that is down is down for everybody, also for a process that starts meanwhile.
    is_down: bool,
    /// When the alerts were asked for that are in the database, by the clock of the API.
    kept: Vec<Duration>,
    /// When any alert was asked for, and when it was answered.
    sent: Vec<(Duration, Duration)>,
    began: Instant,
    told: String,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_schedule_of_kills_and_faults_loses_an_alert_or_restarts_a_process_twice() {
    _ = database!();
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("SCHEDULE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SCHEDULES").unwrap_or(4),
    };
    let pace = if number("SCHEDULE_PROGRAM").is_some() { PROGRAM_PACE } else { 1 };
    let at_once = match seeds.end - seeds.start {
        ..=100 => AT_ONCE,
        _ if pace == 1 => MANY_AT_ONCE,
        _ => MANY_PROGRAMS_AT_ONCE,
    };
    let mut running = tokio::task::JoinSet::new();
    for seed in seeds {
        if running.len() == at_once {
            running.join_next().await.expect("one runs").expect("a schedule keeps the promises");
        }
        running.spawn(async move { Schedule::new(seed, pace).await.run(seed).await });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("a schedule keeps the promises");
    }
}

impl Schedule {
    async fn new(seed: u64, pace: u32) -> Self {
        let mut random = Rng::with_seed(seed);
        let database = Database::create().await.expect("PostgreSQL is installed");
        let pooler = if seed % POOLED == 1 { pooler(&database).await } else { None };
        let (pooler, url) = pooler.map_or((None, database.url.clone()), |(pooler, url)| (Some(pooler), url));
        // The simulated clock starts a moment later.
        let began = Instant::now();
        let (heroku, shop) = shop(random.usize(2..=3)).await;
        let shop = shop.boot_time(Duration::from_millis(random.u64(0..1500)));
        let shop = if random.bool() { shop.restart_lag(Duration::from_millis(random.u64(0..2000))) } else { shop };
        let min_age = if random.bool() { "0s" } else { "5m" };
        let changes = [("DATABASE_URL", ""), ("MIN_AGE", min_age), ("GIVE_UP_AFTER", "100 in 1h")];
        let environment = environment(&heroku, &changes);
        let behind = if pooler.is_some() { ", behind PgBouncer" } else { "" };
        let told = format!("seed {seed}, MIN_AGE={min_age}{behind}\n");
        let (replicas, kept, sent, is_down) = (Vec::new(), Vec::new(), Vec::new(), false);
        Self {
            random,
            heroku,
            shop,
            database,
            url,
            _pooler: pooler,
            environment,
            replicas,
            pace,
            is_down,
            kept,
            sent,
            began,
            told,
        }
    }

    #[expect(clippy::print_stdout, reason = "it tells how far it is")]
    async fn run(mut self, seed: u64) {
        for _ in 0..self.random.usize(1..=3) {
            self.start().await;
        }
        for _ in 0..STEPS {
            self.step().await;
            let pause = Duration::from_millis(self.random.u64(0..1500));
            tokio::time::sleep(pause * self.pace).await;
        }
        self.heroku.behave();
        self.is_down = false;
        if self.replicas.is_empty() {
            self.start().await;
        }
        for (_, proxy) in &self.replicas {
            proxy.set(Wire::Cut);
            proxy.set(Wire::Passes);
        }
        self.until_done().await;
        // What was kept in memory only may still be written.
        tokio::time::sleep(seconds(3) * self.pace).await;
        self.until_done().await;
        while let Some((replica, _)) = self.replicas.pop() {
            let log = replica.terminate().await;
            self.tell(&log);
        }
        self.judge();
        println!(
            "schedule {seed}: {} alerts, {} restarts, {:?}",
            self.sent.len(),
            self.shop.restarts().len(),
            self.began.elapsed()
        );
    }

    async fn until_done(&self) {
        let waiting = "SELECT count(*) FROM dyno_restarter.requests WHERE done_at IS NULL";
        let limit = Instant::now() + seconds(120) * self.pace;
        while self.database.try_number(waiting).await.is_some_and(|waiting| waiting > 0) {
            let logs = || self.replicas.iter().map(|(replica, _)| replica.log()).collect::<Vec<_>>().join("\n---\n");
            assert!(Instant::now() < limit, "an alert waits for too long:\n{}\n{}", self.told, logs());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn start(&mut self) {
        let proxy = Proxy::to(&self.url).await;
        if self.is_down {
            proxy.set(Wire::Down);
        }
        let mut environment = self.environment.clone();
        environment.insert("DATABASE_URL".to_owned(), proxy.url(&self.url));
        let process =
            if self.pace == 1 { Process::quick(&environment).await } else { Process::of_program(&environment).await };
        self.tell(&format!("started {}", process.address));
        self.replicas.push((process, proxy));
    }

    async fn step(&mut self) {
        let some = self.random.usize(..self.replicas.len().max(1));
        match self.random.u8(..12) {
            0..=3 => self.alert(some).await,
            4 | 5 if some < self.replicas.len() => {
                let (process, _) = self.replicas.swap_remove(some);
                self.tell(&format!("SIGKILL {}", process.address));
                let log = process.kill().await;
                self.tell(&log);
            }
            6 if some < self.replicas.len() => {
                let (process, _) = self.replicas.swap_remove(some);
                self.tell(&format!("SIGTERM {}", process.address));
                let log = process.terminate().await;
                self.tell(&log);
            }
            7 | 8 if self.replicas.len() < 3 => self.start().await,
            9 if some < self.replicas.len() && !self.is_down => {
                let wire = [Wire::Cut, Wire::Stalls, Wire::Passes][self.random.usize(..3)];
                self.tell(&format!("{wire:?} {}", self.replicas[some].0.address));
                self.replicas[some].1.set(wire);
            }
            10 => {
                let wire = [Wire::Cut, Wire::Down, Wire::Stalls, Wire::Passes][self.random.usize(..4)];
                self.tell(&format!("{wire:?} all"));
                self.is_down = matches!(wire, Wire::Down);
                self.replicas.iter().for_each(|(_, proxy)| proxy.set(wire));
            }
            _ => {
                let (on, fault) = match self.random.u8(..5) {
                    0 => (On::Any, Fault::Status(503)),
                    1 => (On::Restart, Fault::Status(503)),
                    2 => (On::List, Fault::Reset),
                    3 => (On::Restart, Fault::LoseAnswer),
                    _ => (On::Any, Fault::Delay(Duration::from_millis(700))),
                };
                self.tell(&format!("API: {fault:?} on {on:?}"));
                self.heroku.misbehave(on, fault, self.random.usize(1..3));
            }
        }
    }

    async fn alert(&mut self, some: usize) {
        let Some((process, _)) = self.replicas.get(some) else { return };
        let asked = self.began.elapsed();
        let answer = process.alert().await;
        let told = format!("alert at {}: {answer:?}", process.address);
        self.tell(&told);
        self.sent.push((asked, self.began.elapsed()));
        if let Some((202, text)) = answer
            && !text.contains("in memory only")
        {
            self.kept.push(asked);
        }
    }

    fn judge(&self) {
        let restarts: Vec<(Duration, String)> = self
            .heroku
            .calls()
            .into_iter()
            .filter(|call| call.method == "DELETE" && call.status != Some(503))
            .map(|call| (call.at, call.path.rsplit('/').next().unwrap_or_default().to_owned()))
            .collect();
        let promises = |told: &str| {
            format!("{told}\nrestarts: {restarts:#?}\nkept: {:?}\nsent: {:?}\n{}", self.kept, self.sent, self.told)
        };
        let quantity = self.shop.names().iter().filter(|name| name.starts_with("web.")).count();
        for dyno in (1..=quantity).map(|number| format!("web.{number}")) {
            let times: Vec<_> = restarts.iter().filter(|(_, name)| *name == dyno).map(|(at, _)| *at).collect();
            for pair in times.windows(2) {
                // An alert arrives between the two times.
                let is_asked = self.sent.iter().any(|(asked, answered)| *answered > pair[0] && *asked < pair[1]);
                assert!(is_asked, "{}", promises(&format!("{dyno} was restarted twice for one alert")));
            }
            let is_young = self.environment["MIN_AGE"] == "5m";
            assert!(
                !is_young || times.len() <= 1,
                "{}",
                promises(&format!("{dyno} was restarted again although it is young"))
            );
            for asked in &self.kept {
                let is_done = times.iter().any(|at| *at + BEGINS_WITHIN >= *asked) || is_young && !times.is_empty();
                assert!(is_done, "{}", promises(&format!("the alert of {asked:?} is lost: {dyno} was not restarted")));
            }
        }
        let fewest = self.shop.fewest_up("web");
        assert!(fewest + 1 >= quantity, "{}", promises(&format!("only {fewest} of {quantity} dynos were up")));
    }

    fn tell(&mut self, what: &str) {
        let at = self.began.elapsed();
        writeln!(self.told, "{at:.3?} {what}").expect("a text takes everything");
    }
}
