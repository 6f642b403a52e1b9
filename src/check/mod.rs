//! `dyno-restarter check`: what works, and what to fix. It reads the environment, calls Heroku, and prints one line for each
//! check, with the cure below it. It changes nothing at Heroku.
//!
//! `facts` makes the calls. However slow Heroku is, they take at most a minute for four apps. Each check is a function
//! from what was read to a line: `environment`, `token`, `app`, `dynos` and `drains`. `notify` calls the webhook of the chat,
//! and `database` connects to the database. What an alert would do now is decided by a dry run of [`restart`](crate::restart),
//! not here. A call that Heroku refuses for the scope of the token is no fault: its check says that it cannot be checked.
//!
//! A check runs in a process of its own, so it knows nothing of the service that may be running: which dynos that restarted,
//! its holds, and which alerts wait.

mod app;
mod database;
mod drains;
mod dynos;
mod environment;
mod facts;
mod line;
mod notify;
mod token;

use std::fmt;

pub use environment::{Value, Variable};
pub use line::{Line, Outcome};

use crate::http::auth::Keys;
use crate::notify::WebhookUrl;
use crate::restart::{AppName, Policy};
use crate::util::text::with_causes;
use crate::{drain, heroku, store};

/// `EX_CONFIG` of sysexits.h: the configuration is invalid.
const EXIT_CONFIG: u8 = 78;

/// What is checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) heroku: heroku::Settings,
    pub(crate) apps: Vec<AppName>,
    pub(crate) keys: Keys,
    /// What the keys are called that are easy to guess.
    pub(crate) weak_keys: Vec<String>,
    pub(crate) policy: Policy,
    pub(crate) drain: drain::Settings,
    pub(crate) notify: Option<WebhookUrl>,
    /// The database, if there is one.
    pub(crate) store: Option<store::Settings>,
}

/// What the checks found.
#[derive(Debug)]
pub struct Results {
    lines: Vec<Line>,
    is_environment_valid: bool,
}

/// Checks everything. Without `settings`, because the environment is invalid, nobody is called. `sends_test` asks for a test
/// message to the chat.
pub(crate) async fn run(variables: &[Variable], settings: Option<Settings>, sends_test: bool) -> Results {
    let mut lines: Vec<Line> = variables.iter().map(environment::variable).collect();
    let Some(settings) = settings else {
        return Results { lines, is_environment_valid: false };
    };
    lines.extend(environment::keys(&settings.weak_keys));
    lines.extend(environment::policy(&settings.policy));
    lines.extend(notify::line(settings.notify, &settings.apps, sends_test).await);
    if let Some(store) = &settings.store {
        lines.push(database::line(store).await);
    }
    match heroku::Client::new(settings.heroku) {
        Ok(client) => {
            lines.push(Line::good("CA certificates: loaded"));
            let facts = facts::gather(&client, &settings.apps, &settings.policy).await;
            lines.extend(token::lines(&facts));
            let (keys, memory_limit) = (&settings.keys, settings.drain.memory_limit);
            let service = drains::Service { keys, apps: &settings.apps, memory_limit };
            for app in &facts.apps {
                lines.extend(app::lines(app, &facts.account));
                if app.dynos.is_ok() {
                    lines.extend(dynos::lines(app, &settings.policy));
                    lines.extend(drains::lines(app, &service));
                }
            }
        }
        Err(error) => lines.push(token::no_certificates(&with_causes(&error))),
    }
    Results { lines, is_environment_valid: true }
}

impl Results {
    /// The lines, in the order in which they are printed.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// 0 when the service can work, 1 when something is to be mended at Heroku or in the chat, 78 when the environment is
    /// invalid.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.count(Outcome::Bad) {
            _ if !self.is_environment_valid => EXIT_CONFIG,
            0 => 0,
            _ => 1,
        }
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.lines.iter().filter(|line| line.outcome == outcome).count()
    }
}

impl fmt::Display for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(f, "{line}")?;
        }
        let number = |count, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let warnings = number(self.count(Outcome::Warn), "warning");
        writeln!(f)?;
        match self.count(Outcome::Bad) {
            0 => writeln!(f, "No problems were found; {warnings}."),
            bad => writeln!(f, "{} to fix; {warnings}.", number(bad, "problem")),
        }?;
        if !self.is_environment_valid {
            writeln!(f, "Heroku was not called, because the environment is invalid.")?;
        }
        Ok(())
    }
}
