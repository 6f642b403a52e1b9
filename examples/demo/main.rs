//! A demo on one machine, without an account: the service restarts the dynos of an app that leaks memory on a simulated
//! Heroku. The leak is reported by an alert, as from a monitoring service, or by the log drain of the app.
//!
//! ```sh
//! cargo run --example demo             # an alert and the restarts that follow, in less than a minute
//! cargo run --example demo -- --drain  # the same without a monitoring service: the log drain reports the leak
//! cargo run --example demo -- --serve  # keeps running, so that you can try commands
//! ```

#![expect(clippy::print_stdout, reason = "the demo prints to the terminal")]

mod restarter;
mod screen;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use restarter::Restarter;
use screen::{Panel, Table, memory_or_state, print_log, print_message};
use simulator::{App, Heroku, RequestCounts};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

/// The web dynos that are up at the start.
const WEB_DYNOS_UP: [&str; 3] = ["web.1", "web.2", "web.3"];

const ALL_DYNOS: [&str; 5] = ["web.1", "web.2", "web.3", "web.4", "worker.1"];

/// The demo fails if it takes longer.
const TIME_LIMIT: Duration = Duration::from_secs(58);
const TIME_LIMIT_WITH_DRAIN: Duration = Duration::from_secs(110);

/// The time between two rows of the table.
const ROW_INTERVAL: Duration = Duration::from_secs(2);
const ROW_INTERVAL_WITH_SERVE: Duration = Duration::from_secs(10);

/// A short boot time, so that the demo is short. Rails apps often take 10 s to a minute.
const BOOT_TIME: Duration = Duration::from_secs(5);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => timeout(TIME_LIMIT, show_alert()).await,
        ["--drain"] => timeout(TIME_LIMIT_WITH_DRAIN, show_drain()).await,
        ["--serve"] => serve().await,
        _ => Ok(Err("usage: cargo run --example demo [-- --drain | --serve]".to_owned())),
    };
    match result.unwrap_or_else(|_| Err("timed out".to_owned())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Shows an alert and the restarts that follow. For comparison, all dynos of a second app are restarted at once.
async fn show_alert() -> Result<(), String> {
    let heroku = Heroku::start().await;
    let demo = Demo::start(&heroku, "5m");
    let twin = create_app(&heroku, "twin");
    println!("Two apps with the same leak and the same 20 requests a second. Each has three web dynos of 512M.");
    println!("dyno-restarter watches the first one. (Both apps also have a crashed web.4 and a worker.)");
    println!("*: the dyno is over its quota, so it swaps and is slow. Heroku checks every 20 s and logs R14.");
    println!("failed: no web dyno was up. (Heroku holds such a request for up to 75 s while dynos boot.)");
    println!("answer: how long the latest requests took, on average.");
    demo.print_page();
    let panels = vec![
        Panel::new("shop, with dyno-restarter", &demo.shop, &WEB_DYNOS_UP),
        Panel::new("twin, with heroku ps:restart", &twin, &WEB_DYNOS_UP),
    ];
    let before = tokio::select! {
        never = demo.print_rows(panels, ROW_INTERVAL) => never,
        before = demo.send_alert_and_wait(&heroku, &twin) => before,
    };
    let after = WEB_DYNOS_UP.map(|dyno| memory_or_state(&demo.shop, dyno));
    let RequestCounts { served, failed, .. } = demo.shop.request_counts();
    let twin_requests = twin.request_counts();
    println!("\n                            shop, with dyno-restarter    twin, with heroku ps:restart");
    for ((dyno, before), after) in WEB_DYNOS_UP.iter().zip(&before).zip(&after) {
        println!(
            "memory of {dyno}             {:<29}{before} -> {}",
            format!("{before} -> {after}"),
            memory_or_state(&twin, dyno)
        );
    }
    println!("web dynos up, at least      {:<29}{}", demo.shop.fewest_up("web"), twin.fewest_up("web"));
    println!("requests served             {served:<29}{}", twin_requests.served);
    println!("requests failed             {failed:<29}{}", twin_requests.failed);
    println!(
        "\nThe restarts freed memory in both apps. Failed requests: {failed} to shop, {} to twin.",
        twin_requests.failed
    );
    println!("Next: cargo run --example demo -- --serve");
    demo.check()?;
    let result = (failed, demo.shop.fewest_up("web"), twin.fewest_up("web"), twin_requests.failed > 0);
    if result == (0, 2, 0, true) { Ok(()) } else { Err(format!("unexpected result: {result:?}")) }
}

/// Shows a log drain that reports the leak without an alert.
async fn show_drain() -> Result<(), String> {
    let heroku = Heroku::start().await;
    let demo = Demo::start(&heroku, "5m");
    let drain = &demo.restarter.drain_url;
    demo.shop.drain_to(drain).await;
    println!("An app that leaks memory. A log drain reports the leak, without a monitoring service:");
    println!("  heroku drains:add {drain} -a shop");
    println!("*: the dyno is over its quota, so it swaps and is slow. Heroku checks every 20 s and logs R14.");
    println!("A dyno is restarted after its second R14 (TOLERANCE=2 in 2m).");
    demo.print_page();
    let r14s = || demo.shop.log().into_iter().filter(|line| line.contains("Error R14"));
    let print_r14s = async {
        for count in 0.. {
            heroku.until(|_| r14s().count() > count).await;
            demo.print_message(log_of_shop(&r14s().nth(count).unwrap_or_default()));
        }
    };
    tokio::select! {
        never = demo.print_rows(vec![Panel::new("shop", &demo.shop, &ALL_DYNOS)], ROW_INTERVAL) => never,
        () = print_r14s => {}
        () = demo.wait_for_restarts(&heroku) => {}
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
    // This leak is slower: the dynos reach their quota after a minute, and Heroku kills them about four minutes later.
    demo.shop.leak("web", 120.0);
    for dyno in WEB_DYNOS_UP {
        demo.shop.dyno(dyno).has_leaked_for(Duration::from_secs(60));
    }
    demo.print_page();
    demo.restarter.print_commands(&heroku);
    let panel = Panel::new("shop", &demo.shop, &ALL_DYNOS);
    demo.print_rows(vec![panel], ROW_INTERVAL_WITH_SERVE).await
}

/// Creates an app with a worker and four web dynos. One web dyno has crashed and crashes at each boot. The others leak
/// memory, and reach their quota after 12 to 18 s.
fn create_app(heroku: &Heroku, name: &str) -> App {
    let app = heroku.create_app(name).with("web", 4).with("worker", 1).boot_time(BOOT_TIME).runtime_metrics();
    app.dyno("web.4").crashes_on_boot().crash();
    app.reset_fewest_up();
    app.leak("web", 240.0);
    for (dyno, seconds) in WEB_DYNOS_UP.into_iter().zip([52, 49, 46]) {
        app.dyno(dyno).has_leaked_for(Duration::from_secs(seconds));
    }
    app.traffic(20.0);
    app
}

/// Returns the message that shows a line of the app's log, without the time of the line.
fn log_of_shop(line: &str) -> String {
    format!("log of shop: {}", line.split_once(' ').map_or(line, |(_, text)| text))
}

/// The app that leaks memory, and the service that watches it.
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
        println!("Page of dyno-restarter: {}\n", self.restarter.page);
    }

    /// Prints a row of the table after each interval. It never returns.
    async fn print_rows<T>(&self, panels: Vec<Panel>, row_interval: Duration) -> T {
        let mut table = Table::new(self.started, panels);
        table.print_head();
        let mut ticks = interval(row_interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            table.print_row();
        }
    }

    /// Waits for an R14 in the log, sends an alert about it as a monitoring service does, and restarts the other app as
    /// a person does. Waits until the dynos of both apps are up. Returns the memory of the dynos before the restarts.
    async fn send_alert_and_wait(&self, heroku: &Heroku, twin: &App) -> [String; 3] {
        let r14 = || self.shop.log().into_iter().find(|line| line.contains("Error R14"));
        heroku.until(|_| r14().is_some()).await;
        let line = r14().expect("the log has an R14");
        let before = WEB_DYNOS_UP.map(|dyno| memory_or_state(&self.shop, dyno));
        self.print_message(log_of_shop(&line));
        let response = self.restarter.send_alert(&line).await;
        self.print_message(format_args!("alert: POST /restart_web_dynos?key=... -> {response}"));
        restarter::restart_all_at_once(heroku, "twin").await;
        self.print_message("by hand: heroku ps:restart -a twin");
        heroku.until(|_| twin.up("web") == 3).await;
        self.wait_for_restarts(heroku).await;
        before
    }

    /// Waits until the three dynos were restarted and are up, and the service has logged its report.
    async fn wait_for_restarts(&self, heroku: &Heroku) {
        heroku.until(|_| self.shop.restarts().len() == 3 && self.shop.up("web") == 3).await;
        // The service lists the dynos once more before it logs its report.
        sleep(Duration::from_secs(4)).await;
    }

    /// Checks that the dynos were restarted in turn, and that two of them were up at every moment.
    fn check(&self) -> Result<(), String> {
        let (restarts, fewest_up) = (self.shop.restarts(), self.shop.fewest_up("web"));
        if restarts == WEB_DYNOS_UP && fewest_up == 2 {
            return Ok(());
        }
        Err(format!("unexpected result: restarted {restarts:?}, at least {fewest_up} up"))
    }

    fn print_message(&self, message: impl fmt::Display) {
        print_message(self.started, message);
    }
}
