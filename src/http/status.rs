//! The service as a whole, as the page shows it to people and `GET /status` to scripts.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::metrics::CounterSource;
use super::recent::{RecentAlert, RecentAlerts};
use crate::drain::{DrainStatus, Drains, Memory};
use crate::notify::NotificationCounts;
use crate::restart::{AppName, AppStatus, DatabaseStatus, PassRecord, Restarter, TurnStatus};
use crate::util::text::{clock_time, human, list};

/// How many apps that need a person the summary speaks of. The others are counted.
const MOST_IN_SUMMARY: usize = 3;

/// What a person should do about a database that does not answer.
const DATABASE_AWAY: &str = "The database does not answer, so alerts are kept in memory only. Look at `heroku pg:info` for the app of the restarter.";

/// What the status is made of.
#[derive(Debug)]
pub(super) struct StatusSource {
    pub(super) restarter: Restarter,
    pub(super) drains: Arc<Drains>,
    pub(super) recent: RecentAlerts,
    pub(super) notifications: Option<NotificationCounts>,
    pub(super) started_at: Timestamp,
}

/// The service now. A field may be added; none is renamed or removed.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    /// The version of the service.
    pub(super) version: &'static str,
    /// The time by the service's clock.
    pub(super) now: Timestamp,
    /// When the service started.
    pub(super) started_at: Timestamp,
    /// Whether nobody needs to do anything.
    pub(super) ok: bool,
    /// That all is well, or what a person should do.
    pub(super) summary: String,
    /// The database, if there is one.
    pub(super) database: Option<DatabaseStatus>,
    pub(super) apps: Vec<AppOverview>,
    /// The latest requests that led to nothing, the latest first.
    pub(super) alerts: Vec<RecentAlert>,
}

/// A watched app.
#[derive(Debug, Serialize)]
pub(super) struct AppOverview {
    /// What a person should do, if anything.
    pub(super) advice: Option<String>,
    #[serde(flatten)]
    pub(super) status: AppStatus,
    pub(super) drain: DrainStatus,
    /// The latest passes, the latest first.
    #[serde(serialize_with = "by_reference")]
    pub(super) passes: Vec<Arc<PassRecord>>,
    /// What of the passes cannot be shown, and why.
    pub(super) passes_problem: Option<String>,
}

impl StatusSource {
    /// The service, or what concerns `only` this app.
    pub(super) fn status(&self, only: Option<&AppName>) -> Status {
        let now = self.restarter.clock().now();
        let is_asked_for = |app: &&AppName| only.is_none_or(|only| *app == only);
        let apps = self.restarter.watched().apps().iter().filter(is_asked_for);
        let apps: Vec<_> = apps.map(|app| self.app(app)).collect();
        let database = self.restarter.database();
        let of_database = database.as_ref().and_then(advice_on_database);
        let of_apps = apps.iter().filter_map(|app| app.advice.as_deref());
        let advice: Vec<&str> = of_database.as_deref().into_iter().chain(of_apps).collect();
        let ok = advice.is_empty() && !self.restarter.is_stopping();
        let summary = if self.restarter.is_stopping() {
            "The restarter is being shut down and takes no alerts.".to_owned()
        } else if advice.is_empty() {
            all_is_well(&apps)
        } else {
            in_short(&advice)
        };
        let (version, started_at, mut alerts) = (env!("CARGO_PKG_VERSION"), self.started_at, self.recent.latest());
        alerts.retain(|alert| alert.app.as_ref().is_none_or(|app| is_asked_for(&app)));
        Status { version, now, started_at, ok, summary, database, apps, alerts }
    }

    /// How many of the other apps need a person; `None` if there is no other one.
    pub(super) fn need_a_person_beside(&self, app: &AppName) -> Option<usize> {
        let others = || self.restarter.watched().apps().iter().filter(|other| *other != app);
        others().next()?;
        Some(others().filter(|other| self.app(other).advice.is_some()).count())
    }

    /// Why a restart could not be made now, if so, without any name.
    pub(super) fn why_not_ready(&self) -> Option<&'static str> {
        if self.restarter.is_stopping() {
            return Some("the restarter is being shut down");
        }
        let apps = self.restarter.watched().apps().iter();
        if apps.clone().any(|app| self.restarter.has_turn_problem(app)) {
            return Some("the database does not say which restarter may make passes: the log and the page say why");
        }
        if self.restarter.database().is_some_and(|database| database.problem.is_some() && !database.acts_alone) {
            return Some("the database cannot be written: the log and the page say why and what to do");
        }
        let troubles: Vec<_> = apps.filter_map(|app| self.restarter.trouble(app)).collect();
        let needs_a_person = troubles.iter().any(|trouble| !trouble.is_transient);
        match troubles.len() {
            0 => None,
            _ if needs_a_person => {
                Some("Heroku refuses the calls for an app: the log and the page say why and what to do")
            }
            _ => Some("Heroku does not answer"),
        }
    }

    /// What the counters of this process are made of.
    pub(super) fn counters(&self) -> CounterSource<'_> {
        let Self { restarter, drains, recent, notifications, .. } = self;
        CounterSource { restarter, drains, recent, notifications: notifications.as_ref() }
    }

    /// A watched app now.
    pub(super) fn app(&self, app: &AppName) -> AppOverview {
        let (status, mut drain) = (self.restarter.status(app), self.drains.status(app));
        for dyno in &status.dynos {
            // A measurement from before the dyno began is one of the process before it.
            let is_of_another = |memory: &Memory| dyno.began_at.is_some_and(|began| memory.at < began);
            if drain.memory.get(&dyno.name).is_some_and(is_of_another) {
                drain.memory.remove(&dyno.name);
            }
        }
        let (passes, passes_problem) = self.restarter.passes(app);
        AppOverview { advice: advice(&status, &drain), status, drain, passes, passes_problem }
    }
}

fn by_reference<S: Serializer>(passes: &[Arc<PassRecord>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(passes.iter().map(|report| &**report))
}

/// What a person should do first, and how much more there is to do.
fn in_short(advice: &[&str]) -> String {
    let shown = advice.iter().take(MOST_IN_SUMMARY).copied().collect::<Vec<_>>().join(" ");
    match advice.len().saturating_sub(MOST_IN_SUMMARY) {
        0 => shown,
        1 => format!("{shown} One more thing needs attention."),
        more => format!("{shown} {more} more things need attention."),
    }
}

fn all_is_well(apps: &[AppOverview]) -> String {
    let named = |is_wanted: fn(&AppStatus) -> bool| -> Vec<&AppName> {
        apps.iter().filter(|app| is_wanted(&app.status)).map(|app| &app.status.app).collect()
    };
    let busy = named(|app| app.pass.is_some());
    let unseen = named(|app| app.looked_at.is_none());
    let down = named(|app| app.dynos.iter().any(|dyno| dyno.is_watched && dyno.state != "up"));
    let empty = named(|app| !app.dynos.iter().any(|dyno| dyno.is_watched));
    if !busy.is_empty() {
        format!("Dynos of {} are being restarted. There is nothing to do.", list(busy))
    } else if !unseen.is_empty() {
        format!("The dynos of {} have not been listed yet.", list(unseen))
    } else if let Some(first) = down.first() {
        let apps = list(&down);
        format!("There is nothing to do for the restarter, but dynos of {apps} are not up: heroku ps -a {first}.")
    } else if !empty.is_empty() {
        format!("There is nothing to restart: Heroku lists no dynos of PROCESS_TYPES for {}.", list(empty))
    } else {
        "All is well. There is nothing to do.".to_owned()
    }
}

/// What a person should do about the database, if it cannot be written.
fn advice_on_database(database: &DatabaseStatus) -> Option<String> {
    let acts_alone = if database.acts_alone { " This restarter acts without it." } else { "" };
    let Some(problem) = &database.problem else {
        return database.acts_alone.then(|| format!("{DATABASE_AWAY}{acts_alone}"));
    };
    let in_memory = match database.unwritten_alerts {
        0 => String::new(),
        1 => " 1 alert is in memory only.".to_owned(),
        alerts => format!(" {alerts} alerts are in memory only."),
    };
    Some(format!("The database cannot be written: {problem}.{in_memory}{acts_alone}"))
}

/// What a person should do about an app, if anything.
fn advice(status: &AppStatus, drain: &DrainStatus) -> Option<String> {
    let app = &status.app;
    if let Some(trouble) = &status.trouble {
        let (error, since) = (&trouble.error, clock_time(trouble.since));
        let remedy = |remedy| format!(" To fix it: {remedy}.");
        let remedy = trouble.remedy.as_ref().map(remedy).unwrap_or_default();
        return Some(if trouble.is_transient {
            format!("Calls to Heroku about {app} have failed since {since}: {error}.{remedy}")
        } else {
            format!("Dynos of {app} cannot be restarted: {error}.{remedy}")
        });
    }
    if status.turn == Some(TurnStatus::DatabaseAway) {
        return Some(DATABASE_AWAY.to_owned());
    }
    if let Some(problem) = &status.turn_problem {
        return Some(format!("No dyno of {app} can be restarted now, and its alerts wait: {problem}."));
    }
    if let Some(hold) = status.holds.first() {
        return Some(format!(
            "Automatic restarts of {app} are on hold: {hold}. Look at its log: heroku logs -a {app} --dyno {}. The hold ends \
             when the dyno is up, and at {} at the latest; force=true overrides it.",
            hold.dyno,
            clock_time(hold.until)
        ));
    }
    if let Some(given_up) = status.given_up.first() {
        let dynos = list(status.given_up.iter().map(|given_up| &given_up.dyno));
        return Some(format!(
            "Restarts do not help {dynos} of {app}. Find the leak, or use a larger dyno size. Alerts count again at {}.",
            clock_time(given_up.until)
        ));
    }
    let silence = human(drain.silence()?);
    Some(format!("No log lines of {app} have come for {silence}. Check its drain: heroku drains -a {app}."))
}
