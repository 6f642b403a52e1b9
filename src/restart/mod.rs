//! The restart logic: an alert comes in as a [`Trigger`], the app's own task makes a pass over the app's dynos, and a
//! [`Report`] says what became of each.
//!
//! - `target`: what alerts ask for, and how that merges; `queue`: where it waits, and `outlook`: for what;
//! - `worker`: the app's own task;
//! - `rollout`: the decisions of a pass, pure, with `event`; `pass`: the driver that does what it says;
//! - `policy`: the settings; `due`: which dynos are due; `fleet`: the dynos as a look shows them; `history`: what is
//!   remembered of them, and `our_dyno`: of one that we restarted;
//! - `retry` and `pacing`: how often the API is called;
//! - with a database, `acceptance` writes alerts there before they are answered, `turn` says whether this process may make
//!   passes over an app, with the decisions of `lease`; `turn_keeper` takes and renews the turns and brings alerts from the
//!   database (`taken_requests`); `pass_in_hand` writes a pass down, and `stored_pass` is what a successor goes on with;
//! - `status`: the current status of an app, built from what its task knows (`view`, which `shared_view` shares); `totals`:
//!   what all passes did, in numbers; `past_passes`: the latest passes of all replicas, and `pass_exchange`: how they get here;
//!   `database`: whether the database answers; `refresh`: reads what other replicas wrote before a page is shown;
//! - `report` and `report_text`: what happened, as data and in words; `pass_log`: the lines of the log; `news`: the events
//!   that are sent to a chat.
//!
//! Nothing here knows where alerts come from.

mod acceptance;
mod database;
mod due;
mod event;
mod fleet;
mod history;
mod lease;
mod news;
mod our_dyno;
mod outlook;
mod pacing;
mod pass;
mod pass_exchange;
mod pass_in_hand;
mod pass_log;
mod past_passes;
mod policy;
mod queue;
mod refresh;
mod report;
mod report_text;
mod retry;
mod rollout;
mod shared_view;
mod status;
mod stored_pass;
mod taken_requests;
mod target;
mod totals;
mod turn;
mod turn_keeper;
mod view;
mod watched;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Sender};
use tokio::task::{JoinError, JoinSet};

pub use crate::heroku::{AppName, DynoName, ProcessType};
pub use event::{Action, Event, Note};
pub use fleet::Look;
pub use history::History;
pub use lease::{Lease, Watch};
pub use news::News;
pub use our_dyno::HoldEnd;
pub use outlook::{Accepted, Hold, Outlook};
pub use past_passes::{DynoRecord, PassRecord};
pub use policy::{GiveUp, Policy};
pub use report::{DryRun, End, Failure, Outcome, Report, Skip};
pub use rollout::Rollout;
pub use status::{
    AppStatus, Booting, DatabaseStatus, DynoEvent, DynoStatus, GivenUp, HoldStatus, PassStatus, Trouble, TurnStatus,
    WaitingAlerts, WaitsFor, WhatHappened,
};
pub use stored_pass::StoredPass;
pub use target::{AlertTime, MergedTarget, Receipt, Target, Trigger, When};
pub use totals::{BUCKETS, Histogram, Totals};
pub use watched::Watched;

pub(crate) use acceptance::Kept;
use acceptance::{Acceptor, acceptance};
pub(crate) use database::dyno_of;
use refresh::Refresh;
use turn::Turn;
use turn_keeper::TurnKeeper;

use crate::heroku::Client;
use crate::shutdown::Stop;
use crate::store::{Exchange, Maintenance, MaintenanceRounds, Postgres};
use crate::util::clock::Clock;
use worker::{Apps, SharedApp, State, Worker};

/// How long a dry run may be waited for, after a body that may take 10 s. Heroku's router gives up after 30 s.
const DRY_RUN_TIMEOUT: Duration = Duration::from_secs(19);

/// Takes triggers for the watched apps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Restarter {
    apps: Arc<Apps>,
    watched: Watched,
    client: Client,
    policy: Policy,
    clock: Clock,
    stop: Stop,
    /// Writes alerts to the database, if there is one.
    acceptor: Option<Acceptor>,
    /// With a database, what brings the status up to date.
    refresh: Option<Refresh>,
}

/// The tasks that make the passes, one for each app. They end when the service is asked to end, and not before.
#[derive(Debug)]
pub struct Workers {
    tasks: JoinSet<()>,
    /// What requests wait for of a task that is not started yet.
    rounds: Option<MaintenanceRounds>,
}

/// No trigger is taken any more: the service is being shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping;

/// Why there is no answer to a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DryRunError {
    /// The service is being shut down.
    Stopping,
    /// A pass is under way, or began instead.
    Busy,
    /// Heroku did not answer in time.
    TimedOut,
}

impl Restarter {
    /// Starts a task for each app. The tasks tell `news` what happens, and keep in `store` what must not be lost.
    #[must_use]
    pub(crate) fn start(
        apps: &[AppName],
        client: &Client,
        policy: &Policy,
        stop: &Stop,
        news: Option<&Sender<News>>,
        store: Option<&Arc<Postgres>>,
    ) -> (Self, Workers) {
        let mut workers = JoinSet::new();
        let mut shared = Apps::new();
        let clock = Clock::start();
        let writing = store.map(acceptance);
        let (worker_ended, ended) = mpsc::unbounded_channel();
        let view_changed = Arc::new(Notify::new());
        let (refresh, tasks) = refresh::refresh();
        let (turns, passes) = (tasks.turns, tasks.passes);
        let keeper =
            |(acceptor, _): &(Acceptor, _)| TurnKeeper::new(acceptor.clone(), clock, ended, &view_changed, turns);
        let mut keeper = writing.as_ref().map(keeper);
        for name in apps {
            let turn = store.map(|store| Arc::new(Turn::new(store)));
            let app = Arc::new(SharedApp::new(clock, policy, turn, &view_changed));
            if let Some(keeper) = &mut keeper {
                keeper.add(name, &app);
            }
            shared.insert(name.clone(), Arc::clone(&app));
            let (client, policy, stop) = (client.clone(), policy.clone(), stop.clone());
            let (name, news, state) = (name.clone(), news.cloned(), State::default());
            let worker = Worker { name, app, client, policy, clock, stop, news, state };
            workers.spawn(worker.work_and_report(worker_ended.clone()));
        }
        let acceptor = writing.map(|(acceptor, writer)| {
            workers.spawn(writer.write(stop.clone()));
            acceptor
        });
        if let Some(keeper) = keeper {
            workers.spawn(keeper.pass_exchange(passes).run(stop.clone()));
            workers.spawn(keeper.run(stop.clone()));
        }
        let watched = Watched::new(apps, &policy.process_types);
        let (client, policy, stop) = (client.clone(), policy.clone(), stop.clone());
        let (refresh, rounds) = store.map(|_| (refresh, tasks.maintenance)).unzip();
        let restarter = Self { apps: Arc::new(shared), watched, client, policy, clock, stop, acceptor, refresh };
        (restarter, Workers { tasks: workers, rounds })
    }

    /// Which apps and process types are watched.
    #[must_use]
    pub fn watched(&self) -> &Watched {
        &self.watched
    }

    /// Whether the service is being shut down.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_requested()
    }

    /// Tells when the service is asked to end.
    #[must_use]
    pub(crate) fn stop(&self) -> &Stop {
        &self.stop
    }

    /// Hands over what an alert asks for; does not wait.
    ///
    /// # Errors
    /// When the service is being shut down.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    pub fn trigger(&self, app: &AppName, trigger: Trigger) -> Result<Accepted, Stopping> {
        if self.stop.is_requested() {
            return Err(Stopping);
        }
        let accepted = self.app(app).queue.put(trigger)?;
        // With a database, this is the way for alerts that it did not take.
        let outlook = if self.has_database() { Outlook::InMemoryOnly } else { accepted.outlook };
        Ok(Accepted { outlook, ..accepted })
    }

    /// Says what a pass would restart, and restarts nothing.
    ///
    /// # Errors
    /// When a pass is under way, Heroku does not answer, or the service is being shut down.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    pub async fn dry_run(&self, app: &AppName, trigger: Trigger) -> Result<DryRun, DryRunError> {
        if self.stop.is_requested() {
            return Err(DryRunError::Stopping);
        }
        let answer = self.app(app).queue.put_dry_run(trigger)?;
        match tokio::time::timeout(DRY_RUN_TIMEOUT, answer).await {
            Ok(Ok(dry_run)) => Ok(dry_run),
            Ok(Err(_)) if self.stop.is_requested() => Err(DryRunError::Stopping),
            Ok(Err(_)) => Err(DryRunError::Busy),
            Err(_) => Err(DryRunError::TimedOut),
        }
    }

    /// The latest reports on passes over an app that this process made, oldest first.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    #[must_use]
    pub fn reports(&self, app: &AppName) -> Vec<Arc<Report>> {
        self.app(app).past().reports()
    }

    /// The latest passes over an app, of all replicas, the latest first; and what of them cannot be shown, and why.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    #[must_use]
    pub fn passes(&self, app: &AppName) -> (Vec<Arc<PassRecord>>, Option<String>) {
        let past = self.app(app).past();
        (past.records(), past.problem())
    }

    /// What there is to say of an app now.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    #[must_use]
    pub fn status(&self, app: &AppName) -> AppStatus {
        let shared = self.app(app);
        let waiting = shared.queue.waiting_alerts();
        let turn = shared.turn.as_ref().map(|turn| turn.status());
        let past = shared.past();
        let is_over = |began_at| past.has(began_at);
        shared.view().status(app, &self.policy, waiting, turn, self.clock.now(), is_over)
    }

    /// Why the last call to Heroku about an app failed, if it did.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    #[must_use]
    pub fn trouble(&self, app: &AppName) -> Option<Trouble> {
        self.app(app).view().trouble().cloned()
    }

    /// The client with which the apps' tasks call Heroku.
    #[must_use]
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Our clock.
    #[must_use]
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// What all passes over an app did since the start.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    #[must_use]
    pub fn totals(&self, app: &AppName) -> Totals {
        self.app(app).totals()
    }

    fn app(&self, name: &AppName) -> &SharedApp {
        self.apps.get(name).expect("the app is one of those watched")
    }
}

impl Workers {
    /// Starts the task that writes for other replicas what this one heard and counted, and that deletes what is old.
    pub(crate) fn maintain(&mut self, store: Arc<Postgres>, exchange: impl Exchange + 'static, restarter: &Restarter) {
        let (Some(rounds), Some(refresh)) = (self.rounds.take(), restarter.refresh.clone()) else { return };
        let (maintenance, stop) = (Maintenance::new(store, exchange, rounds), restarter.stop.clone());
        self.tasks.spawn(async move { maintenance.run(stop, refresh.work_is_done()).await });
    }

    /// Waits until a task ends, and says how; `None` when all have ended.
    pub async fn next_end(&mut self) -> Option<Result<(), JoinError>> {
        self.tasks.join_next().await
    }
}
