//! The handle of an app. A test sets the app up with it, and reads its state.

use std::sync::Arc;
use std::time::Duration;

use crate::app_state::AppState;
use crate::drain::Drain;
use crate::dyno;
use crate::dyno_control::DynoControl;
use crate::event_queue::EventQueue;
use crate::logs::Line;
use crate::shipping::{Target, ship};
use crate::simulation::Simulation;
use crate::traffic::RequestCounts;

/// An app of the simulated Heroku. Cloning it is cheap, and all clones are the same app.
#[derive(Clone)]
pub struct App {
    simulation: Arc<Simulation>,
    name: String,
}

impl App {
    pub(crate) fn new(simulation: Arc<Simulation>, name: &str) -> App {
        App { simulation, name: name.to_owned() }
    }

    /// Gives the app this many dynos of the type, which are up and one hour old. They replace all earlier dynos of the
    /// type.
    pub fn with(self, process_type: &str, quantity: usize) -> App {
        self.change(|app, queue| app.set_up(queue, process_type, quantity));
        self
    }

    /// Makes it an app of the Fir generation: dynos have names like `web-12a34bcd56-7ef01`, and each restart changes
    /// the name.
    pub fn fir(self) -> App {
        self.change(|app, queue| {
            app.fir = true;
            for dyno in &mut app.dynos {
                dyno.name = dyno::name(queue, Some(&app.release), &dyno.process_type, dyno.number);
            }
        });
        self
    }

    /// Sets how long a new instance is `starting` until it is `up`. The default is 5 s.
    pub fn boot_time(self, time: Duration) -> App {
        self.change(|app, _| app.boot_time = time);
        self
    }

    /// Sets how long the list shows the old instance after a restart was accepted. The default is zero.
    pub fn restart_lag(self, lag: Duration) -> App {
        self.change(|app, _| app.restart_lag = lag);
        self
    }

    /// Enables `log-runtime-metrics`. Every 20 s, the load and the memory of each dyno that is up are logged. On Fir,
    /// nothing is logged.
    pub fn runtime_metrics(self) -> App {
        self.change(AppState::enable_metrics);
        self
    }

    /// Makes the platform log a late R14 when a dyno over its quota is replaced. The line arrives this long after the
    /// replacement, and its timestamp is one second before the replacement. By default, no R14 is late.
    pub fn late_r14(self, lag: Duration) -> App {
        self.change(|app, _| app.r14_lag = Some(lag));
        self
    }

    /// Returns the handle of the dyno that has this name now. The handle stays valid when a restart changes the name.
    ///
    /// # Panics
    ///
    /// Panics if no dyno has this name.
    pub fn dyno(&self, name: &str) -> DynoControl {
        let slot = self.read(|app| app.dyno_named(name).map(|dyno| dyno.slot));
        let Some(slot) = slot else {
            panic!("{} has no dyno {name}, only {:?}", self.name, self.names());
        };
        DynoControl { app: self.clone(), slot, name: name.to_owned() }
    }

    /// Returns the names of the dynos, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.read(|app| {
            let mut names: Vec<String> = app.dynos.iter().map(|dyno| dyno.name.clone()).collect();
            names.sort();
            names
        })
    }

    /// Returns the state of a dyno, or `gone` if no dyno has this name.
    #[must_use]
    pub fn state(&self, name: &str) -> String {
        self.read(|app| app.dyno_named(name).map_or("gone", |dyno| &dyno.state).to_owned())
    }

    /// Returns how many dynos of the type are up.
    #[must_use]
    pub fn up(&self, process_type: &str) -> usize {
        self.read(|app| app.up(process_type))
    }

    /// Returns the lowest number of dynos of the type that were up at the same time, since the app was set up or since
    /// [`App::reset_fewest_up`].
    #[must_use]
    pub fn fewest_up(&self, process_type: &str) -> usize {
        self.read(|app| app.fewest_up.get(process_type).copied().unwrap_or_default())
    }

    /// Sets [`App::fewest_up`] to the number of dynos that are up now.
    pub fn reset_fewest_up(&self) {
        self.change(|app, _| app.reset_fewest_up());
    }

    /// Returns the names of the dynos that were restarted through the API, in the order of the restarts.
    #[must_use]
    pub fn restarts(&self) -> Vec<String> {
        self.read(|app| app.restarts.clone())
    }

    /// Scales the process type, as an autoscaler does. New dynos boot, or the dynos with the highest numbers are
    /// removed.
    pub fn scale(&self, process_type: &str, quantity: usize) {
        self.change(|app, queue| app.scale(queue, process_type, quantity));
    }

    /// Deploys a new release. The dynos of all types in the formation are replaced at the same time.
    pub fn deploy(&self) {
        self.change(AppState::deploy);
    }

    /// Makes the processes of the type leak memory. Each instance starts with 256 MB of its 512 MB. A rate of zero
    /// stops the leak.
    pub fn leak(&self, process_type: &str, megabytes_per_minute: f64) {
        self.change(|app, queue| app.leak(queue, process_type, megabytes_per_minute));
    }

    /// Simulates this many requests a second. They go to the web dynos that are up, in turn. The router logs each
    /// request, and the dyno that served it prints a line. A dyno over its quota is slow. While no web dyno is up, the
    /// router logs H10. One path in 47 has a query. A rate of zero stops the requests.
    ///
    /// # Panics
    ///
    /// Panics if the rate is not between 0 and 10,000.
    pub fn traffic(&self, requests_per_second: f64) {
        assert!(
            (0.0..=10_000.0).contains(&requests_per_second),
            "invalid number of requests a second: {requests_per_second}"
        );
        self.change(|app, queue| app.set_traffic(queue, requests_per_second));
    }

    /// Returns how many requests were served and how many failed so far.
    #[must_use]
    pub fn request_counts(&self) -> RequestCounts {
        self.read(|app| app.traffic.counts)
    }

    /// Returns the memory that a dyno uses now, in megabytes; `None` if no dyno of this name is up.
    #[must_use]
    pub fn memory(&self, name: &str) -> Option<f64> {
        self.simulation.with(|state| {
            let (app, now) = (&state.platform.apps[&self.name], state.platform.queue.now);
            app.dyno_named(name).filter(|dyno| dyno.state == "up").map(|dyno| app.memory_of(dyno, now))
        })
    }

    /// Logs a line that a process of the app prints. The process is a dyno, such as `web.1`.
    pub fn print(&self, process: &str, text: &str) {
        self.change(|app, queue| app.log(queue.now, "app", process, text));
    }

    /// Logs a line of the platform about a process, such as `web.1` or `router`. The line arrives now, and its
    /// timestamp is this long ago.
    pub fn platform_line(&self, process: &str, text: &str, age: Duration) {
        let (process, text) = (process.to_owned(), text.to_owned());
        self.change(|app, queue| app.log_line(Line { at: queue.now - age, source: "heroku", process, text }));
    }

    /// Adds a log drain: ships all later log lines to this `http://` URL, as logplex does.
    ///
    /// # Panics
    ///
    /// Panics if it is not an `http://` URL.
    #[expect(clippy::unused_async, reason = "it spawns a task, so it must be called within a tokio runtime")]
    pub async fn drain_to(&self, url: &str) {
        let target = Target::parse(url).expect("the URL of a simulated drain is an http:// URL");
        let id = self.change(|app, queue| {
            let drain = Drain::new(queue, url);
            let id = drain.id.clone();
            app.drains.push(drain);
            id
        });
        tokio::spawn(ship(Arc::clone(&self.simulation), self.name.clone(), id, target));
    }

    /// Waits until all lines that are logged by now were delivered to every drain of the app, or were dropped.
    ///
    /// # Panics
    ///
    /// Panics if it takes more than an hour.
    pub async fn drained(&self) {
        let logged = self.read(|app| app.drains.iter().map(|drain| drain.logged).collect::<Vec<_>>());
        let settled = |app: &AppState| app.drains.iter().zip(&logged).all(|(drain, logged)| drain.settled() >= *logged);
        let is_drained = self.simulation.wait_until(|| self.read(settled)).await;
        assert!(is_drained, "the drains of {} still had lines to ship after an hour", self.name);
    }

    /// Returns the latest 10,000 lines of the log in the order of their arrival, in the format of `heroku logs`.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.read(|app| app.log.lines.iter().map(Line::to_log_text).collect())
    }

    fn read<T>(&self, read: impl FnOnce(&AppState) -> T) -> T {
        self.simulation.with(|state| read(&state.platform.apps[&self.name]))
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut AppState, &mut EventQueue) -> T) -> T {
        self.simulation.change(|state| {
            let (app, queue) = state.platform.app(&self.name).expect("no app is ever deleted");
            change(app, queue)
        })
    }
}
