//! The configuration, read once from the environment. Only this module knows the names of the variables. Their order is the
//! same here, in `.env.example` and in `docs/operations.md`.
//!
//! All errors are reported at once, and never a value: somebody may have put a secret into the wrong variable.

mod parse;

use std::ffi::OsString;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::filter::Targets;

use crate::check::{Value, Variable};
use crate::http::auth::{Keys, NamedKey};
use crate::http::listener::Listen;
use crate::notify::WebhookUrl;
use crate::restart::{AppName, Policy};
use crate::util::ordered::CollectOrdered;
use crate::util::secrets::Secrets;
use crate::{drain, heroku, store, telemetry};

/// The settings of each part.
#[derive(Debug)]
pub struct Config {
    /// How to reach Heroku.
    pub(crate) heroku: heroku::Settings,
    /// The apps whose dynos are restarted.
    pub(crate) apps: Vec<AppName>,
    /// The keys that allow it.
    pub(crate) keys: Keys,
    /// The names of those that are easy to guess; the place of a key that has no name.
    pub(crate) weak_keys: Vec<String>,
    /// Where to listen.
    pub listen: Listen,
    /// How to restart them.
    pub(crate) policy: Policy,
    /// What counts as trouble in a log drain.
    pub(crate) drain: drain::Settings,
    /// The database, if there is one.
    pub store: Option<store::Settings>,
    /// Where messages for a person go.
    pub(crate) notify: Option<WebhookUrl>,
    /// What to log, and how.
    pub log: telemetry::Settings,
}

/// Everything that is wrong with the environment.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

#[derive(Debug, PartialEq, Eq)]
struct ConfigError {
    variable: &'static str,
    problem: String,
    example: &'static str,
}

impl Config {
    /// Reads the environment through `lookup`, which returns the value of a variable. An empty value counts as not set.
    ///
    /// # Errors
    /// When any variable is missing or invalid. The error lists all of them.
    pub fn from_lookup(lookup: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, ConfigErrors> {
        Self::examine(lookup).0
    }

    /// The same, and what is to be said of each variable.
    pub(crate) fn examine(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> (Result<Self, ConfigErrors>, Vec<Variable>) {
        let mut env = Environment { lookup, variables: Vec::new() };

        let token = env.required("RESTART_API_KEY", "HRKU-01234567-89ab-cdef-0123-456789abcdef", parse::token);
        let apps = env.required("APP_NAME", "shop", |text| parse::list(text, parse::app));
        let is_token = |key: &str| token.as_ref().is_some_and(|token: &SecretString| token.expose_secret() == key);
        let keys = env.required("RESTART_WEBHOOK_KEY", "the output of `openssl rand -hex 32`", |text| {
            parse::keys(text, is_token)
        });
        let listen = env.listen();
        let process_types =
            env.optional("PROCESS_TYPES", "web", "web,worker", |text| parse::list(text, parse::process_type));
        let min_age = env.optional("MIN_AGE", "5m", "5m", parse::min_age);
        let boot_timeout =
            env.optional("BOOT_TIMEOUT", "2m", "2m", |text| parse::time_span(text, parse::SHORTEST_BOOT));
        let settle_time = env.optional("SETTLE_TIME", "0s", "30s", parse::duration);
        let max_unavailable = env.optional("MAX_UNAVAILABLE", "1", "1", parse::count);
        let give_up_after = env.optional("GIVE_UP_AFTER", "3 in 1h", "3 in 1h", parse::give_up);
        let errors = env.optional("ERRORS", "R14,R15", "R14,R15,H12", |text| parse::list(text, parse::code));
        let tolerance = env.optional("TOLERANCE", "3 in 2m", "3 in 2m", parse::tolerance);
        let memory_limit = env.optional("MEMORY_LIMIT", "off", "90% or 480MB", parse::memory_limit);
        let database = env.optional(
            "DATABASE_URL",
            "",
            "postgres://USER:PASSWORD@HOST:5432/DATABASE, as Heroku Postgres sets it",
            parse::database_url,
        );
        let notify_url =
            env.optional("NOTIFY_URL", "", "https://hooks.slack.com/services/T000/B000/XXXX", parse::notify_url);
        let api_url = env.optional("HEROKU_API_URL", "https://api.heroku.com", "https://api.heroku.com", parse::url);
        let format = env.optional("LOG_FORMAT", "text", "json", parse::format);
        let filter = env.optional("RUST_LOG", "info", "info,dyno_restarter=debug", |text| {
            text.parse::<Targets>().map_err(|_| "is not a valid filter".to_owned())
        });

        // Heroku sets it, and nobody else needs to: it is not in the list of the variables.
        let dyno = env.text("DYNO").ok().flatten();
        let urls = ["DATABASE_URL", "NOTIFY_URL"].map(|variable| env.text(variable).ok().flatten());
        let urls: Vec<String> = urls.into_iter().flatten().flat_map(parse::secrets_of_url).collect();
        let variables = env.variables;
        let invalid = ConfigErrors(variables.iter().filter_map(ConfigError::of).collect());
        let config = || {
            let (token, keys) = (token?, keys?);
            let secrets = keys.iter().map(|(_, key)| key).chain(&urls).map(String::as_str);
            let secrets = Secrets::new(secrets.chain([token.expose_secret()]));
            let named_keys = keys.iter().map(|(name, secret)| NamedKey { name: name.as_deref(), secret });
            Some(Self {
                heroku: heroku::Settings { api_url: api_url?, token },
                apps: apps?,
                keys: Keys::new(named_keys, secrets.clone()),
                weak_keys: weak_keys(&keys),
                listen: listen?,
                policy: Policy {
                    process_types: process_types?,
                    min_age: min_age?,
                    boot_timeout: boot_timeout?,
                    settle_time: settle_time?,
                    max_unavailable: max_unavailable?,
                    give_up_after: give_up_after?,
                },
                drain: drain::Settings {
                    errors: errors?.into_iter().collect_ordered(),
                    threshold: tolerance?,
                    memory_limit: memory_limit?,
                },
                store: database?.map(|url| store::Settings { url, dyno, timing: store::Timing::default() }),
                notify: notify_url?,
                log: telemetry::Settings { format: format?, filter: filter?, secrets },
            })
        };
        (config().filter(|_| invalid.0.is_empty()).ok_or(invalid), variables)
    }

    /// Reads only where to listen.
    pub(crate) fn listen_from_lookup(
        lookup: impl Fn(&'static str) -> Option<OsString>,
    ) -> Result<Listen, ConfigErrors> {
        let mut env = Environment { lookup, variables: Vec::new() };
        env.listen().ok_or_else(|| ConfigErrors(env.variables.iter().filter_map(ConfigError::of).collect()))
    }
}

impl ConfigError {
    fn of(variable: &Variable) -> Option<Self> {
        match &variable.value {
            Value::Invalid { problem, example } => {
                Some(Self { variable: variable.name, problem: problem.clone(), example })
            }
            Value::Set | Value::Default(_) => None,
        }
    }
}

fn weak_keys(keys: &[(Option<String>, String)]) -> Vec<String> {
    let numbered = (1..).zip(keys).filter(|(_, (_, key))| parse::is_weak(key));
    numbered.map(|(number, (name, _))| name.clone().unwrap_or_else(|| number.to_string())).collect()
}

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let variables = if self.0.len() == 1 { "variable" } else { "variables" };
        write!(f, "dyno-restarter cannot start: invalid environment {variables}:")?;
        for ConfigError { variable, problem, example } in &self.0 {
            write!(f, "\n  {variable} {problem}. Expected, for example: {example}")?;
        }
        Ok(())
    }
}

/// The environment, and what was found in it so far, one entry for each variable.
struct Environment<L> {
    lookup: L,
    variables: Vec<Variable>,
}

impl<L: Fn(&'static str) -> Option<OsString>> Environment<L> {
    fn listen(&mut self) -> Option<Listen> {
        self.optional("PORT", "3000", "3000", parse::listen)
    }

    fn required<T>(
        &mut self,
        variable: &'static str,
        example: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(variable);
        let parsed = text.and_then(|text| match text.as_deref() {
            None => Err("is not set".to_owned()),
            Some(text) => parse(text),
        });
        self.note(parsed, variable, Value::Set, example)
    }

    fn optional<T>(
        &mut self,
        variable: &'static str,
        default: &'static str,
        example: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(variable);
        let value = if matches!(text, Ok(None)) { Value::Default(default) } else { Value::Set };
        let parsed = text.and_then(|text| parse(text.as_deref().unwrap_or(default)));
        self.note(parsed, variable, value, example)
    }

    fn text(&self, variable: &'static str) -> Result<Option<String>, String> {
        let value = (self.lookup)(variable).map(OsString::into_string).transpose();
        let text = value.map_err(|_| "is not UTF-8 text".to_owned())?;
        if text.as_deref().is_some_and(|text| text.trim().starts_with(['"', '\''])) {
            return Err(
                "begins with a quotation mark, which would become part of the value; remove the quotation marks"
                    .to_owned(),
            );
        }
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    fn note<T>(
        &mut self,
        parsed: Result<T, String>,
        variable: &'static str,
        value: Value,
        example: &'static str,
    ) -> Option<T> {
        let (parsed, value) = match parsed {
            Ok(parsed) => (Some(parsed), value),
            Err(problem) => (None, Value::Invalid { problem, example }),
        };
        self.variables.push(Variable { name: variable, value });
        parsed
    }
}
