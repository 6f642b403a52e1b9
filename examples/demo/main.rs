//! The whole thing on one machine, no account needed: a simulated Heroku with an app that leaks, the service in front of
//! it, and an alert as a monitoring service sends it, or the app's own log drain.
//!
//! ```sh
//! cargo run --example demo             # one alert, and what it leads to, in under a minute
//! cargo run --example demo -- --drain  # the same without a monitoring service: the log drain reports the leak
//! cargo run --example demo -- --serve  # keeps running and leaking, to try commands on
//! ```

#![expect(clippy::print_stdout, reason = "it prints what happens")]

mod restarter;
mod screen;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use restarter::Restarter;
use screen::{Panel, Screen, print_log, say, state_of};
use simulator::{App, Heroku, RequestCounts};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// The web dynos that are up at the start, and the others.
const SERVING: [&str; 3] = ["web.1", "web.2", "web.3"];
const PROCESSES: [&str; 5] = ["web.1", "web.2", "web.3", "web.4", "worker.1"];

/// The demo is over before this; if not, something is wrong.
const LONGEST: Duration = Duration::from_secs(58);
const LONGEST_WITH_DRAIN: Duration = Duration::from_secs(110);

/// From one row of the table to the next.
const ROWS: Duration = Duration::from_secs(2);
const ROWS_WITH_SERVE: Duration = Duration::from_secs(10);

/// A boot of 5 s is a short one: 10 s to a minute is common for Rails.
const BOOT_TIME: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => timeout(LONGEST, show_an_alert()).await,
        ["--drain"] => timeout(LONGEST_WITH_DRAIN, show_the_drain()).await,
        ["--serve"] => serve().await,
        _ => Ok(Err("usage: cargo run --example demo [-- --drain | --serve]".to_owned())),
    };
    match result.unwrap_or_else(|_| Err("it took too long".to_owned())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            println!("demo: {problem}");
            ExitCode::FAILURE
        }
    }
}

/// One alert, and what it leads to; beside it the same app, all of whose dynos are restarted at once.
async fn show_an_alert() -> Result<(), String> {
    let heroku = Heroku::start().await;
    let demo = Demo::start(&heroku, "5m");
    let twin = create_app(&heroku, "twin");
    println!("Two apps with the same leak and the same 20 requests a second. Each has three web dynos of 512M.");
    println!("dyno-restarter is in front of the first one. (Both have a crashed web.4 and a worker, too.)");
    println!("* over its quota, a dyno swaps and is slow. Heroku looks every 20 s, and reports R14.");
    println!("failed: no web dyno was up. (Heroku holds such a request for up to 75 s while dynos boot.)");
    demo.print_page();
    let panels = vec![
        Panel::new("shop, with dyno-restarter", &demo.shop, &SERVING),
        Panel::new("twin, with heroku ps:restart", &twin, &SERVING),
    ];
    let before = tokio::select! {
        never = demo.print_rows(panels, ROWS) => never,
        before = demo.send_an_alert_and_see_it_through(&heroku, &twin) => before,
    };
    let after = SERVING.map(|dyno| state_of(&demo.shop, dyno));
    let RequestCounts { served, failed, .. } = demo.shop.request_counts();
    let at_once = twin.request_counts();
    println!("\n                            shop, with dyno-restarter    twin, with heroku ps:restart");
    for ((dyno, before), after) in SERVING.iter().zip(&before).zip(&after) {
        println!(
            "memory of {dyno}             {:<29}{before} -> {}",
            format!("{before} -> {after}"),
            state_of(&twin, dyno)
        );
    }
    println!("web dynos up, at least      {:<29}{}", demo.shop.fewest_up("web"), twin.fewest_up("web"));
    println!("requests served             {served:<29}{}", at_once.served);
    println!("requests failed             {failed:<29}{}", at_once.failed);
    println!(
        "\nBoth have their memory back. Meanwhile shop failed {failed} requests, and twin failed {}.",
        at_once.failed
    );
    println!("Next: cargo run --example demo -- --serve");
    demo.check()?;
    let as_expected = (failed, demo.shop.fewest_up("web"), twin.fewest_up("web"), at_once.failed > 0);
    if as_expected == (0, 2, 0, true) { Ok(()) } else { Err(format!("it went otherwise: {as_expected:?}")) }
}

/// No alert: the app's log drain reports the leak.
async fn show_the_drain() -> Result<(), String> {
    let heroku = Heroku::start().await;
    let demo = Demo::start(&heroku, "5m");
    let drain = &demo.restarter.drain;
    demo.shop.drain_to(drain).await;
    println!("An app that leaks, with no monitoring service: its log goes to dyno-restarter, by a drain.");
    println!("  heroku drains:add {drain} -a shop");
    println!("* over its quota, a dyno swaps and is slow. Heroku looks every 20 s, and reports R14.");
    println!("The second report of a dyno is one too many (TOLERANCE=2 in 2m).");
    demo.print_page();
    let r14s = || demo.shop.log().into_iter().filter(|line| line.contains("Error R14"));
    let print_r14s = async {
        for count in 0.. {
            heroku.until(|_| r14s().count() > count).await;
            demo.say(log_of_shop(&r14s().nth(count).unwrap_or_default()));
        }
    };
    tokio::select! {
        never = demo.print_rows(vec![Panel::new("shop", &demo.shop, &PROCESSES)], ROWS) => never,
        () = print_r14s => {}
        () = demo.until_all_are_up_again(&heroku) => {}
    }
    let fewest_up = demo.shop.fewest_up("web");
    println!("\nThe three web dynos were restarted one after the other. At least {fewest_up} were up at every moment.");
    demo.check()
}

/// Keeps running until Ctrl-C.
async fn serve<T>() -> T {
    let heroku = Heroku::start().await;
    heroku.accept_any_token();
    let demo = Demo::start(&heroku, "30s");
    // Slower: the quota is reached after a minute, and Heroku kills the dynos after four more.
    demo.shop.leak("web", 120.0);
    for dyno in SERVING {
        demo.shop.dyno(dyno).has_leaked_for(Duration::from_secs(60));
    }
    demo.print_page();
    demo.restarter.print_commands(&heroku);
    let panel = Panel::new("shop", &demo.shop, &PROCESSES);
    demo.print_rows(vec![panel], ROWS_WITH_SERVE).await
}

/// Four web dynos, one of them crashed for good, and a worker. The web dynos leak, and reach their quota after 12 to 18 s.
fn create_app(heroku: &Heroku, name: &str) -> App {
    let app = heroku.create_app(name).with("web", 4).with("worker", 1).boot_time(BOOT_TIME).runtime_metrics();
    app.dyno("web.4").crashes_on_boot().crash();
    app.reset_fewest_up();
    app.leak("web", 240.0);
    for (dyno, seconds) in SERVING.into_iter().zip([52, 49, 46]) {
        app.dyno(dyno).has_leaked_for(Duration::from_secs(seconds));
    }
    app.traffic(20.0);
    app
}

fn log_of_shop(line: &str) -> String {
    // Without its date.
    format!("log of shop: {}", line.split_once(' ').map_or(line, |(_, text)| text))
}

/// The app that leaks, and the service in front of it.
struct Demo {
    started: Instant,
    shop: App,
    restarter: Restarter,
}

impl Demo {
    fn start(heroku: &Heroku, min_age: &'static str) -> Self {
        let started = Instant::now();
        print_log(started);
        Self { started, shop: create_app(heroku, "shop"), restarter: Restarter::start(heroku, min_age) }
    }

    fn print_page(&self) {
        println!("Its page, while this runs: {}\n", self.restarter.page);
    }

    /// Prints the table; never ends.
    async fn print_rows<T>(&self, panels: Vec<Panel>, pause: Duration) -> T {
        let mut screen = Screen::new(self.started, panels);
        screen.print_head();
        let mut ticks = interval(pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            screen.print_row();
        }
    }

    /// Plays a monitoring service, which sees the line in the log and calls the webhook, and a person, who restarts the other
    /// app by hand. Returns the memory of the dynos at this moment.
    async fn send_an_alert_and_see_it_through(&self, heroku: &Heroku, twin: &App) -> [String; 3] {
        let r14 = || self.shop.log().into_iter().find(|line| line.contains("Error R14"));
        heroku.until(|_| r14().is_some()).await;
        let line = r14().expect("it is there");
        let before = SERVING.map(|dyno| state_of(&self.shop, dyno));
        self.say(log_of_shop(&line));
        let answer = self.restarter.alert(&line).await;
        self.say(format_args!("alert: POST /restart_web_dynos?key=... -> {answer}"));
        restarter::restart_all_at_once(heroku, "twin").await;
        self.say("by hand: heroku ps:restart -a twin");
        heroku.until(|_| twin.up("web") == 3).await;
        self.until_all_are_up_again(heroku).await;
        before
    }

    /// All dynos that were up are up again, and the service has looked once more and written its report.
    async fn until_all_are_up_again(&self, heroku: &Heroku) {
        heroku.until(|_| self.shop.restarts().len() == 3 && self.shop.up("web") == 3).await;
        sleep(Duration::from_secs(4)).await;
    }

    /// Whether it went as it should.
    fn check(&self) -> Result<(), String> {
        let (restarts, fewest_up) = (self.shop.restarts(), self.shop.fewest_up("web"));
        if restarts == SERVING && fewest_up == 2 {
            return Ok(());
        }
        Err(format!("it went otherwise: restarted {restarts:?}, at least {fewest_up} up"))
    }

    fn say(&self, what: impl fmt::Display) {
        say(self.started, what);
    }
}
