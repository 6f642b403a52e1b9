//! Reads from Heroku what the checks need. Each call is made once, and several at the same time.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::heroku::{Account, App, AppName, Client, Collaborator, Error, Feature, Formation, Listing};
use crate::restart::{DryRun, DryRunError, Policy, Restarter, Target, Trigger, When};
use crate::shutdown;

/// How long a fact may take. The client gives a call 10 s; a list may have several pages.
const FACT_TIMEOUT: Duration = Duration::from_secs(20);

/// How many apps are read at the same time.
const APPS_AT_ONCE: usize = 4;

/// What Heroku says of the token and the apps.
pub(super) struct Facts {
    pub(super) account: Result<Account, Error>,
    pub(super) scope: Option<String>,
    /// How many API calls the account has left.
    pub(super) calls_left: Option<u32>,
    /// In the order of `APP_NAME`. None, when the token or the connection is no good.
    pub(super) apps: Vec<AppFacts>,
}

/// What Heroku says of an app. It has no `Debug`, because the URLs of the drains contain keys.
pub(super) struct AppFacts {
    pub(super) name: AppName,
    pub(super) app: Result<App, Error>,
    pub(super) dynos: Result<Listing, Error>,
    pub(super) formation: Result<Vec<Formation>, Error>,
    pub(super) features: Result<Vec<Feature>, Error>,
    pub(super) collaborators: Result<Vec<Collaborator>, Error>,
    pub(super) drains: Result<Vec<Url>, Error>,
    /// What an alert would do now. `None` when the dynos cannot be listed.
    pub(super) dry_run: Option<Result<DryRun, DryRunError>>,
}

/// Reads everything.
pub(super) async fn gather(client: &Client, apps: &[AppName], policy: &Policy) -> Facts {
    let account = within_time(client.account()).await;
    let is_hopeless = matches!(account, Err(Error::Unauthorized(_) | Error::NotSent { .. }));
    let apps = if is_hopeless { Vec::new() } else { gather_apps(client, apps, policy).await };
    Facts { account, scope: client.scope(), calls_left: client.remaining(), apps }
}

async fn gather_apps(client: &Client, apps: &[AppName], policy: &Policy) -> Vec<AppFacts> {
    let turns = Arc::new(Semaphore::new(APPS_AT_ONCE));
    let mut tasks = JoinSet::new();
    for (at, name) in apps.iter().enumerate() {
        let (client, name, policy, turns) = (client.clone(), name.clone(), policy.clone(), Arc::clone(&turns));
        tasks.spawn(async move {
            let _turn = turns.acquire().await.expect("nobody closes the semaphore");
            (at, Box::pin(AppFacts::gather(&client, name, &policy)).await)
        });
    }
    let mut facts = tasks.join_all().await;
    facts.sort_by_key(|(at, _)| *at);
    facts.into_iter().map(|(_, facts)| facts).collect()
}

impl AppFacts {
    async fn gather(client: &Client, name: AppName, policy: &Policy) -> Self {
        let (app, dynos, formation, features, collaborators, drains) = tokio::join!(
            within_time(client.app(&name)),
            within_time(client.dynos(&name)),
            within_time(client.formation(&name)),
            within_time(client.features(&name)),
            within_time(client.collaborators(&name)),
            within_time(client.log_drains(&name)),
        );
        let dry_run = if dynos.is_ok() { Some(dry_run(client, &name, policy).await) } else { None };
        Self { name, app, dynos, formation, features, collaborators, drains, dry_run }
    }
}

/// What an alert that arrives now would do. The task of the app looks once more and makes no pass; dropping it ends it.
async fn dry_run(client: &Client, app: &AppName, policy: &Policy) -> Result<DryRun, DryRunError> {
    let (_switch, stop) = shutdown::switch();
    let (restarter, _workers) = Restarter::start(std::slice::from_ref(app), client, policy, &stop, None, None);
    let trigger =
        Trigger { target: Target::all(When::Now), force: false, arrived: Instant::now(), sender: "check".into() };
    restarter.dry_run(app, trigger).await
}

async fn within_time<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::NoAnswer { reason: format!("timed out after {FACT_TIMEOUT:?}") };
    timeout(FACT_TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
}
