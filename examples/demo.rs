//! The whole thing on one machine, no account needed: a simulated Heroku with an app that leaks, the service in front of
//! it, and an alert as a monitoring service sends it, or the app's own log drain.
//!
//! ```sh
//! cargo run --example demo             # shows one alert and what it leads to, in under a minute
//! cargo run --example demo -- --drain  # shows a leak that the log drain reports, in a minute and a half
//! cargo run --example demo -- --serve  # keeps running, to play with
//! ```

#![expect(clippy::print_stdout, reason = "it is a show")]

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use dyno_restarter::config::Config;
use dyno_restarter::telemetry::text_fields;
use dyno_restarter::{Listen, bind, shutdown};
use simulator::{App, Heroku};
use tokio::net::TcpListener;
use tokio::time::Instant;

const KEY: &str = "demo-key-0123456789";

const PROCESSES: [&str; 5] = ["web.1", "web.2", "web.3", "web.4", "worker.1"];

/// The shows are over long before this; if not, something is wrong.
const LONGEST_SHOW: Duration = Duration::from_secs(58);
const LONGEST_SHOW_OF_THE_DRAIN: Duration = Duration::from_secs(110);

/// With `--serve`, where the service and the simulated Heroku listen.
const SERVICE_PORT: u16 = 3000;
const HEROKU_PORT: u16 = 5001;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => show().await,
        ["--drain"] => show_the_drain().await,
        ["--serve"] => serve().await,
        _ => {
            println!("usage: cargo run --example demo [-- --drain | --serve]");
            ExitCode::FAILURE
        }
    }
}

/// One alert and what it leads to.
async fn show() -> ExitCode {
    let heroku = Heroku::start().await;
    let stage = Stage::set(&heroku, 0, "5m").expect("the machine has a free port");
    // So fast that they are over their quota when Heroku looks for the first time.
    stage.shop.leak("web", 900.0);
    tokio::select! {
        code = stage.show(&heroku) => code,
        () = tokio::time::sleep(LONGEST_SHOW) => stage.fail("the show took too long"),
    }
}

/// No alert: the app's log drain reports the leak.
async fn show_the_drain() -> ExitCode {
    let heroku = Heroku::start().await;
    let stage = Stage::set(&heroku, 0, "5m").expect("the machine has a free port");
    // Over the quota after half a minute, and killed by Heroku after a minute and a half.
    stage.shop.leak("web", 500.0);
    stage.shop.clone().runtime_metrics().traffic(5.0);
    stage.shop.drain_to(&stage.drain).await;
    tokio::select! {
        code = stage.show_the_drain(&heroku) => code,
        () = tokio::time::sleep(LONGEST_SHOW_OF_THE_DRAIN) => stage.fail("the show took too long"),
    }
}

/// Keeps running until Ctrl-C.
async fn serve() -> ExitCode {
    let Ok(heroku) = Heroku::start_on(HEROKU_PORT).await else { return taken(HEROKU_PORT) };
    heroku.accept_any_token();
    let Some(stage) = Stage::set(&heroku, SERVICE_PORT, "30s") else { return taken(SERVICE_PORT) };
    stage.play(&heroku).await
}

fn taken(port: u16) -> ExitCode {
    println!("demo: port {port} of this machine is taken; stop what listens there and try again");
    ExitCode::FAILURE
}

/// Four web dynos, one of them crashed, and a worker.
fn create_shop(heroku: &Heroku) -> App {
    let shop = heroku.create_app("shop").with("web", 4).with("worker", 1).boot_time(Duration::from_secs(4));
    shop.dyno("web.4").crash();
    shop.watch();
    shop
}

/// The service as it runs on Heroku, but for its variables.
async fn run_service(heroku: Heroku, listener: TcpListener, min_age: &str) {
    let environment = HashMap::from([
        ("RESTART_API_KEY", Heroku::TOKEN.to_owned()),
        ("APP_NAME", "shop".to_owned()),
        ("RESTART_WEBHOOK_KEY", KEY.to_owned()),
        ("HEROKU_API_URL", heroku.url()),
        ("MIN_AGE", min_age.to_owned()),
        // One less than usual, for an audience that waits, and as many restarts as it likes.
        ("TOLERANCE", "2 in 2m".to_owned()),
        ("GIVE_UP_AFTER", "1000 in 1h".to_owned()),
    ]);
    let config =
        Config::from_lookup(|name| environment.get(name).map(OsString::from)).expect("the environment is right");
    let signal = shutdown::signal().expect("signals can be listened for");
    let end = async {
        signal.await;
    };
    dyno_restarter::run(config, listener, end).await.expect("the service does not fail");
    std::process::exit(0);
}

/// What the audience sees.
struct Stage {
    shop: App,
    /// Where alerts go.
    url: String,
    /// Where the log goes, with the key.
    drain: String,
    curtain: Instant,
}

impl Stage {
    /// Starts the service on `port`; `None` when that is taken.
    fn set(heroku: &Heroku, port: u16, min_age: &'static str) -> Option<Self> {
        let listener = bind(Listen::At(([127, 0, 0, 1], port).into())).ok()?;
        let address = listener.local_addr().expect("it is bound");
        let (url, drain) =
            (format!("http://{address}/restart_web_dynos"), format!("http://drain:{KEY}@{address}/drain"));
        let stage = Self { shop: create_shop(heroku), url, drain, curtain: Instant::now() };
        log_to_the_show(stage.curtain);
        tokio::spawn(run_service(heroku.clone(), listener, min_age));
        Some(stage)
    }

    async fn show(&self, heroku: &Heroku) -> ExitCode {
        println!("A shop with four web dynos, one of them crashed, and a worker. The web dynos leak.");
        println!("Heroku looks at their memory every 20 s, so this takes a moment.\n");
        print_names();
        tokio::select! {
            () = self.show_every_change(heroku) => {}
            () = self.wait_for_r14_and_send_the_alert(heroku) => {}
        }
        self.show_the_healing(heroku).await
    }

    async fn show_the_drain(&self, heroku: &Heroku) -> ExitCode {
        println!("The same shop, and no monitoring service at all: its log goes to the service, by a drain.");
        println!("  heroku drains:add {} -a shop", self.drain);
        println!(
            "It leaks as it serves. Heroku looks at the memory every 20 s; the second complaint is one too many.\n"
        );
        print_names();
        let r14s = || self.shop.log().into_iter().filter(|line| line.contains("Error R14"));
        let tell_of_r14 = async {
            for count in 0.. {
                heroku.until(|_| r14s().count() > count).await;
                self.say(format_args!("log of shop   {}", r14s().nth(count).unwrap_or_default()));
            }
        };
        tokio::select! {
            () = tell_of_r14 => ExitCode::FAILURE,
            code = self.show_the_healing(heroku) => code,
        }
    }

    /// From here on the service is at work.
    async fn show_the_healing(&self, heroku: &Heroku) -> ExitCode {
        tokio::select! {
            () = self.show_every_change(heroku) => {}
            () = self.until_all_are_up_again(heroku) => {}
        }
        self.shop.leak("web", 0.0);
        // The service looks once more and writes its report.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (restarts, fewest_up) = (self.shop.restarts(), self.shop.fewest_up("web"));
        if restarts != ["web.1", "web.2", "web.3"] || fewest_up != 2 {
            return self.fail(&format!("restarted {restarts:?}, fewest up {fewest_up}"));
        }
        println!(
            "\nThe three running web dynos were restarted, one after the other. Two of them served at every moment."
        );
        println!("The crashed web.4 and the worker were left alone. Play with it: cargo run --example demo -- --serve");
        ExitCode::SUCCESS
    }

    /// Keeps running until Ctrl-C.
    async fn play(&self, heroku: &Heroku) -> ExitCode {
        let (url, api) = (&self.url, heroku.url().replace("127.0.0.1", "localhost"));
        println!("The service:      curl -H 'Authorization: Bearer {KEY}' '{url}?dry_run=true'");
        println!("                  curl -X POST -H 'Authorization: Bearer {KEY}' '{url}'");
        println!("Key in the URL:   curl -X POST '{url}?key={KEY}' --data-urlencode 'payload={{}}'");
        println!("Its log drain:    HEROKU_HOST={api} HEROKU_API_KEY=any heroku drains:add {} -a shop", self.drain);
        println!("Just one dyno:    curl -X POST '{url}?key={KEY}&dyno=web.2&force=true'");
        println!("The real CLI:     HEROKU_HOST={api} HEROKU_API_KEY=any heroku ps -a shop   (ps, ps:restart)");
        println!(
            "A recovered one:  curl -X POST '{url}?key={KEY}' -d '{{\"status\": \"resolved\", \"dyno\": \"web.1\"}}'"
        );
        println!("Here MIN_AGE=30s, TOLERANCE='2 in 2m' and GIVE_UP_AFTER='1000 in 1h'. Ctrl-C ends it.\n");
        print_names();
        self.show_every_change(heroku).await;
        ExitCode::SUCCESS
    }

    /// A line whenever a dyno changes its state; never ends.
    async fn show_every_change(&self, heroku: &Heroku) {
        let states = || PROCESSES.map(|name| self.shop.state(name));
        let mut shown = states().map(|_| String::new());
        loop {
            heroku.until(|_| states() != shown).await;
            shown = states();
            self.say(shown.clone().map(|state| format!("{state:<9}")).join(" ").trim_end());
        }
    }

    /// Plays a monitoring service: it sees the line in the log and calls the webhook.
    async fn wait_for_r14_and_send_the_alert(&self, heroku: &Heroku) {
        let r14 = || self.shop.log().into_iter().find(|line| line.contains("Error R14"));
        heroku.until(|_| r14().is_some()).await;
        let line = r14().expect("it is there");
        self.say(format_args!("log of shop   {line}"));
        let payload = serde_json::json!({ "alert": { "name": "Heroku R14" }, "event": { "m": line } }).to_string();
        let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
        let request = reqwest::Client::new()
            .post(format!("{}?key={KEY}", self.url))
            .header("user-agent", "Logentries/1.2")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = request.send().await.expect("the service answers");
        let (status, text) = (answer.status(), answer.text().await.expect("the answer is whole"));
        self.say(format_args!("an alert      POST /restart_web_dynos?key=... -> {status}: {text}"));
    }

    async fn until_all_are_up_again(&self, heroku: &Heroku) {
        heroku.until(|_| self.shop.restarts().len() == 3 && self.shop.up("web") == 3).await;
    }

    fn say(&self, what: impl fmt::Display) {
        println!("{:>6.1} s  {what}", self.curtain.elapsed().as_secs_f64());
    }

    fn fail(&self, why: &str) -> ExitCode {
        self.say(format_args!("the demo failed: {why}"));
        ExitCode::FAILURE
    }
}

fn print_names() {
    println!("{:>8}  {}", "", PROCESSES.map(|name| format!("{name:<9}")).join(" "));
}

/// Shows the service's log between the other lines.
fn log_to_the_show(curtain: Instant) {
    use tracing_subscriber::fmt::format::Writer;
    use tracing_subscriber::fmt::time::FormatTime;

    struct SinceCurtain(Instant);
    impl FormatTime for SinceCurtain {
        fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
            write!(writer, "{:>6.1} s  its log  ", self.0.elapsed().as_secs_f64())
        }
    }
    tracing_subscriber::fmt()
        .with_timer(SinceCurtain(curtain))
        .with_ansi(false)
        .with_target(false)
        .fmt_fields(text_fields())
        .init();
}
