//! What the log says of each alert: who sent it, what it asks for, and what comes of it.

use std::net::IpAddr;
use std::sync::Arc;

use tracing::{info, warn};

use super::caller::Caller;
use super::params::ParamError;
use super::recent::RecentAlerts;
use crate::alert::{ParseError, UnknownState};
use crate::restart::{AppName, Outlook};
use crate::util::log_throttle::{LogThrottle, Times};

/// How many alerts of one kind are logged one by one in a minute. Heroku reports a dyno three times a minute, so this is three
/// dynos in trouble.
const BURST: u64 = 10;

/// Tells each alert in one line, and a storm of alerts in a few lines and a count.
#[derive(Debug)]
pub(super) struct AlertLog {
    /// For each outcome, app and key: one sender's storm hides no alert of another one.
    alerts: LogThrottle,
    /// For each problem and key.
    problems: LogThrottle,
    recent: RecentAlerts,
}

/// An alert that was handed over, for one of its apps.
#[derive(Debug)]
pub(crate) struct AcceptedAlert {
    pub(crate) app: AppName,
    /// The dynos that it asks for.
    pub(crate) asked: String,
    /// What comes of it now.
    pub(crate) outlook: Outlook,
}

impl AlertLog {
    /// Remembers the alerts that lead to nothing in `recent`, too.
    pub(super) fn new(recent: RecentAlerts) -> Self {
        Self { alerts: LogThrottle::new(BURST), problems: LogThrottle::default(), recent }
    }

    /// Writes the lines that wait for the end of their minute.
    pub(super) fn flush(&self) {
        self.alerts.flush();
        self.problems.flush();
    }

    /// An alert was handed over.
    pub(super) fn accepted(&self, caller: &Caller<'_>, alert: &AcceptedAlert) {
        let AcceptedAlert { app, asked, outlook } = alert;
        self.recent.count("triggered", Some(app));
        self.tell("accepted", Some(app), caller, || format!("was accepted and asks for {asked}: {outlook}"));
    }

    /// An alert was delivered before.
    pub(super) fn repeated(&self, caller: &Caller<'_>, app: Option<&AppName>) {
        self.recent.add("repeated", app, caller.key(), "it was delivered again and counts once");
        self.tell("repeated", app, caller, || "was delivered again and counts once".to_owned());
    }

    /// An alert asks for nothing.
    pub(super) fn ignored(&self, caller: &Caller<'_>, app: Option<&AppName>, reason: &str) {
        self.recent.add("ignored", app, caller.key(), reason);
        self.tell("ignored", app, caller, || format!("was ignored: {reason}"));
    }

    /// An alert asks only what would be restarted.
    pub(super) fn dry_run(&self, caller: &Caller<'_>, app: &AppName, asked: &str) {
        self.recent.add("dry run", Some(app), caller.key(), &format!("it asks for {asked}, and nothing is restarted"));
        self.tell("dry_run", Some(app), caller, || format!("is a dry run and asks for {asked}: nothing is restarted"));
    }

    /// What is wrong with the URL of an alert.
    pub(super) fn not_acted_on(&self, key: &str, error: &ParamError) {
        self.misdirected(key, &format!("an alert was not acted on: {error}"));
    }

    /// A request with a valid key was not acted on: its sender may ignore the response, but somebody set it up.
    pub(super) fn misdirected(&self, key: &str, problem: &str) {
        self.recent.add("not acted on", None, key, problem);
        let text = problem.to_owned();
        self.log_problem(problem, key, move |key, times| {
            warn!(key, count = times.count(), "{text}{times} (key {key}). Correct the URL that the sender calls");
        });
    }

    /// A log drain has the URL for alerts: Heroku ignores the response.
    pub(super) fn log_drain(&self, key: &str) {
        self.recent.add("not acted on", None, key, "a log drain delivers to /restart_web_dynos");
        self.log_problem("log drain", key, |key, times| {
            warn!(
                key,
                count = times.count(),
                "a log drain delivers to /restart_web_dynos, and nothing is restarted for it{times} (key {key}). Remove it with \
                 `heroku drains:remove` and add it with the right URL: heroku drains:add \"https://drain:KEY@HOST/drain\" -a APP"
            );
        });
    }

    /// An alert that counts has a word in a field of a state that no rule knows.
    pub(super) fn unknown_state(&self, state: &UnknownState) {
        let UnknownState { field, word } = state.clone();
        self.problems.log_with(&["unknown state", &field, &word].join(" "), || {
            let only_if = state.only_if();
            move |times| {
                info!(
                    count = times.count(),
                    "an alert says {word} in its field {field}, a word that is not known: it counts as trouble{times}. To decide \
                     by this field, add {only_if} to the URL, with every word that means trouble"
                );
            }
        });
    }

    /// A sender asks a person to open this URL before it sends alerts.
    pub(super) fn unconfirmed(&self, url: String) {
        self.problems.log("subscription", move |times| {
            warn!(count = times.count(), "to receive alerts, confirm the subscription{times}: open {url}");
        });
    }

    /// An alert is answered 503, if its sender still waits for the answer.
    pub(super) fn stopping(&self, key: &str) {
        self.log_problem("stopping", key, |key, times| {
            warn!(
                key,
                count = times.count(),
                "an alert was not acted on, because the service is being shut down{times} (key {key}). The answer asks to send \
                 it again"
            );
        });
    }

    /// `line` writes the log line about a problem of this kind with the requests of a key.
    fn log_problem(&self, kind: &str, key: &str, line: impl FnOnce(&str, Times) + Send + 'static) {
        let owned_key = key.to_owned();
        self.problems.log(&[kind, key].join(" "), move |times| line(&owned_key, times));
    }

    /// The body of an alert is not understood.
    pub(super) fn not_understood(&self, error: ParseError, is_signed: bool) {
        let then = if is_signed && error.is_incomplete() {
            "The body is ignored, because its signature cannot be checked without the rest"
        } else {
            "What comes before the error is used"
        };
        // Not the place in the body, which differs from alert to alert.
        let kind = error.to_string();
        self.problems.log(&[kind.split(',').next().unwrap_or_default(), then].join(" "), move |times| {
            warn!(count = times.count(), "the body of an alert was not understood: {error}{times}. {then}");
        });
    }

    fn tell(&self, outcome: &'static str, app: Option<&AppName>, caller: &Caller<'_>, what: impl FnOnce() -> String) {
        let key = caller.key();
        self.alerts.log_with(&[outcome, app.map_or("", AppName::as_str), key].join(" "), || {
            let (what, from) = (what(), caller.to_string());
            let (user, agent) = (caller.user(), caller.agent());
            let address = caller.address().as_ref().map(IpAddr::to_string);
            let (app, key) = (app.cloned(), Arc::clone(key));
            move |times: Times| {
                let about = app.as_ref().map(|app| format!(" for {app}")).unwrap_or_default();
                info!(
                    event = "alert",
                    app = app.as_ref().map(AppName::as_str),
                    outcome,
                    key = &*key,
                    user,
                    agent,
                    address,
                    count = times.count(),
                    "an alert{about} {what}{times} ({from})"
                );
            }
        });
    }
}
