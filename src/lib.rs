//! Restarts the running web dynos of a Heroku app, one after the other, when an alert arrives.
//!
//! # The path of one alert
//!
//! 1. A monitoring service calls the webhook: [`http::listener`] takes the connection, [`http::router`] the request.
//! 2. [`http::auth`] checks the key, or the signature, before anything else is looked at; [`http::params`] reads what the
//!    URL asks for.
//! 3. [`http::body`] reads the body, [`alert`] reads what it says, and [`http::decision`] tells what follows: nothing, for
//!    the alert has recovered, or a [`restart::Trigger`], which [`http::webhook`] hands over. The answer is
//!    `202 Restart triggered`; nobody waits for Heroku.
//! 4. In the background the app's own task makes a pass ([`restart`]): it lists the dynos through [`heroku`], keeps those
//!    that are running, of a watched process type and old enough, and restarts each in turn, the next one only when the
//!    one before is up again.
//! 5. A [`restart::Report`] says in the log what became of each dyno.
//!
//! Where Heroku's own log drain is the source, [`drain`] takes the place of step 3: [`logplex`] finds the few lines that
//! matter, and they are counted until the threshold is reached. What follows is the same.
//!
//! [`config`] reads the environment, [`telemetry`] writes the log, [`shutdown`] is the way out, [`util`] holds small tools.

pub mod alert;
pub mod config;
pub mod drain;
pub mod heroku;
pub mod http;
pub mod logplex;
pub mod restart;
pub mod shutdown;
pub mod telemetry;
pub mod util;

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{info, warn};

use config::Config;
use drain::Drains;
use http::{listener, router};
use restart::{Restarter, Workers};

/// How long the tasks may take to end. They see a dyno through for [`shutdown::GRACE`] (25 s); Heroku kills at 30 s.
const LONGEST_GOODBYE: Duration = Duration::from_secs(27);

/// Why the service ended when it should not have.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client could not be set up.
    #[error("setting up the client of the Platform API")]
    Client(#[source] reqwest::Error),
    /// The task of an app ended, so its alerts would go unheard.
    #[error("the task that restarts dynos ended unexpectedly: {0}")]
    WorkerEnded(String),
}

/// Runs the service on `listener` until `end`, then finishes what is in hand.
///
/// # Errors
/// When it cannot start, or a task ends that should not. The process must not live on then: it would accept alerts that
/// nobody acts on.
pub async fn run(config: Config, listener: TcpListener, end: impl Future<Output = ()>) -> Result<(), Error> {
    let client = heroku::Client::new(config.heroku).map_err(Error::Client)?;
    let (switch, stop) = shutdown::switch();
    let (restarter, mut workers) = Restarter::start(&config.apps, &client, &config.policy, &stop);
    let drains = Drains::new(restarter.clone(), config.drain);
    let router = router::router(restarter, drains, config.keys);

    let (work_is_done, no_more_requests) = oneshot::channel::<()>();
    let serving = listener::serve(listener, router, async {
        // A sender that is gone says the same.
        no_more_requests.await.ok();
    });
    let working = async {
        let ended = tokio::select! {
            () = end => Ok(()),
            ended = unexpected_end(&mut workers) => Err(ended),
        };
        switch.stop();
        if ended.is_ok() {
            finish(&mut workers).await;
        }
        drop(work_is_done);
        ended
    };
    let (ended, ()) = tokio::join!(working, serving);
    ended
}

/// Waits for a task to end by itself, which none should.
async fn unexpected_end(workers: &mut Workers) -> Error {
    match workers.next_end().await {
        Some(Err(panic)) => Error::WorkerEnded(panic.to_string()),
        Some(Ok(())) | None => Error::WorkerEnded("it returned".to_owned()),
    }
}

/// Lets the tasks see through what is in hand. Until they are done, new alerts are answered 503.
async fn finish(workers: &mut Workers) {
    info!("shutting down: no new alerts; a restart in hand is seen through");
    let all_ended = async { while workers.next_end().await.is_some() {} };
    if tokio::time::timeout(LONGEST_GOODBYE, all_ended).await.is_err() {
        warn!("shutting down although a restart is still in hand");
    }
}
