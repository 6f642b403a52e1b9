//! The query parameters of an alert's URL: which app, which dynos, how.

use std::collections::BTreeSet;
use std::fmt;

use crate::alert::Condition;
use crate::restart::{AppName, DynoName, Watched};
use crate::util::dry_run::{self, normalized};
use crate::util::query::{DRY_RUN, KEY, ONLY_IF, PARAMETERS, has_too_many_parameters, own_parameters, parameters};
use crate::util::text::list;

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
    #[error("the app in the URL is not watched here; accepted: {0}")]
    UnknownApp(String),
    /// The alert names only apps that are not watched.
    #[error("the alert names {}, which {} not watched here", list(.0), if .0.len() == 1 { "is" } else { "are" })]
    NotWatched(BTreeSet<AppName>),
    /// Not a condition.
    #[error("invalid only_if; accepted: FIELD:VALUE or FIELD:VALUE,VALUE, such as only_if=status:firing")]
    InvalidCondition,
    /// Not the name of a dyno.
    #[error("invalid dyno: no dyno can have that name; accepted: one name such as web.1")]
    InvalidDyno,
    /// Neither `all` nor `affected`.
    #[error("invalid scope; accepted: all, affected")]
    UnknownScope,
    /// One dyno and all dynos at once.
    #[error("dyno and scope=all contradict each other; accepted: one of them")]
    Contradiction,
    /// Neither `true` nor `false`.
    #[error("invalid value for {0}; accepted: true, false")]
    NotABoolean(&'static str),
    /// So many parameters that the last ones would not be read.
    #[error("the query has more than 1000 parameters; accepted: fewer")]
    TooMany,
    /// A parameter that is given twice.
    #[error("{0} is given more than once; accepted: once")]
    Repeated(&'static str),
    /// A parameter behind an unencoded URL in the query.
    #[error("{0} is behind a URL in the query; put it in front of that")]
    Misplaced(&'static str),
    /// A parameter that is nearly one of ours, such as `dryrun=true`: to ignore that one would restart dynos. Other unknown
    /// parameters are ignored, because some senders add their own.
    #[error("the parameter {0} is misspelt; accepted: {1}")]
    Misspelt(Name, &'static str),
    /// A parameter behind another separator than `&`.
    #[error("{0} is not separated by a plain &, so it was read as a part of another parameter; accepted: &{0}=VALUE")]
    NotSeparated(&'static str),
    /// The body of the alert has a field `dry_run`.
    #[error("dry_run is in the body; put it into the URL: ?dry_run=true")]
    DryRunInBody,
    /// A parameter that means nothing in this URL.
    #[error("the parameter {0} is not accepted; accepted: {1}")]
    NotAccepted(Name, &'static str),
    /// Not the offset of a clock.
    #[error("invalid offset; accepted: how far your clock is ahead of UTC, such as +02:00")]
    InvalidOffset,
}

/// A name as the query has it, to be repeated to the caller and in the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name(String);

/// What people write instead of the names in [`PARAMETERS`], in the same order.
const SIMILAR: [&str; 6] = ["apps", "dynos", "scopes", "forced", "dry", "if_only"];

impl RestartParams {
    /// Parses a query.
    pub(crate) fn parse(query: &str, watched: &Watched) -> Result<Self, ParamError> {
        if has_too_many_parameters(query) {
            return Err(ParamError::TooMany);
        }
        let mut only_if = Vec::new();
        let mut given: [Option<String>; PARAMETERS.len()] = Default::default();
        for (name, value) in own_parameters(query) {
            if let Some(hidden) = hidden_parameter(&name, &value) {
                return Err(ParamError::NotSeparated(hidden));
            }
            let Some(at) = position(&name) else {
                if dry_run::is_asked_for(&name, &value) {
                    return Err(ParamError::Misspelt(Name::new(&name), DRY_RUN));
                }
                continue;
            };
            if PARAMETERS[at] != name {
                return Err(ParamError::Misspelt(Name::new(&name), PARAMETERS[at]));
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
        for name in ["dyno", DRY_RUN, ONLY_IF] {
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
        let dry_run = parse_boolean(DRY_RUN, dry_run.as_deref())?;
        Ok(Self { app, dyno, scope, force, only_if, dry_run })
    }
}

impl Name {
    /// A key has at least 16 characters, so no shorter name is one.
    const MAX_LEN: usize = 15;

    /// Only a plain word is repeated: what stands there may be a key without its `key=`.
    pub(crate) fn new(name: &str) -> Self {
        let is_word = name.len() <= Self::MAX_LEN && name.chars().all(|c| c.is_ascii_alphabetic() || "_-".contains(c));
        Self(if is_word { name.to_owned() } else { "with an unusual name".to_owned() })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
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
/// When the app is not watched, or several apps are watched and the query names none; or when the query has another
/// parameter, such as `dry_run`: a drain whose owner believes that it only looks must not restart.
pub(crate) fn parse_drain_app(query: &str, watched: &Watched) -> Result<AppName, ParamError> {
    if has_too_many_parameters(query) {
        return Err(ParamError::TooMany);
    }
    let mut app = None;
    for (name, value) in parameters(query) {
        match &*name {
            KEY => {}
            "app" if app.is_some() => return Err(ParamError::Repeated("app")),
            "app" => app = Some(value),
            "" if value.is_empty() => {}
            other => return Err(ParamError::NotAccepted(Name::new(other), "app")),
        }
    }
    parse_app(app.as_deref(), watched)?.ok_or_else(|| ParamError::no_app(watched))
}

/// The index in [`PARAMETERS`] of the parameter that `name` is or is meant to be.
fn position(name: &str) -> Option<usize> {
    let name = normalized(name);
    let is_meant = |known: &&str| normalized(known) == name;
    let known = PARAMETERS.iter().position(is_meant).or_else(|| SIMILAR.iter().position(is_meant));
    known.or_else(|| {
        if dry_run::is_name_in_url(&name) { PARAMETERS.iter().position(|known| *known == DRY_RUN) } else { None }
    })
}

/// The parameter of ours that is a part of this parameter, because its author separated them with `&amp;`, `;` or `%26`, or
/// wrote `mode=dry_run`. Commas and question marks are common in values, so behind them only `dry_run=` counts. Texts with
/// spaces or quotation marks are left alone: a log line and JSON may contain `; app=`.
fn hidden_parameter(name: &str, value: &str) -> Option<&'static str> {
    if value.contains([' ', '"']) {
        return None;
    }
    let begins_anew = |text: &str| {
        let name = text.split_once('=').map_or(text, |(name, _)| name);
        position(name).map(|at| PARAMETERS[at])
    };
    let parts = |text: &'static [char], of: &str| of.split(text).skip(1).find_map(begins_anew);
    let is_dry_run = |part: &str| normalized(part) == normalized(DRY_RUN);
    let names_dry_run =
        value.split([',', '?', '|']).any(|part| part.split_once('=').is_some_and(|(name, _)| is_dry_run(name)));
    let is_dry_mode = normalized(value) == "dry" && ["mode", "run"].contains(&name);
    let by_value = || (names_dry_run || is_dry_run(value) || is_dry_mode).then_some(DRY_RUN);
    parts(&[';', '&'], name).or_else(|| parts(&[';', '&'], value)).or_else(by_value)
}

pub(crate) fn parse_app(app: Option<&str>, watched: &Watched) -> Result<Option<AppName>, ParamError> {
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
