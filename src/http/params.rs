//! What the query of an alert's URL asks for: which app, which dynos, how.

use crate::restart::{AppName, DynoName, Restarter};
use crate::util::query::{PARAMETERS, own_parameters, parameters};

/// The wishes in a URL, checked.
#[derive(Debug)]
pub struct Request {
    /// Which app. `None` when several are watched and the URL does not say; the alert itself may.
    pub app: Option<AppName>,
    /// Just this dyno, whichever the alert names.
    pub dyno: Option<DynoName>,
    /// Which dynos otherwise.
    pub scope: Scope,
    /// Restart even young dynos and ones that were given up on.
    pub force: bool,
    /// Only say what would be restarted.
    pub dry_run: bool,
}

/// Which dynos to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All watched ones, unless the alert is about others alone.
    Default,
    /// All watched ones, whatever the alert names.
    All,
    /// Those that the alert names; all, when it names none.
    Affected,
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
    /// A parameter behind a URL that stands in the query as it is.
    #[error("{0} stands behind a URL in the query; accepted: in front of it")]
    Misplaced(&'static str),
    /// A parameter that is nearly one of ours. Others are ignored, for some senders add their own; but whoever writes
    /// `dryrun=true` must not get a restart.
    #[error("a parameter is misspelt; accepted: {0}")]
    Misspelt(&'static str),
}

/// What people write for the parameters.
const NEARLY: [&str; 5] = ["apps", "dynos", "scopes", "forced", "dry"];

impl Request {
    /// Reads a query.
    pub fn parse(query: &str, restarter: &Restarter) -> Result<Self, Fault> {
        let mut given: [Option<String>; PARAMETERS.len()] = Default::default();
        for (name, value) in own_parameters(query) {
            let Some(at) = position(&name) else { continue };
            if PARAMETERS[at] != name {
                return Err(Fault::Misspelt(PARAMETERS[at]));
            }
            if given[at].replace(value.into_owned()).is_some() {
                return Err(Fault::Repeated(PARAMETERS[at]));
            }
        }
        // Behind a URL with a query nothing is taken for ours; but whoever writes these there must not get a restart of all.
        for misplaced in ["dyno", "dry_run"] {
            let is_given = PARAMETERS.iter().zip(&given).any(|(name, given)| *name == misplaced && given.is_some());
            if !is_given && parameters(query).any(|(name, _)| name == misplaced) {
                return Err(Fault::Misplaced(misplaced));
            }
        }
        let [app, dyno, scope, force, dry_run] = given;
        let app = parse_app(app.as_deref(), restarter)?;
        let dyno = dyno.map(|name| DynoName::parse(&name).ok_or(Fault::ImpossibleDyno)).transpose()?;
        let scope = parse_scope(scope.as_deref())?;
        if dyno.is_some() && scope == Scope::All {
            return Err(Fault::Contradiction);
        }
        let force = parse_boolean("force", force.as_deref())?;
        let dry_run = parse_boolean("dry_run", dry_run.as_deref())?;
        Ok(Self { app, dyno, scope, force, dry_run })
    }
}

impl Fault {
    /// Neither the URL nor the alert names one of the apps.
    #[must_use]
    pub fn no_app(restarter: &Restarter) -> Self {
        Self::NoApp(watched(restarter))
    }
}

/// Which of the parameters is meant.
fn position(name: &str) -> Option<usize> {
    let name = bare(name);
    let is_meant = |known: &&str| bare(known) == name;
    PARAMETERS.iter().position(is_meant).or_else(|| NEARLY.iter().position(is_meant))
}

/// A name without what people get wrong: `dryRun` and `dry-run` are nearly `dry_run`.
fn bare(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Which app the query of a log drain names.
///
/// # Errors
/// When it names none that is watched, or several are and it names none.
pub fn drained_app(query: &str, restarter: &Restarter) -> Result<AppName, Fault> {
    let mut named = own_parameters(query).filter(|(name, _)| name == "app");
    let app = named.next().map(|(_, app)| app);
    if named.next().is_some() {
        return Err(Fault::Repeated("app"));
    }
    parse_app(app.as_deref(), restarter)?.ok_or_else(|| Fault::no_app(restarter))
}

fn parse_app(app: Option<&str>, restarter: &Restarter) -> Result<Option<AppName>, Fault> {
    let apps = restarter.watched().apps();
    match app {
        Some(name) => {
            let known = apps.iter().find(|app| app.as_str() == name).cloned();
            known.map(Some).ok_or_else(|| Fault::UnknownApp(watched(restarter)))
        }
        None if apps.len() == 1 => Ok(apps.first().cloned()),
        None => Ok(None),
    }
}

fn watched(restarter: &Restarter) -> String {
    restarter.watched().apps().iter().map(AppName::as_str).collect::<Vec<_>>().join(", ")
}

fn parse_scope(scope: Option<&str>) -> Result<Scope, Fault> {
    match scope {
        None => Ok(Scope::Default),
        Some("all") => Ok(Scope::All),
        Some("affected") => Ok(Scope::Affected),
        Some(_) => Err(Fault::UnknownScope),
    }
}

fn parse_boolean(name: &'static str, value: Option<&str>) -> Result<bool, Fault> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Fault::NotABoolean(name)),
    }
}
