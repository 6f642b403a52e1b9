//! The heart: an alert comes in as a [`Trigger`], the app's own task makes a pass over the app's dynos, a [`Report`] says
//! what became of each.
//!
//! - `trigger`: what alerts ask for, and how that merges;
//! - `inbox`: where it waits;
//! - `policy`: which dynos are due;
//! - `pass`: the frame of a pass, and `in_turn`: restarting those dynos one after the other;
//! - `in_hand`: those that were told to restart, until they are up again;
//! - `lookout`: looking at them, and `patience`: putting up with an API in trouble;
//! - `report`: what happened, in words.
//!
//! Nothing here knows where alerts come from.

mod in_flight;
mod in_turn;
mod observer;
mod pass;
mod policy;
mod queue;
mod report;
mod retry;
mod target;
mod watched;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tracing::{error, info, warn};

use observer::warn_of_unreadable;
use pass::Pass;
use policy::{History, running};
use queue::{Inbox, Mail, Rehearsal};
use retry::IdlePace;

pub use crate::heroku::{AppName, DynoName, ProcessType};
pub use policy::{GiveUp, Policy};
pub use report::{End, Failure, Outcome, Report, Skip};
use target::Wanted;
pub use target::{Receipt, Target, Trigger, When};
pub use watched::Watched;

use crate::heroku::{Client, Listing};
use crate::shutdown::Stop;
use crate::util::text::list;

/// How many reports are kept of each app.
const REPORTS_KEPT: usize = 50;

/// How long a dry run may be waited for, after a body that may take 10 s. Heroku's router gives up after 30 s.
const LONGEST_REHEARSAL: Duration = Duration::from_secs(19);

/// Takes triggers for the watched apps. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Restarter {
    apps: Arc<BTreeMap<AppName, Arc<App>>>,
    watched: Watched,
    stop: Stop,
}

/// The tasks that make the passes, one for each app. They end when the service is to stop, and not before.
#[derive(Debug)]
pub struct Workers(JoinSet<()>);

/// No trigger is taken any more: the service is being shut down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopping;

/// Why there is no answer to a dry run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRehearsal {
    /// The service is being shut down.
    Stopping,
    /// A pass is under way, or took its place.
    Busy,
    /// Heroku has not answered yet.
    NoAnswer,
}

/// What an app's task and the rest of the service share.
#[derive(Debug, Default)]
struct App {
    inbox: Inbox,
    reports: Mutex<VecDeque<Arc<Report>>>,
}

impl Restarter {
    /// Starts a task for each app.
    #[must_use]
    pub fn start(apps: &[AppName], client: &Client, policy: &Policy, stop: &Stop) -> (Self, Workers) {
        let mut workers = JoinSet::new();
        let mut shared = BTreeMap::new();
        for name in apps {
            let app = Arc::new(App::default());
            shared.insert(name.clone(), Arc::clone(&app));
            let worker = Worker {
                name: name.clone(),
                app,
                client: client.clone(),
                policy: policy.clone(),
                history: History::default(),
                stop: stop.clone(),
            };
            workers.spawn(worker.work());
        }
        let watched = Watched::new(apps, &policy.process_types);
        (Self { apps: Arc::new(shared), watched, stop: stop.clone() }, Workers(workers))
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

    /// Hands over what an alert asks for; does not wait.
    ///
    /// # Errors
    /// When the service is being shut down.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    pub fn trigger(&self, app: &AppName, trigger: Trigger) -> Result<Receipt, Stopping> {
        if self.stop.is_requested() {
            return Err(Stopping);
        }
        self.app(app).inbox.put(trigger).map(|()| Receipt::default())
    }

    /// Says what a pass would restart, and restarts nothing.
    ///
    /// # Errors
    /// When a pass is under way, or the service is being shut down.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    pub async fn rehearse(&self, app: &AppName, trigger: Trigger) -> Result<Report, NoRehearsal> {
        if self.stop.is_requested() {
            return Err(NoRehearsal::Stopping);
        }
        let answer = self.app(app).inbox.put_rehearsal(trigger)?;
        match tokio::time::timeout(LONGEST_REHEARSAL, answer).await {
            Ok(Ok(report)) => Ok(report),
            Ok(Err(_)) if self.stop.is_requested() => Err(NoRehearsal::Stopping),
            Ok(Err(_)) => Err(NoRehearsal::Busy),
            Err(_) => Err(NoRehearsal::NoAnswer),
        }
    }

    /// The latest reports on an app, oldest first; 50 are kept.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`].
    #[must_use]
    pub fn reports(&self, app: &AppName) -> Vec<Arc<Report>> {
        self.app(app).reports.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn app(&self, name: &AppName) -> &App {
        self.apps.get(name).expect("the app is one of those watched")
    }
}

impl Workers {
    /// Waits until a task ends, and says how; `None` when all have ended.
    pub async fn next_end(&mut self) -> Option<Result<(), JoinError>> {
        self.0.join_next().await
    }
}

/// An app's own task.
struct Worker {
    name: AppName,
    app: Arc<App>,
    client: Client,
    policy: Policy,
    history: History,
    stop: Stop,
}

impl Worker {
    /// Makes a pass whenever alerts have come, until the service is to stop.
    async fn work(mut self) {
        let stop = self.stop.clone();
        let mut pace = IdlePace::default();
        tokio::select! {
            _ = stop.requested() => {}
            () = self.introduce() => {}
        }
        loop {
            tokio::select! {
                biased;
                _ = stop.requested() => break,
                () = self.app.inbox.has_mail(&pace) => {}
            }
            let Mail { wanted, alerts, rehearsals } = self.app.inbox.take();
            let idle = if wanted.is_nothing() {
                self.rehearse(rehearsals).await;
                true
            } else {
                self.pass(&wanted, alerts).await
            };
            if idle {
                pace.count();
            }
        }
        self.say_what_is_left();
    }

    /// Looks once, so that a mistake in the set-up shows at the start and not at the first alert.
    async fn introduce(&self) {
        let app = &self.name;
        match self.client.dynos(app).await {
            Ok(listing) => self.say_what_is_watched(&listing),
            Err(cause) if !cause.is_transient() => error!(%app, "cannot watch {app}: {}", End::Api(cause)),
            Err(cause) => warn!(%app, "cannot see {app} yet: {cause}; alerts will be acted on all the same"),
        }
    }

    fn say_what_is_watched(&self, listing: &Listing) {
        let app = &self.name;
        let up = self.policy.process_types.iter().map(|process_type| {
            let up = running(&listing.dynos, process_type).count();
            format!("{up} {process_type} {} up", if up == 1 { "dyno" } else { "dynos" })
        });
        info!(%app, "watching {app}: {}", list(up));
        let there: BTreeSet<_> = listing.dynos.iter().map(|dyno| &dyno.process_type).collect();
        for process_type in self.policy.process_types.iter().filter(|process_type| !there.contains(process_type)) {
            let there = list(&there);
            warn!(%app, "{app} has no {process_type} dynos (it has: {there}); check PROCESS_TYPES");
        }
        warn_of_unreadable(app, listing.unreadable);
        if let Some(scope) = &listing.scope {
            self.check_scope(scope);
        }
    }

    /// `write` is what is needed, and all that is needed.
    fn check_scope(&self, scope: &str) {
        let app = &self.name;
        let has = |wanted: &str| scope.split([' ', ',']).any(|word| word == wanted);
        if has("global") {
            warn!(%app, "RESTART_API_KEY has the scope global, which reaches far more than restarts; write is enough");
        } else if !has("write") && !has("write-protected") {
            error!(
                %app,
                "RESTART_API_KEY may look at {app} but not restart it: its scope is {scope}; make a new token with \
                 `heroku authorizations:create -s write -S`"
            );
        }
    }

    /// Makes a pass; whether it was idle.
    async fn pass(&mut self, wanted: &Wanted, alerts: u64) -> bool {
        let Self { name, app, client, policy, history, stop } = self;
        let mut report = Pass::new(name, client, policy, history, stop).run(wanted, alerts).await;
        if let Some(End::Stopped { waiting }) = &mut report.end {
            // One warning says all that is not done.
            let Mail { wanted, .. } = app.inbox.close();
            *waiting = Some(wanted).filter(|wanted| !wanted.is_nothing()).map(|wanted| wanted.describe());
        }
        report.log();
        let idle = report.is_idle();
        app.keep(report);
        idle
    }

    async fn rehearse(&mut self, rehearsals: Vec<Rehearsal>) {
        let Self { name, client, policy, history, stop, .. } = self;
        let wanted: Vec<_> = rehearsals.iter().map(|rehearsal| &rehearsal.wanted).collect();
        let reports = Pass::new(name, client, policy, history, stop).rehearse(&wanted).await;
        for (rehearsal, report) in rehearsals.into_iter().zip(reports) {
            // Whoever asked may have gone.
            drop(rehearsal.answer.send(report));
        }
    }

    /// Alerts that came too late for a pass are not lost without a word.
    fn say_what_is_left(&self) {
        let app = &self.name;
        let Mail { wanted, .. } = self.app.inbox.close();
        if !wanted.is_nothing() {
            let wanted = wanted.describe();
            warn!(%app, "the restarter is being shut down, and alerts for {app} are dropped: they asked for {wanted}");
        }
    }
}

impl App {
    fn keep(&self, report: Report) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if reports.len() == REPORTS_KEPT {
            reports.pop_front();
        }
        reports.push_back(Arc::new(report));
    }
}
