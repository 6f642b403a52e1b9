//! The state of an app: its dynos, its formation, its log.
//!
//! The module `lifecycle` changes the dynos.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app_settings::AppSettings;
use crate::drain::Drain;
use crate::dyno::{Dyno, Release};
use crate::event_queue::EventQueue;
use crate::logs::{Line, Log, seconds_text};
use crate::traffic::Traffic;

/// Process types that are not in the formation: one-off dynos, the release phase, Heroku Scheduler.
const ONE_OFF_TYPES: [&str; 3] = ["run", "release", "scheduler"];

/// The default size of dynos. Every dyno has the memory quota of this size.
pub(crate) const DEFAULT_SIZE: &str = "Standard-1X";

pub(crate) struct AppState {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The number of the app in the lines of the runtime metrics.
    pub(crate) metrics_number: u64,
    pub(crate) created_at: Timestamp,
    pub(crate) fir: bool,
    pub(crate) release: Release,
    pub(crate) boot_time: Duration,
    pub(crate) restart_lag: Duration,
    pub(crate) formation: BTreeMap<String, Formation>,
    pub(crate) dynos: Vec<Dyno>,
    /// The lowest number of dynos that were up at the same time, by process type.
    pub(crate) fewest_up: BTreeMap<String, usize>,
    /// The names of the dynos that were restarted through the API.
    pub(crate) restarts: Vec<String>,
    /// Megabytes a minute, by process type.
    pub(crate) leaks: BTreeMap<String, f64>,
    /// How long after its replacement the last R14 of a dyno arrives; `None` if there is no late R14.
    pub(crate) r14_lag: Option<Duration>,
    pub(crate) runtime_metrics: bool,
    pub(crate) traffic: Traffic,
    pub(crate) log: Log,
    pub(crate) drains: Vec<Drain>,
    /// Drains that the API lists and to which nothing is shipped.
    pub(crate) listed_only_drains: Vec<Drain>,
    pub(crate) settings: AppSettings,
}

/// A process type, with the number of dynos that it should have.
pub(crate) struct Formation {
    id: String,
    pub(crate) quantity: usize,
    created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl AppState {
    pub(crate) fn new(queue: &mut EventQueue, name: &str) -> AppState {
        AppState {
            id: queue.ids.uuid(),
            name: name.to_owned(),
            metrics_number: 2_808_254 + queue.ids.next_number(),
            created_at: queue.now,
            fir: false,
            release: Release::new(queue, 42),
            boot_time: Duration::from_secs(5),
            restart_lag: Duration::ZERO,
            formation: BTreeMap::new(),
            dynos: Vec::new(),
            fewest_up: BTreeMap::new(),
            restarts: Vec::new(),
            leaks: BTreeMap::new(),
            r14_lag: None,
            runtime_metrics: false,
            traffic: Traffic::default(),
            log: Log::default(),
            drains: Vec::new(),
            listed_only_drains: Vec::new(),
            settings: AppSettings::default(),
        }
    }

    pub(crate) fn dyno(&self, slot: u64) -> Option<&Dyno> {
        self.dynos.iter().find(|dyno| dyno.slot == slot)
    }

    pub(crate) fn dyno_mut(&mut self, slot: u64) -> Option<&mut Dyno> {
        self.dynos.iter_mut().find(|dyno| dyno.slot == slot)
    }

    pub(crate) fn dyno_named(&self, name: &str) -> Option<&Dyno> {
        self.dynos.iter().find(|dyno| dyno.name == name)
    }

    pub(crate) fn up(&self, process_type: &str) -> usize {
        let is_up = |dyno: &&Dyno| dyno.process_type == process_type && dyno.state == "up";
        self.dynos.iter().filter(is_up).count()
    }

    /// Lowers `fewest_up` if fewer dynos are up now. It must be called after every change to the dynos.
    pub(crate) fn update_fewest_up(&mut self) {
        let types: Vec<String> = self.dynos.iter().map(|dyno| dyno.process_type.clone()).collect();
        for process_type in types.into_iter().chain(self.fewest_up.keys().cloned().collect::<Vec<_>>()) {
            let up = self.up(&process_type);
            let fewest = self.fewest_up.entry(process_type).or_insert(up);
            *fewest = up.min(*fewest);
        }
    }

    pub(crate) fn reset_fewest_up(&mut self) {
        self.fewest_up.clear();
        self.update_fewest_up();
    }

    pub(crate) fn set_quantity(&mut self, queue: &mut EventQueue, process_type: &str, quantity: usize) {
        if ONE_OFF_TYPES.contains(&process_type) {
            return;
        }
        let now = queue.now;
        let row = self.formation.entry(process_type.to_owned()).or_insert_with(|| Formation {
            id: queue.ids.uuid(),
            quantity,
            created_at: now,
            updated_at: now,
        });
        row.quantity = quantity;
        row.updated_at = now;
    }

    /// Adds a line that is written now to the log and to every drain.
    pub(crate) fn log(&mut self, now: Timestamp, source: &'static str, process: &str, text: impl Into<String>) {
        let at = self.log.unique_time(now);
        self.log_line(Line { at, source, process: process.to_owned(), text: text.into() });
    }

    /// Adds a line that may have been written earlier to the log and to every drain.
    pub(crate) fn log_line(&mut self, line: Line) {
        for drain in &mut self.drains {
            drain.push(line.clone());
        }
        self.log.push(line);
    }

    /// Returns the host name of the app.
    pub(crate) fn host(&self) -> String {
        format!("{}-{}.herokuapp.com", self.name, &self.id[24..])
    }

    pub(crate) fn json(&self) -> Value {
        let AppState { id, name, .. } = self;
        let generation = if self.fir { "fir" } else { "cedar" };
        let stack = json!({ "id": id, "name": if self.fir { "cnb" } else { "heroku-24" } });
        let created = seconds_text(self.created_at);
        let mut json = json!({
            "acm": false,
            "archived_at": null,
            "build_stack": stack,
            "buildpack_provided_description": null,
            "created_at": created,
            "generation": { "id": id, "name": generation },
            "git_url": format!("https://git.heroku.com/{name}.git"),
            "id": id,
            "internal_routing": null,
            "name": name,
            "process_tier": "production",
            "region": { "id": "59accabd-516d-4f0e-83e6-6e3757701145", "name": "us" },
            "released_at": created,
            "repo_size": null,
            "slug_size": null,
            "stack": stack,
            "updated_at": created,
            "web_url": format!("https://{}/", self.host()),
        });
        self.settings.add_to(&mut json);
        json
    }

    pub(crate) fn formation_json(&self, process_type: &str) -> Option<Value> {
        let row = self.formation.get(process_type)?;
        Some(json!({
            "app": { "id": self.id, "name": self.name },
            "command": command(process_type),
            "created_at": seconds_text(row.created_at),
            "dyno_size": { "id": OWNER, "name": self.settings.size },
            "id": row.id,
            "quantity": row.quantity,
            "size": self.settings.size,
            "type": process_type,
            "updated_at": seconds_text(row.updated_at),
        }))
    }

    pub(crate) fn dyno_json(&self, dyno: &Dyno) -> Value {
        let mut json = json!({
            "app": { "id": self.id, "name": self.name },
            "attach_url": null,
            "command": command(&dyno.process_type),
            "created_at": seconds_text(dyno.created_at),
            "id": dyno.id,
            "name": dyno.name,
            "release": { "id": self.release.id, "version": self.release.version },
            "size": self.settings.size,
            "state": dyno.state,
            "type": dyno.process_type,
            "updated_at": seconds_text(dyno.updated_at),
        });
        for (field, value) in &dyno.json_overrides {
            match (value, json.as_object_mut()) {
                (Some(value), Some(object)) => {
                    object.insert((*field).to_owned(), value.clone());
                }
                (None, Some(object)) => {
                    object.remove(*field);
                }
                (_, None) => unreachable!("the JSON of a dyno is an object"),
            }
        }
        json
    }
}

/// The id of the account of the token. By default, it owns all apps.
pub(crate) const OWNER: &str = "0f5e1c2a-7b3d-4c68-a9e4-2d6b8f013579";

/// Returns the command of the process type in the Procfile.
pub(crate) fn command(process_type: &str) -> String {
    match process_type {
        "web" => "bin/rails server -p ${PORT:-5000} -e production".to_owned(),
        "worker" => "bundle exec sidekiq".to_owned(),
        "run" => "bash".to_owned(),
        other => format!("bin/{other}"),
    }
}
