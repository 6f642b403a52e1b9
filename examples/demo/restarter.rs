//! The service as it runs on Heroku, but for its variables, and the requests that others send to it.

use std::collections::HashMap;
use std::ffi::OsString;

use dyno_restarter::config::Config;
use dyno_restarter::{Listen, bind, shutdown};
use simulator::Heroku;
use tokio::net::TcpListener;

const KEY: &str = "demo-key-0123456789";

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
    /// Runs the service in front of the app `shop`, on any free port: 3000 is often taken.
    pub(crate) fn start(heroku: &Heroku, min_age: &'static str) -> Self {
        let listener = bind(Listen::At(([127, 0, 0, 1], 0).into())).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(run(heroku.clone(), listener, min_age));
        Self {
            url: format!("http://{address}/restart_web_dynos"),
            drain: format!("http://drain:{KEY}@{address}/drain"),
            page: format!("http://{address}/ (user: any word, password: {KEY})"),
        }
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
        println!("Try these in another terminal. Behind each arrow is the answer.\n");
        println!("What an alert would do now -> Dry run over shop: nothing was restarted, and a line for each dyno");
        println!("  curl -H 'Authorization: Bearer {KEY}' '{url}?dry_run=true'");
        println!("An alert -> Restart triggered");
        println!("  curl -X POST -H 'Authorization: Bearer {KEY}' '{url}'");
        println!("Just one dyno, even if it is young -> Restart triggered");
        println!("  curl -X POST '{url}?key={KEY}&dyno=web.2&force=true'");
        println!("An alert that has recovered -> Ignored: the alert has recovered");
        println!("  curl '{url}?key={KEY}' -d '{{\"status\": \"resolved\"}}'");
        println!("The log drain; from then on, each leak is noticed without an alert -> JSON with the id of the drain");
        println!("  curl {}/apps/shop/log-drains -H 'Authorization: Bearer any' \\", heroku.url());
        println!("    -H 'Accept: application/vnd.heroku+json; version=3' \\");
        println!("    -d '{{\"url\": \"{drain}\"}}'");
        println!("The same with the Heroku CLI, which works here without an account; so do ps, ps:restart and logs");
        println!("  {cli} heroku drains:add {drain} -a shop");
        println!("\nHere MIN_AGE=30s, TOLERANCE='2 in 2m' and GIVE_UP_AFTER='1000 in 1h'. Ctrl-C ends it.\n");
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
