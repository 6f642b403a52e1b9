//! The harness: a running service in front of a simulated Heroku.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dyno_restarter::config::{Config, ConfigErrors};
use dyno_restarter::restart::{AppName, DynoName, End, Outcome, Report, Restarter, Skip};
use dyno_restarter::store::Timing;
use dyno_restarter::telemetry::TextLine;
use dyno_restarter::{Listen, bind};
use simulator::{App, Heroku};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tracing::subscriber::DefaultGuard;

pub(crate) const KEY: &str = "a-key-of-sixteen-characters-or-more";

/// With a database, tests run in real time: turns change hands faster than in earnest.
pub(crate) const QUICK: Timing = Timing {
    lease: Duration::from_millis(2_500),
    longest_call: Duration::from_secs(1),
    answer: Duration::from_secs(20),
    poll: Duration::from_millis(100),
    silence: Duration::from_secs(600),
};

/// A simulated Heroku with an app `shop`, which has this number of web dynos and one worker dyno.
pub(crate) async fn shop(web_dynos: usize) -> (Heroku, App) {
    let heroku = Heroku::start().await;
    let shop = heroku.create_app("shop").with("web", web_dynos).with("worker", 1);
    (heroku, shop)
}

/// The environment of a service in front of `heroku`, with `changes`.
pub(crate) fn environment(heroku: &Heroku, changes: &[(&str, &str)]) -> HashMap<String, String> {
    // The client of a test may be made before the service of another process makes its own.
    rustls::crypto::ring::default_provider().install_default().ok();
    let url = heroku.url();
    let needed = [
        ("RESTART_API_KEY", Heroku::TOKEN),
        ("APP_NAME", "shop"),
        ("RESTART_WEBHOOK_KEY", KEY),
        ("HEROKU_API_URL", &url),
    ];
    needed.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn config(environment: &HashMap<String, String>) -> Result<Config, ConfigErrors> {
    Config::from_lookup(|name| environment.get(name).map(OsString::from))
}

/// A running service. Each test must stop it, which checks that it ends without an error.
pub(crate) struct Service {
    pub(crate) address: String,
    pub(crate) log: Log,
    /// To read the reports on passes as values.
    pub(crate) restarter: Restarter,
    end: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), dyno_restarter::Error>>>,
    http: reqwest::Client,
    _log_guard: DefaultGuard,
}

impl Service {
    pub(crate) async fn start(heroku: &Heroku) -> Self {
        Self::with(heroku, &[]).await
    }

    /// Starts it and waits until it has listed the dynos of its apps.
    pub(crate) async fn with(heroku: &Heroku, changes: &[(&str, &str)]) -> Self {
        let environment = environment(heroku, changes);
        let service = Self::unseen(&environment);
        let apps = environment["APP_NAME"].split(',').count();
        service.log.until(|log| log.count("watching ") + log.count("cannot ") >= apps).await;
        service
    }

    /// Starts it without waiting.
    pub(crate) fn unseen(environment: &HashMap<String, String>) -> Self {
        Self::with_timing(environment, QUICK)
    }

    /// The same, with these times for the database.
    pub(crate) fn with_timing(environment: &HashMap<String, String>, timing: Timing) -> Self {
        let log = Log::default();
        let guard = log.capture();
        let mut config = config(environment).expect("the environment is right");
        if let Some(store) = &mut config.store {
            store.timing = timing;
        }
        let listener = bind(Listen::At(([127, 0, 0, 1], 0).into())).expect("there is a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let (end, ended) = oneshot::channel();
        let service = dyno_restarter::Service::new(config).expect("the HTTP client can be set up");
        let restarter = service.restarter().clone();
        let running = tokio::spawn(service.run(listener, async {
            ended.await.ok();
        }));
        let http = reqwest::Client::new();
        Self { address, log, restarter, end: Some(end), running: Some(running), http, _log_guard: guard }
    }

    /// A request to the webhook; `query` without the question mark.
    pub(crate) fn request(&self, method: reqwest::Method, query: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("http://{}/restart_web_dynos?{query}", self.address))
    }

    /// Sends an alert with the key and this query. Returns the status and the text of the answer.
    pub(crate) async fn ask(&self, query: &str) -> (u16, String) {
        let request = self.request(reqwest::Method::POST, query).bearer_auth(KEY);
        let response = request.send().await.expect("the service answers");
        (response.status().as_u16(), response.text().await.expect("the answer is whole"))
    }

    /// Sends the head of a request with the key and `Content-Length: length`, and `body`. The connection stays open.
    pub(crate) async fn begin(&self, path: &str, length: usize, body: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).await.expect("connected");
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream.write_all(body).await.expect("sent");
        stream
    }

    /// A service that was told to shut down while a dyno of the app is restarting.
    pub(crate) async fn ending(heroku: &Heroku, app: &App) -> Self {
        let mut service = Self::start(heroku).await;
        service.alert().await;
        heroku.until(|_| app.restarts().len() == 1).await;
        service.terminate();
        service.until_stopping().await;
        service
    }

    /// Sends an alert, which must be accepted.
    pub(crate) async fn alert(&self) {
        let (status, text) = self.ask("").await;
        assert_eq!((status, text.lines().next()), (202, Some("Restart triggered")));
    }

    /// Waits until this number of passes have ended, over all apps. Those that are kept of each app are counted.
    pub(crate) async fn passes(&self, count: usize) {
        // A pass logs its report, so the condition is checked then.
        self.log.until(|_| self.pass_count() >= count).await;
    }

    fn pass_count(&self) -> usize {
        self.restarter.watched().apps().iter().map(|app| self.restarter.reports(app).len()).sum()
    }

    /// Waits until the service has begun to shut down.
    pub(crate) async fn until_stopping(&self) {
        self.log.until(|_| self.restarter.is_stopping()).await;
    }

    /// The report on the last pass over `shop`.
    pub(crate) fn report(&self) -> Arc<Report> {
        self.reports().pop().expect("there was a pass")
    }

    /// The reports on all passes over `shop`, oldest first.
    pub(crate) fn reports(&self) -> Vec<Arc<Report>> {
        self.restarter.reports(&AppName::parse("shop").expect("a valid name"))
    }

    /// What the last pass did with a dyno.
    pub(crate) fn outcome(&self, dyno: &str) -> Outcome {
        self.report().dynos.get(&dyno_name(dyno)).unwrap_or_else(|| panic!("the report names {dyno}")).clone()
    }

    /// Why the last pass ended early, if it did.
    pub(crate) fn end(&self) -> Option<End> {
        self.report().end.clone()
    }

    /// Sends an alert and waits for its pass.
    pub(crate) async fn alert_and_pass(&self, query: &str) {
        let before = self.pass_count();
        assert_eq!(self.ask(query).await.0, 202);
        self.passes(before + 1).await;
    }

    /// Tells the service to shut down, as SIGTERM does.
    pub(crate) fn terminate(&mut self) {
        self.end.take().expect("it is asked once").send(()).expect("it still runs");
    }

    /// Waits until the service has ended. Returns its result.
    pub(crate) async fn ended(&mut self) -> Result<(), dyno_restarter::Error> {
        let running = self.running.take().expect("it is waited for once");
        running.await.expect("the service itself does not panic")
    }

    /// Shuts the service down. Compulsory.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        self.ended().await.expect("it ends well");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        assert!(self.running.is_none() || std::thread::panicking(), "the test must stop the service");
    }
}

/// What the service logs, at every level.
#[derive(Clone, Default)]
pub(crate) struct Log {
    text: Arc<Mutex<String>>,
    panic_at: Arc<Mutex<Option<&'static str>>>,
    grew: Arc<Notify>,
}

impl Log {
    /// Captures what this thread logs.
    pub(crate) fn capture(&self) -> DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .event_format(TextLine { names_module: true })
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The code that next logs a line with this text panics: that stands for a bug in it.
    pub(crate) fn panic_at(&self, text: &'static str) {
        *self.panic_at.lock().expect("no writer holds it") = Some(text);
    }

    pub(crate) fn text(&self) -> String {
        self.text.lock().expect("no writer panics").clone()
    }

    /// The lines that contain `part`.
    pub(crate) fn lines(&self, part: &str) -> Vec<String> {
        self.text().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines(part).len()
    }

    /// Waits until `wanted` holds. Three hours of virtual time are more than any pass takes.
    pub(crate) async fn until(&self, wanted: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !wanted(self) {
                self.grew.notified().await;
            }
        };
        let hours = std::time::Duration::from_secs(3 * 60 * 60);
        assert!(
            tokio::time::timeout(hours, waiting).await.is_ok(),
            "not within three hours; the log is:\n{}",
            self.text()
        );
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes);
        // Once: tracing repeats a line whose writer panicked.
        let bug = self.panic_at.lock().expect("no writer holds it").take_if(|text| line.contains(*text));
        assert!(bug.is_none(), "a bug");
        self.text.lock().expect("no writer panics").push_str(&line);
        self.grew.notify_one();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The answer without what it says of each app.
pub(crate) fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// How many times an app's dynos were listed.
pub(crate) fn lists(heroku: &Heroku) -> usize {
    heroku.calls().iter().filter(|call| call.method == "GET" && call.path.ends_with("/dynos")).count()
}

/// How many restarts were requested.
pub(crate) fn deletes(heroku: &Heroku) -> usize {
    heroku.calls().iter().filter(|call| call.method == "DELETE").count()
}

pub(crate) fn dyno_name(name: &str) -> DynoName {
    DynoName::parse(name).expect("a valid name")
}

/// What becomes of a dyno while this other one holds automatic restarts.
pub(crate) fn held_by(dyno: &str) -> Outcome {
    Outcome::Skipped(Skip::Held(dyno_name(dyno)))
}

pub(crate) fn seconds(count: u64) -> std::time::Duration {
    std::time::Duration::from_secs(count)
}
