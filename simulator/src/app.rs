//! The handles of an app and of one of its dynos: how a test sets them up and looks at them.

use std::sync::Arc;
use std::time::Duration;

use crate::agenda::Agenda;
use crate::app_state::AppState;
use crate::drain::Drain;
use crate::dyno;
use crate::dyno_control::DynoControl;
use crate::logs::Line;
use crate::shipping::{Target, ship};
use crate::simulation::Simulation;
use crate::traffic::Requests;

/// An app of the simulated Heroku. Cheap to clone; clones are the same app.
#[derive(Clone)]
pub struct App {
    simulation: Arc<Simulation>,
    name: String,
}

impl App {
    pub(crate) fn new(simulation: Arc<Simulation>, name: &str) -> App {
        App { simulation, name: name.to_owned() }
    }

    /// Gives it this many dynos of the type, up and one hour old, in place of any it had.
    pub fn with(self, process_type: &str, quantity: usize) -> App {
        self.change(|app, agenda| app.set_up(agenda, process_type, quantity));
        self
    }

    /// Makes it an app of the Fir generation: dynos are named like `web-12a34bcd56-7efgh`, and each
    /// restart changes the name.
    pub fn fir(self) -> App {
        self.change(|app, agenda| {
            app.fir = true;
            for dyno in &mut app.dynos {
                dyno.name = dyno::name(agenda, Some(&app.release), &dyno.process_type, dyno.number);
            }
        });
        self
    }

    /// From the new instance, which is `starting`, to `up`; 5 s at first.
    pub fn boot_time(self, time: Duration) -> App {
        self.change(|app, _| app.boot_time = time);
        self
    }

    /// From the accepted restart to the new instance in the list; none at first.
    pub fn restart_lag(self, lag: Duration) -> App {
        self.change(|app, _| app.restart_lag = lag);
        self
    }

    /// Switches `log-runtime-metrics` on: about every 20 s a line on the load and one on the memory of
    /// each dyno that is up. Fir has no such lines.
    pub fn runtime_metrics(self) -> App {
        self.change(AppState::switch_on_metrics);
        self
    }

    /// When a dyno over its quota is replaced, a last R14 of the old instance arrives this long after;
    /// it was written a second before the new one was created. None does at first.
    pub fn late_r14(self, lag: Duration) -> App {
        self.change(|app, _| app.r14_lag = Some(lag));
        self
    }

    /// The dyno of this name. The handle stays with the process when a restart changes the name.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn dyno(&self, name: &str) -> DynoControl {
        let slot = self.look(|app| app.dyno_named(name).map(|dyno| dyno.slot));
        let Some(slot) = slot else {
            panic!("{} has no dyno {name}, only {:?}", self.name, self.names());
        };
        DynoControl { app: self.clone(), slot, name: name.to_owned() }
    }

    /// The names of its dynos, in the order of a list by name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.look(|app| {
            let mut names: Vec<String> = app.dynos.iter().map(|dyno| dyno.name.clone()).collect();
            names.sort();
            names
        })
    }

    /// The state of a dyno, `gone` when there is none of this name.
    #[must_use]
    pub fn state(&self, name: &str) -> String {
        self.look(|app| app.dyno_named(name).map_or("gone", |dyno| &dyno.state).to_owned())
    }

    /// How many dynos of the type are up.
    #[must_use]
    pub fn up(&self, process_type: &str) -> usize {
        self.look(|app| app.up(process_type))
    }

    /// The fewest dynos of the type that were up at any moment since the app was set up, or since
    /// [`App::watch`].
    #[must_use]
    pub fn fewest_up(&self, process_type: &str) -> usize {
        self.look(|app| app.fewest.get(process_type).copied().unwrap_or_default())
    }

    /// Starts [`App::fewest_up`] anew.
    pub fn watch(&self) {
        self.change(|app, _| app.watch());
    }

    /// The names of the dynos that were restarted through the API, in order.
    #[must_use]
    pub fn restarts(&self) -> Vec<String> {
        self.look(|app| app.restarts.clone())
    }

    /// As an autoscaler does: new dynos boot, those of the highest numbers vanish.
    pub fn scale(&self, process_type: &str, quantity: usize) {
        self.change(|app, agenda| app.scale(agenda, process_type, quantity));
    }

    /// A new release: all dynos of all types are replaced at once.
    pub fn deploy(&self) {
        self.change(AppState::deploy);
    }

    /// From now on the processes of the type leak: they begin at half of their 512 MB, and anew
    /// with each instance. Zero ends it.
    pub fn leak(&self, process_type: &str, megabytes_per_minute: f64) {
        self.change(|app, agenda| app.leak(agenda, process_type, megabytes_per_minute));
    }

    /// From now on the router logs this many requests a second, for the web dynos that are up in turn,
    /// and the dyno that has answered prints a line. A dyno over its quota is slow. While none is up, the
    /// router logs H10. One path in 47 has a query. Zero ends it.
    ///
    /// # Panics
    ///
    /// When it is no rate from 0 to 10,000.
    pub fn traffic(&self, requests_per_second: f64) {
        assert!((0.0..=10_000.0).contains(&requests_per_second), "{requests_per_second} requests a second cannot be");
        self.change(|app, agenda| app.set_traffic(agenda, requests_per_second));
    }

    /// What became of the requests of its traffic so far.
    #[must_use]
    pub fn requests(&self) -> Requests {
        self.look(|app| app.traffic.requests)
    }

    /// The megabytes that a dyno uses now, of its 512; `None` when it is not up, or there is none of this name.
    #[must_use]
    pub fn memory(&self, name: &str) -> Option<f64> {
        self.simulation.with(|state| {
            let (app, now) = (&state.world.apps[&self.name], state.world.agenda.now);
            app.dyno_named(name).filter(|dyno| dyno.state == "up").map(|dyno| app.memory_of(dyno, now))
        })
    }

    /// The app's own process, `web.1` or another, prints this line.
    pub fn print(&self, process: &str, text: &str) {
        self.change(|app, agenda| app.log(agenda.now, "app", process, text));
    }

    /// The platform's word on a process, `web.1` or `router`, arrives now and was written this
    /// long ago.
    pub fn platform_line(&self, process: &str, text: &str, age: Duration) {
        let (process, text) = (process.to_owned(), text.to_owned());
        self.change(|app, agenda| app.log_late(Line { at: agenda.now - age, source: "heroku", process, text }));
    }

    /// Ships the log lines from now on to this URL, plain http, as logplex does.
    ///
    /// # Panics
    ///
    /// When it is no http URL.
    #[expect(clippy::unused_async, reason = "it must be called within the runtime that is to ship")]
    pub async fn drain_to(&self, url: &str) {
        let target = Target::parse(url).expect("a drain of the simulator is an http:// URL");
        let id = self.change(|app, agenda| {
            let drain = Drain::new(agenda, url);
            let id = drain.id.clone();
            app.drains.push(drain);
            id
        });
        tokio::spawn(ship(Arc::clone(&self.simulation), self.name.clone(), id, target));
    }

    /// Waits until every line logged so far has arrived at every drain of the app, or has been dropped.
    ///
    /// # Panics
    ///
    /// When that takes more than an hour.
    pub async fn drained(&self) {
        let given = self.look(|app| app.drains.iter().map(|drain| drain.given).collect::<Vec<_>>());
        let done = |app: &AppState| app.drains.iter().zip(&given).all(|(drain, given)| drain.done() >= *given);
        let so = self.simulation.until(|| self.look(done)).await;
        assert!(so, "the drains of {} did not become empty within an hour", self.name);
    }

    /// The latest 10,000 lines of the log, as `heroku logs` shows them, in the order in which they arrived.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.look(|app| app.log.lines.iter().map(Line::shown).collect())
    }

    fn look<T>(&self, look: impl FnOnce(&AppState) -> T) -> T {
        self.simulation.with(|state| look(&state.world.apps[&self.name]))
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut AppState, &mut Agenda) -> T) -> T {
        self.simulation.change(|state| {
            let (app, agenda) = state.world.app(&self.name).expect("no app is ever deleted");
            change(app, agenda)
        })
    }
}
