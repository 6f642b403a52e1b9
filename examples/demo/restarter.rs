//! The service as it runs on Heroku, but for its variables, and the requests that others send to it.

use std::collections::HashMap;
use std::ffi::OsString;

use dyno_restarter::config::Config;
use dyno_restarter::{Listen, bind, shutdown};
use simulator::Heroku;
use tokio::net::TcpListener;

const KEY: &str = "demo-key-0123456789";

/// A port that is listened on, before the service runs.
pub(crate) struct Bound {
    listener: TcpListener,
    address: String,
}

/// The service, and where it is reached.
pub(crate) struct Restarter {
    /// Where alerts go.
    url: String,
    /// Where the log goes, with the key.
    pub(crate) drain: String,
    /// The page, and what it asks for.
    pub(crate) page: String,
}

impl Restarter {
    /// Takes a port, 0 for any; `None` when it is taken.
    pub(crate) fn bind(port: u16) -> Option<Bound> {
        let listener = bind(Listen::At(([127, 0, 0, 1], port).into())).ok()?;
        let address = listener.local_addr().ok()?.to_string();
        Some(Bound { listener, address })
    }

    /// An alert as `LogEntries` sends it when a line of the log matches. Returns the answer.
    pub(crate) async fn alert(&self, line: &str) -> String {
        let payload = serde_json::json!({ "alert": { "name": "Heroku R14" }, "event": { "m": line } }).to_string();
        let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
        let request = reqwest::Client::new()
            .post(format!("{}?key={KEY}", self.url))
            .header("user-agent", "Logentries/1.2")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let answer = request.send().await.expect("the service answers");
        let status = answer.status();
        let text = answer.text().await.expect("the answer is whole");
        format!("{status}: {}", text.trim().replace('\n', "; "))
    }

    /// With `--serve`: what to try.
    pub(crate) fn print_commands(&self, heroku: &Heroku) {
        let (url, drain) = (&self.url, &self.drain);
        let cli = format!("HEROKU_HOST={} HEROKU_API_KEY=any", heroku.url().replace("127.0.0.1", "localhost"));
        println!("What would an alert do?");
        println!("  curl -H 'Authorization: Bearer {KEY}' '{url}?dry_run=true'");
        println!("An alert:");
        println!("  curl -X POST -H 'Authorization: Bearer {KEY}' '{url}'");
        println!("Just one dyno, at once:");
        println!("  curl -X POST '{url}?key={KEY}&dyno=web.2&force=true'");
        println!("An alert that has recovered:");
        println!("  curl '{url}?key={KEY}' -d '{{\"status\": \"resolved\"}}'");
        println!("The log drain, after which each leak is noticed without an alert; with the Heroku CLI, or without:");
        println!("  {cli} heroku drains:add {drain} -a shop");
        println!("  curl {}/apps/shop/log-drains -H 'Authorization: Bearer any' \\", heroku.url());
        println!("    -H 'Accept: application/vnd.heroku+json; version=3' \\");
        println!("    -d '{{\"url\": \"{drain}\"}}'");
        println!("The Heroku CLI works, too (ps, ps:restart, logs do not need an account here):");
        println!("  {cli} heroku ps -a shop");
        println!("Here MIN_AGE=30s, TOLERANCE='2 in 2m' and GIVE_UP_AFTER='1000 in 1h'. Ctrl-C ends it.\n");
    }
}

impl Bound {
    /// Runs the service in front of the app `shop`.
    pub(crate) fn start(self, heroku: &Heroku, min_age: &'static str) -> Restarter {
        let Self { listener, address } = self;
        tokio::spawn(run(heroku.clone(), listener, min_age));
        Restarter {
            url: format!("http://{address}/restart_web_dynos"),
            drain: format!("http://drain:{KEY}@{address}/drain"),
            page: format!("http://{address}/ (user: any word, password: {KEY})"),
        }
    }
}

async fn run(heroku: Heroku, listener: TcpListener, min_age: &str) {
    let environment = HashMap::from([
        ("RESTART_API_KEY", Heroku::TOKEN.to_owned()),
        ("APP_NAME", "shop".to_owned()),
        ("RESTART_WEBHOOK_KEY", KEY.to_owned()),
        ("HEROKU_API_URL", heroku.url()),
        ("MIN_AGE", min_age.to_owned()),
        // One less than usual, for somebody who waits, and as many restarts as they like.
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

/// What `heroku ps:restart` asks for.
pub(crate) async fn restart_all_at_once(heroku: &Heroku, app: &str) {
    let request = reqwest::Client::new()
        .delete(format!("{}/apps/{app}/dynos", heroku.url()))
        .header("accept", "application/vnd.heroku+json; version=3")
        .bearer_auth(Heroku::TOKEN);
    let answer = request.send().await.expect("the simulated Heroku answers");
    assert!(answer.status().is_success(), "{}", answer.status());
}
