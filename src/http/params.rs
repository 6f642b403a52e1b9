//! The query parameters of an alert's URL: which app, which dynos, how.

use crate::restart::{AppName, DynoName, Watched};
use crate::util::text::list;
use std::collections::BTreeSet;

use crate::alert::Condition;
use crate::util::query::{ONLY_IF, PARAMETERS, own_parameters, parameters};

/// The checked query parameters of an alert.
#[derive(Debug)]
pub(crate) struct RestartParams {
    /// The app to restart. `None` when several are watched and the URL names none; the alert itself may name one.
    pub(crate) app: Option<AppName>,
    /// Restart only this dyno, whichever dynos the alert names.
    pub(crate) dyno: Option<DynoName>,
    /// Which dynos to restart, if the URL names none.
    pub(crate) scope: Scope,
    /// Restart even young dynos, and dynos that automatic restarts have given up on.
    pub(crate) force: bool,
    /// The alert counts only if it meets all of these.
    pub(crate) only_if: Vec<Condition>,
    /// Only say what would be restarted.
    pub(crate) dry_run: bool,
}

/// Which dynos to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All watched dynos, unless the alert names only dynos that are not watched.
    Default,
    /// All watched dynos, whatever the alert names.
    All,
    /// The dynos that the alert names; all watched dynos if it names none.
    Affected,
}

/// What is wrong with the query. The texts are sent to the caller and say what is accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParamError {
    /// Several apps are watched and neither the URL nor the alert names one of them.
    #[error("app is missing; accepted: {0}")]
    NoApp(String),
    /// An app that is not watched.
    #[error("app: not one of the apps watched here; accepted: {0}")]
    UnknownApp(String),
    /// The alert names only apps that are not watched.
    #[error("the alert names {}, which {} not watched here", list(.0), if .0.len() == 1 { "is" } else { "are" })]
    NotWatched(BTreeSet<AppName>),
    /// Not a condition.
    #[error("only_if: accepted: FIELD:VALUE or FIELD:VALUE,VALUE, such as only_if=status:firing")]
    InvalidCondition,
    /// Not the name of a dyno.
    #[error("dyno: no dyno can have that name; accepted: one name such as web.1")]
    InvalidDyno,
    /// Neither `all` nor `affected`.
    #[error("scope: accepted: all, affected")]
    UnknownScope,
    /// One dyno and all dynos at once.
    #[error("dyno and scope=all contradict each other; accepted: one of them")]
    Contradiction,
    /// Neither `true` nor `false`.
    #[error("{0}: accepted: true, false")]
    NotABoolean(&'static str),
    /// A parameter that is given twice.
    #[error("{0} is given more than once; accepted: once")]
    Repeated(&'static str),
    /// A parameter behind an unencoded URL in the query.
    #[error("{0} stands behind a URL in the query; accepted: in front of it")]
    Misplaced(&'static str),
    /// A parameter that is nearly one of ours, such as `dryrun=true`: to ignore that one would restart dynos. Other unknown
    /// parameters are ignored, because some senders add their own.
    #[error("a parameter is misspelt; accepted: {0}")]
    Misspelt(&'static str),
}

/// What people write instead of the names in [`PARAMETERS`], in the same order.
const SIMILAR: [&str; 6] = ["apps", "dynos", "scopes", "forced", "dry", "if_only"];

impl RestartParams {
    /// Parses a query.
    pub(crate) fn parse(query: &str, watched: &Watched) -> Result<Self, ParamError> {
        let mut only_if = Vec::new();
        let mut given: [Option<String>; PARAMETERS.len()] = Default::default();
        for (name, value) in own_parameters(query) {
            let Some(at) = position(&name) else { continue };
            if PARAMETERS[at] != name {
                return Err(ParamError::Misspelt(PARAMETERS[at]));
            }
            if name == ONLY_IF {
                only_if.push(Condition::parse(&value).ok_or(ParamError::InvalidCondition)?);
                continue;
            }
            if given[at].replace(value.into_owned()).is_some() {
                return Err(ParamError::Repeated(PARAMETERS[at]));
            }
        }
        // Parameters behind a URL are ignored, but to ignore one of these would restart more than was asked for.
        for name in ["dyno", "dry_run", ONLY_IF] {
            let is_given = PARAMETERS.iter().zip(&given).any(|(known, given)| *known == name && given.is_some());
            let is_given = is_given || (name == ONLY_IF && !only_if.is_empty());
            if !is_given && parameters(query).any(|(found, _)| found == name) {
                return Err(ParamError::Misplaced(name));
            }
        }
        let [app, dyno, scope, force, dry_run, _] = given;
        let app = parse_app(app.as_deref(), watched)?;
        let dyno = dyno.map(|name| DynoName::parse(&name).ok_or(ParamError::InvalidDyno)).transpose()?;
        let scope = parse_scope(scope.as_deref())?;
        if dyno.is_some() && scope == Scope::All {
            return Err(ParamError::Contradiction);
        }
        let force = parse_boolean("force", force.as_deref())?;
        let dry_run = parse_boolean("dry_run", dry_run.as_deref())?;
        Ok(Self { app, dyno, scope, force, only_if, dry_run })
    }
}

impl ParamError {
    /// Neither the URL nor the alert names one of the watched apps.
    pub(crate) fn no_app(watched: &Watched) -> Self {
        Self::NoApp(app_names(watched))
    }
}

/// The app that the query of a log drain names.
///
/// # Errors
/// When the app is not watched, or several apps are watched and the query names none.
pub(crate) fn parse_drain_app(query: &str, watched: &Watched) -> Result<AppName, ParamError> {
    let mut named = own_parameters(query).filter(|(name, _)| name == "app");
    let app = named.next().map(|(_, app)| app);
    if named.next().is_some() {
        return Err(ParamError::Repeated("app"));
    }
    parse_app(app.as_deref(), watched)?.ok_or_else(|| ParamError::no_app(watched))
}

/// The index in [`PARAMETERS`] of the parameter that `name` is or is meant to be.
fn position(name: &str) -> Option<usize> {
    let name = normalized(name);
    let is_meant = |known: &&str| normalized(known) == name;
    PARAMETERS.iter().position(is_meant).or_else(|| SIMILAR.iter().position(is_meant))
}

/// A name without what people confuse: `dryRun` and `dry-run` are both meant to be `dry_run`.
fn normalized(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn parse_app(app: Option<&str>, watched: &Watched) -> Result<Option<AppName>, ParamError> {
    let apps = watched.apps();
    match app {
        Some(name) => {
            let known = apps.iter().find(|app| app.as_str() == name).cloned();
            known.map(Some).ok_or_else(|| ParamError::UnknownApp(app_names(watched)))
        }
        None if apps.len() == 1 => Ok(apps.first().cloned()),
        None => Ok(None),
    }
}

fn app_names(watched: &Watched) -> String {
    watched.apps().iter().map(AppName::as_str).collect::<Vec<_>>().join(", ")
}

fn parse_scope(scope: Option<&str>) -> Result<Scope, ParamError> {
    match scope {
        None => Ok(Scope::Default),
        Some("all") => Ok(Scope::All),
        Some("affected") => Ok(Scope::Affected),
        Some(_) => Err(ParamError::UnknownScope),
    }
}

fn parse_boolean(name: &'static str, value: Option<&str>) -> Result<bool, ParamError> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(ParamError::NotABoolean(name)),
    }
}
