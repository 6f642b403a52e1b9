//! What the log says of each alert: who sent it, what it asks for, and what comes of it.

use std::net::IpAddr;
use std::sync::Arc;

use tracing::info;

use super::caller::Caller;
use super::recent::RecentAlerts;
use crate::restart::{AppName, Outlook};
use crate::util::log_throttle::{LogThrottle, Times};

/// How many alerts of one kind are logged one by one in a minute. Heroku reports a dyno three times a minute, so this is three
/// dynos in trouble.
const BURST: u64 = 10;

/// Tells each alert in one line, and a storm of alerts in a few lines and a count.
#[derive(Debug)]
pub(super) struct AlertLog {
    /// For each outcome, app and key: one sender's storm hides no alert of another one.
    throttle: LogThrottle<Kind>,
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

/// Alerts that are counted together: the same outcome, app and key.
type Kind = (&'static str, Option<AppName>, Arc<str>);

impl AlertLog {
    /// Remembers the alerts that lead to nothing in `recent`, too.
    pub(super) fn new(recent: RecentAlerts) -> Self {
        Self { throttle: LogThrottle::new(BURST), recent }
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

    fn tell(&self, outcome: &'static str, app: Option<&AppName>, caller: &Caller<'_>, what: impl FnOnce() -> String) {
        self.throttle.log_with(&(outcome, app.cloned(), Arc::clone(caller.key())), || {
            let (what, from) = (what(), caller.to_string());
            let (user, agent) = (caller.user(), caller.agent());
            let address = caller.address().as_ref().map(IpAddr::to_string);
            move |(outcome, app, key): &Kind, times: Times| {
                let about = app.as_ref().map(|app| format!(" for {app}")).unwrap_or_default();
                info!(
                    event = "alert",
                    app = app.as_ref().map(AppName::as_str),
                    outcome = *outcome,
                    key = &**key,
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
