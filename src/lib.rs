//! Restarts the running web dynos of a Heroku app, one after the other, when an alert arrives.
//!
//! # The path of one alert
//!
//! 1. A monitoring service calls the webhook. `http::listener` accepts the connection, and `http::router` handles the
//!    request.
//! 2. `http::auth` checks the key or the signature before anything else; `http::params` parses the query.
//! 3. `http::body` reads the body, [`alert`] extracts what it says, and `http::decision` decides what to do: nothing, if the
//!    alert has recovered, or a [`restart::Trigger`], which `http::webhook` hands over. The response is
//!    `202 Restart triggered`; it does not wait for Heroku.
//! 4. In the background, the app's own task makes a pass ([`restart`]). It lists the dynos through [`heroku`], keeps those
//!    that are running, of a watched process type and old enough, and restarts them in turn, each one only when the one
//!    before is up again.
//! 5. A [`restart::Report`] in the log says what became of each dyno.
//!
//! With Heroku's own log drain as the source, [`drain`] replaces step 3: [`logplex`] finds the few lines that matter, and
//! the drain counts them until the threshold is reached. The rest is the same.
//!
//! With a webhook of a chat, `notify` tells a person what happened. [`mod@check`] says what works and what to fix, without
//! serving. [`mod@health`] says whether a service on the same machine answers.
//!
//! With a database, [`store`] keeps what was accepted and what is remembered, and several replicas act as one.
//!
//! [`config`] reads the environment, [`telemetry`] sets up the log, [`shutdown`] handles SIGTERM, and `util` has small tools.

pub mod alert;
pub mod check;
pub mod config;
pub mod drain;
pub mod health;
pub mod heroku;
mod http;
pub mod logplex;
mod notify;
pub mod restart;
pub mod shutdown;
pub mod store;
pub mod telemetry;
mod util;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{info, warn};

use config::{Config, ConfigErrors};
use drain::{Drains, Silence, SilenceWatch};
pub use http::auth::signature;
pub use http::listener::{Listen, bind};
use http::{AlertIntake, listener, router};
use notify::Notifier;
use restart::{Restarter, Workers};
use shutdown::{PanicAlarm, Switch};
use store::Postgres;
pub use util::dedup::SeenIds;
pub use util::text::with_causes;

/// How long the apps' tasks may take to end. They wait for restarts in progress for [`shutdown::GRACE`] (25 s), and Heroku
/// kills after 30 s.
const WORKER_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(27);

/// Why the service could not start, or ended unexpectedly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An HTTP client could not be set up.
    #[error(
        "cannot set up HTTPS for the calls to Heroku and to NOTIFY_URL; if CA certificates are missing, install the package \
         ca-certificates, or name a file of them in SSL_CERT_FILE"
    )]
    Client(#[source] reqwest::Error),
    /// The connection to the database could not be set up.
    #[error(
        "cannot set up TLS for DATABASE_URL; if CA certificates are missing, install the package ca-certificates, or name a \
         file of them in SSL_CERT_FILE"
    )]
    Database(#[source] rustls::Error),
    /// The task of an app ended, so nobody would act on its alerts.
    #[error("the task that restarts dynos ended unexpectedly: {0}")]
    WorkerEnded(String),
    /// The task that sends notifications ended.
    #[error("the task that sends notifications ended unexpectedly: {0}")]
    NotifierEnded(String),
    /// The code that handles a request panicked, so its alert may be lost.
    #[error("the code that handles a request panicked")]
    RequestPanicked,
}

/// The service: the apps' tasks, which are running already, and the routes, which are not served yet.
#[derive(Debug)]
pub struct Service {
    restarter: Restarter,
    workers: Workers,
    switch: Switch,
    router: Router,
    intake: Arc<AlertIntake>,
    panics: PanicAlarm,
    silence: SilenceWatch,
    notifications: Notifications,
}

/// The task that sends notifications, if there is one.
#[derive(Debug, Default)]
struct Notifications {
    task: JoinSet<()>,
    silences: Option<mpsc::Sender<Silence>>,
}

/// Runs the service on `listener` until `shutdown` completes: [`Service::new`] and [`Service::run`].
///
/// # Errors
/// When the service cannot start, or one of its tasks ends unexpectedly.
pub async fn run(config: Config, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
    Service::new(config)?.run(listener, shutdown).await
}

/// Checks the environment that `lookup` returns, and what it names at Heroku. Nothing is changed there. `sends_test` asks
/// for a test message to `NOTIFY_URL`.
pub async fn check(lookup: impl Fn(&'static str) -> Option<OsString>, sends_test: bool) -> check::Results {
    let (config, variables) = Config::examine(lookup);
    let settings = config.ok().map(|config| check::Settings {
        heroku: config.heroku,
        apps: config.apps,
        keys: config.keys,
        weak_keys: config.weak_keys,
        policy: config.policy,
        drain: config.drain,
        notify: config.notify,
        store: config.store,
    });
    check::run(&variables, settings, sends_test).await
}

/// Asks the service that runs on this machine whether it serves. Of the environment, only the port is read.
///
/// # Errors
/// When it does not answer, or the port is invalid.
pub fn health(lookup: impl Fn(&'static str) -> Option<OsString>) -> Result<(), HealthError> {
    Ok(health::ask(Config::listen_from_lookup(lookup)?)?)
}

/// Why [`health()`] failed.
#[derive(Debug, thiserror::Error)]
pub enum HealthError {
    /// The port is invalid.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// The service does not answer.
    #[error(transparent)]
    Unhealthy(#[from] health::Unhealthy),
}

impl Service {
    /// Starts the tasks of the apps. To be called in a tokio runtime.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn new(config: Config) -> Result<Self, Error> {
        let client = heroku::Client::new(config.heroku).map_err(Error::Client)?;
        let (switch, stop) = shutdown::switch();
        let notifier = config.notify.map(Notifier::new).transpose().map_err(Error::Client)?;
        let (notifier, senders) = notifier.unzip();
        let news = senders.as_ref().map(|senders| &senders.news);
        let store = config.store.as_ref().map(Postgres::new).transpose().map_err(Error::Database)?.map(Arc::new);
        let (restarter, mut workers) =
            Restarter::start(&config.apps, &client, &config.policy, &stop, news, store.as_ref());
        // With the apps' tasks, the last sender of news goes: that ends the notifier.
        let (silences, counts) = senders.map(|senders| (senders.silences, senders.counts)).unzip();
        let drains = Arc::new(Drains::new(restarter.clone(), client, config.drain));
        if let Some(store) = store {
            let exchange = http::ReplicaExchange::new(&restarter, config.keys.recent(), &drains, counts.as_ref());
            workers.maintain(store, exchange, &restarter);
        }
        let own_url = config.keys.own_url();
        let run = |notifier: Notifier| {
            notifier.run(notify::Sources { drains: Arc::clone(&drains), own_url: own_url.clone() })
        };
        let notifications = Notifications { task: notifier.into_iter().map(run).collect(), silences };
        let silence = drains.silence();
        let panics = PanicAlarm::default();
        let intake = Arc::new(AlertIntake::new(restarter.clone(), config.keys, panics.clone()));
        let router = router::router(Arc::clone(&intake), drains, counts);
        Ok(Self { restarter, workers, switch, router, intake, panics, silence, notifications })
    }

    /// Takes triggers directly, and has the reports on the latest passes.
    #[must_use]
    pub fn restarter(&self) -> &Restarter {
        &self.restarter
    }

    /// Serves on `listener` until `shutdown` completes, then waits for the restarts in progress.
    ///
    /// # Errors
    /// When the task of an app ends unexpectedly, or the code of a request panics. The process must exit then, because nobody
    /// would act on the alerts that it accepts; the other apps' restarts in progress are waited for first.
    pub async fn run(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { mut workers, switch, router, intake, panics, silence, mut notifications, .. } = self;
        let silences = notifications.silences.clone();
        let (work_is_done, no_more_requests) = oneshot::channel::<()>();
        let secrets = intake.keys().secrets().clone();
        let serving = listener::serve(listener, router, secrets, panics.clone(), async {
            // An error means that the sender was dropped, which is the signal.
            no_more_requests.await.ok();
        });
        let working = async {
            let outcome = tokio::select! {
                () = shutdown => Ok(()),
                error = unexpected_end(&mut workers) => Err(error),
                () = panics.raised() => Err(Error::RequestPanicked),
                error = notifications.unexpected_end() => Err(error),
            };
            if outcome.is_ok() {
                info!("shutting down: no new alerts are taken; restarts in progress are waited for");
            } else {
                // The caller logs the error.
                warn!("shutting down: a part of the service failed; restarts in progress are waited for");
            }
            switch.stop();
            let finished = finish(&mut workers).await;
            drop(work_is_done);
            let notified = notifications.finish().await;
            outcome.and(finished).and(notified)
        };
        let tell_silence = |silence| {
            if let Some(silences) = &silences {
                // A full channel means that nothing could be sent for long.
                silences.try_send(silence).ok();
            }
        };
        let (outcome, ()) = tokio::select! {
            ended = async { tokio::join!(working, serving) } => ended,
            never = silence.run(tell_silence) => match never {},
        };
        intake.flush_log();
        outcome.and(if panics.is_raised() { Err(Error::RequestPanicked) } else { Ok(()) })
    }
}

impl Notifications {
    /// Waits for the task to end. It should not.
    async fn unexpected_end(&mut self) -> Error {
        match self.task.join_next().await {
            Some(Err(panic)) => Error::NotifierEnded(panic.to_string()),
            Some(Ok(())) => Error::NotifierEnded("it returned".to_owned()),
            // There is none.
            None => std::future::pending().await,
        }
    }

    /// Gives the task a short time to send what waits, after the apps' tasks have ended.
    async fn finish(&mut self) -> Result<(), Error> {
        match tokio::time::timeout(notify::SHUTDOWN_TIMEOUT, self.task.join_next()).await {
            Ok(Some(Err(panic))) => Err(Error::NotifierEnded(panic.to_string())),
            Ok(_) => Ok(()),
            Err(_) => {
                warn!(
                    "shutting down with notifications that were not sent: the webhook of NOTIFY_URL did not accept them in time"
                );
                Ok(())
            }
        }
    }
}

/// Waits for the first task to end. None should.
async fn unexpected_end(workers: &mut Workers) -> Error {
    match workers.next_end().await {
        Some(Err(panic)) => Error::WorkerEnded(panic.to_string()),
        Some(Ok(())) | None => Error::WorkerEnded("it returned".to_owned()),
    }
}

/// Waits for the tasks to finish the restarts in progress. Until then, new alerts are answered 503.
async fn finish(workers: &mut Workers) -> Result<(), Error> {
    let mut outcome = Ok(());
    let all_ended = async {
        while let Some(end) = workers.next_end().await {
            if let Err(panic) = end {
                outcome = Err(Error::WorkerEnded(panic.to_string()));
            }
        }
    };
    if tokio::time::timeout(WORKER_SHUTDOWN_TIMEOUT, all_ended).await.is_err() {
        warn!("shutting down although restarts are still in progress");
    }
    outcome
}
