//! Runs the service with settings for the demo, and sends requests to the service and to the simulated Heroku.

use std::collections::HashMap;
use std::ffi::OsString;

use dyno_restarter::config::Config;
use dyno_restarter::{Listen, bind, shutdown};
use simulator::Heroku;
use tokio::net::TcpListener;

const KEY: &str = "demo-key-0123456789";

/// The URLs of the service.
pub(crate) struct Restarter {
    webhook_url: String,
    /// The URL for a log drain. It contains the key.
    pub(crate) drain_url: String,
    /// The URL of the page, followed by the user name and the password.
    pub(crate) page: String,
}

impl Restarter {
    /// Starts the service for the app `shop` on any free port, because port 3000 is often in use.
    pub(crate) fn start(heroku: &Heroku, min_age: &'static str) -> Self {
        let listener = bind(Listen::At(([127, 0, 0, 1], 0).into())).expect("there is a free port");
        let address = listener.local_addr().expect("the listener is bound");
        tokio::spawn(run(heroku.clone(), listener, min_age));
        Self {
            webhook_url: format!("http://{address}/restart_web_dynos"),
            drain_url: format!("http://drain:{KEY}@{address}/drain"),
            page: format!("http://{address}/ (user: any word, password: {KEY})"),
        }
    }

    /// Sends an alert about a log line in the format of `LogEntries`. Returns the status and the text of the response.
    pub(crate) async fn send_alert(&self, line: &str) -> String {
        let payload = serde_json::json!({ "alert": { "name": "Heroku R14" }, "event": { "m": line } }).to_string();
        let form: String = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload).finish();
        let request = reqwest::Client::new()
            .post(format!("{}?key={KEY}", self.webhook_url))
            .header("user-agent", "Logentries/1.2")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let response = request.send().await.expect("the service responds");
        let status = response.status();
        let text = response.text().await.expect("the response is complete");
        format!("{status}: {}", text.trim().replace('\n', "; "))
    }

    /// Prints commands to try with `--serve`.
    pub(crate) fn print_commands(&self, heroku: &Heroku) {
        let (url, drain) = (&self.webhook_url, &self.drain_url);
        let cli = format!("HEROKU_HOST={} HEROKU_API_KEY=any", heroku.url().replace("127.0.0.1", "localhost"));
        println!("Try these commands in another terminal. The text after each arrow tells what to expect.\n");
        println!("What an alert would do now -> Dry run over shop: nothing was restarted, and a line for each dyno");
        println!("  curl -H 'Authorization: Bearer {KEY}' '{url}?dry_run=true'");
        println!("An alert -> Restart triggered");
        println!("  curl -X POST -H 'Authorization: Bearer {KEY}' '{url}'");
        println!("An alert for one dyno, even if it started recently -> Restart triggered");
        println!("  curl -X POST '{url}?key={KEY}&dyno=web.2&force=true'");
        println!("An alert that has recovered -> Ignored: the alert has recovered");
        println!("  curl '{url}?key={KEY}' -d '{{\"status\": \"resolved\"}}'");
        println!("A log drain, which reports leaks without alerts -> JSON with the id of the drain");
        println!("  curl {}/apps/shop/log-drains -H 'Authorization: Bearer any' \\", heroku.url());
        println!("    -H 'Accept: application/vnd.heroku+json; version=3' \\");
        println!("    -d '{{\"url\": \"{drain}\"}}'");
        println!("The same with the Heroku CLI, which needs no account here. You can also try ps and ps:restart");
        println!("  {cli} heroku drains:add {drain} -a shop");
        println!(
            "\nThe demo uses MIN_AGE=30s, TOLERANCE='2 in 2m' and GIVE_UP_AFTER='1000 in 1h'. Stop it with Ctrl-C.\n"
        );
    }
}

async fn run(heroku: Heroku, listener: TcpListener, min_age: &str) {
    let environment = HashMap::from([
        ("RESTART_API_KEY", Heroku::TOKEN.to_owned()),
        ("APP_NAME", "shop".to_owned()),
        ("RESTART_WEBHOOK_KEY", KEY.to_owned()),
        ("HEROKU_API_URL", heroku.url()),
        ("MIN_AGE", min_age.to_owned()),
        // With `2` instead of the default of `3`, the demo is shorter.
        ("TOLERANCE", "2 in 2m".to_owned()),
        // With `--serve`, the user may restart the dynos many times.
        ("GIVE_UP_AFTER", "1000 in 1h".to_owned()),
    ]);
    let config = Config::from_lookup(|name| environment.get(name).map(OsString::from)).expect("the settings are valid");
    let signal = shutdown::signal().expect("the signal handlers can be installed");
    let end = async {
        signal.await;
    };
    dyno_restarter::run(config, listener, end).await.expect("the service does not fail");
    std::process::exit(0);
}

/// Restarts all dynos of an app with the request of `heroku ps:restart`.
pub(crate) async fn restart_all_at_once(heroku: &Heroku, app: &str) {
    let request = reqwest::Client::new()
        .delete(format!("{}/apps/{app}/dynos", heroku.url()))
        .header("accept", "application/vnd.heroku+json; version=3")
        .bearer_auth(Heroku::TOKEN);
    let response = request.send().await.expect("the simulated Heroku responds");
    assert!(response.status().is_success(), "{}", response.status());
}
