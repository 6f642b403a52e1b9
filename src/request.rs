//! What the query of an alert's URL asks for: which app, which dynos, how.

use crate::restart::{AppName, DynoName, Restarter, Target, Trigger};

/// An alert's wishes, checked.
#[derive(Debug)]
pub struct Request {
    /// Which app.
    pub app: AppName,
    /// What to restart.
    pub trigger: Trigger,
    /// Only say what would be restarted.
    pub dry_run: bool,
}

/// What is wrong with the query. The texts are answers: they say what is accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Several apps are watched and none is named.
    #[error("app is missing; accepted: {0}")]
    NoApp(String),
    /// An app that is not watched.
    #[error("app: not one of the apps watched here; accepted: {0}")]
    UnknownApp(String),
    /// A name that no dyno can have.
    #[error("dyno: no dyno can have that name; accepted: one name such as web.1")]
    ImpossibleDyno,
    /// Something else than `all` or `affected`.
    #[error("scope: accepted: all, affected")]
    UnknownScope,
    /// One dyno and all dynos at once.
    #[error("dyno and scope=all contradict each other; accepted: one of them")]
    Contradiction,
    /// Something else than `true` or `false`.
    #[error("{0}: accepted: true, false")]
    NotABoolean(&'static str),
    /// A parameter that is there twice.
    #[error("{0} is given more than once; accepted: once")]
    Repeated(&'static str),
    /// A parameter that is nearly one of ours. Others are ignored, for some senders add their own; but whoever writes
    /// `dryrun=true` must not get a restart.
    #[error("a parameter is misspelt; accepted: {0}")]
    Misspelt(&'static str),
}

const PARAMETERS: [&str; 5] = ["app", "dyno", "scope", "force", "dry_run"];

impl Request {
    /// Reads a query.
    pub fn parse(query: &str, restarter: &Restarter) -> Result<Self, Fault> {
        let mut given: [Option<String>; PARAMETERS.len()] = Default::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let Some(at) = PARAMETERS.iter().position(|known| bare(known) == bare(&name)) else { continue };
            if PARAMETERS[at] != name {
                return Err(Fault::Misspelt(PARAMETERS[at]));
            }
            if given[at].replace(value.into_owned()).is_some() {
                return Err(Fault::Repeated(PARAMETERS[at]));
            }
        }
        let [app, dyno, scope, force, dry_run] = given;
        let app = parse_app(app.as_deref(), restarter)?;
        let target = parse_target(dyno.as_deref(), scope.as_deref())?;
        let force = parse_boolean("force", force.as_deref())?;
        let dry_run = parse_boolean("dry_run", dry_run.as_deref())?;
        Ok(Self { app, trigger: Trigger { target, force }, dry_run })
    }
}

/// A name without what people get wrong: `dryRun` and `dry-run` are nearly `dry_run`.
fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn parse_app(app: Option<&str>, restarter: &Restarter) -> Result<AppName, Fault> {
    let watched = || restarter.apps().map(AppName::as_str).collect::<Vec<_>>().join(", ");
    let mut apps = restarter.apps();
    match app {
        Some(name) => apps.find(|app| app.as_str() == name).cloned().ok_or_else(|| Fault::UnknownApp(watched())),
        None if apps.len() == 1 => apps.next().cloned().ok_or_else(|| Fault::NoApp(watched())),
        None => Err(Fault::NoApp(watched())),
    }
}

/// `scope=affected` asks for the dynos that the alert's body names. Bodies are not read yet, so it means all of them, as it
/// does for a body that names none.
fn parse_target(dyno: Option<&str>, scope: Option<&str>) -> Result<Target, Fault> {
    let dyno = dyno.map(|name| DynoName::parse(name).ok_or(Fault::ImpossibleDyno)).transpose()?;
    match (scope, dyno) {
        (None | Some("affected"), Some(name)) => Ok(Target::dyno(name)),
        (Some("all"), Some(_)) => Err(Fault::Contradiction),
        (None | Some("all" | "affected"), None) => Ok(Target::All),
        (Some(_), _) => Err(Fault::UnknownScope),
    }
}

fn parse_boolean(name: &'static str, value: Option<&str>) -> Result<bool, Fault> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Fault::NotABoolean(name)),
    }
}
