//! Decides what an alert leads to: a restart, or nothing and the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::params::{ParamError, RestartParams, Scope};
use super::unintended::Unintended;
use crate::alert::{AffectedDynos, Alert, Inactive, Unmet};
use crate::heroku::{AppName, DynoName};
use crate::restart::{Target, Trigger, Watched, When};
use crate::util::ordered::CollectOrdered;
use crate::util::text::list;

/// How far the clock of a monitoring service may be behind Heroku's.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What is to be done about an alert.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Restart dynos of these apps; there is at least one app.
    Restart(BTreeMap<AppName, Trigger>),
    /// Restart nothing.
    Ignore(IgnoreReason),
}

/// Why an alert is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IgnoreReason {
    /// The alert itself says that there is nothing to do.
    Inactive(Inactive),
    /// Nobody sent it on purpose.
    Unintended(Unintended),
    /// A condition in the URL is not met.
    OnlyIf(Unmet),
    /// All dynos that it names are of process types that are not watched.
    NotWatched(BTreeSet<DynoName>),
    /// It names only apps other than the one in the URL.
    OtherApp(BTreeSet<AppName>),
}

/// Decides what to do about an alert of this sender that arrived at `arrived`; `unmet` is the condition in the URL that it
/// does not meet.
///
/// # Errors
/// When several apps are watched and neither the URL nor the alert names one of them, or when a dry run is asked for in the
/// body.
pub(crate) fn decide(
    alert: &Alert,
    unmet: Option<Unmet>,
    params: &RestartParams,
    watched: &Watched,
    arrived: Instant,
    sender: &Arc<str>,
) -> Result<Decision, ParamError> {
    if alert.asks_for_dry_run && !params.dry_run {
        return Err(ParamError::DryRunInBody);
    }
    if let Some(inactive) = alert.inactive {
        return Ok(Decision::Ignore(IgnoreReason::Inactive(inactive)));
    }
    if let Some(unmet) = unmet {
        return Ok(Decision::Ignore(IgnoreReason::OnlyIf(unmet)));
    }
    let is_watched = |app: &AppName| watched.has_app(app);
    let apps: BTreeSet<&AppName> = match &params.app {
        Some(app) => BTreeSet::from([app]),
        None => alert.apps().filter(|app| is_watched(app)).collect_ordered(),
    };
    let mut triggers = BTreeMap::new();
    let mut ignored = None;
    for app in apps {
        match alert.affected_dynos(app, is_watched).map(|affected| target(affected, params, watched)) {
            Some(Ok(target)) => {
                triggers
                    .insert(app.clone(), Trigger { target, force: params.force, arrived, sender: Arc::clone(sender) });
            }
            Some(Err(reason)) => ignored = Some(reason),
            None => ignored = Some(IgnoreReason::OtherApp(alert.apps().cloned().collect_ordered())),
        }
    }
    match ignored {
        _ if !triggers.is_empty() => Ok(Decision::Restart(triggers)),
        Some(reason) => Ok(Decision::Ignore(reason)),
        None if alert.apps().next().is_some() => Err(ParamError::NotWatched(alert.apps().cloned().collect_ordered())),
        None => Err(ParamError::no_app(watched)),
    }
}

/// The dynos to restart. `scope=all` and a dyno in the URL override what the alert names. Otherwise, an alert that names
/// only dynos of other process types, such as a worker, restarts no web dynos.
fn target(affected: AffectedDynos, params: &RestartParams, watched: &Watched) -> Result<Target, IgnoreReason> {
    let at = affected.at;
    let named = affected.dynos(|name| watched.may_include(name));
    // An alert without a time has that of its latest line, if each of its lines has one.
    let latest_line = named.values().copied().reduce(|latest, time| Some(latest?.max(time?))).flatten();
    let at = at.or(latest_line);
    if let Some(dyno) = &params.dyno {
        if !watched.may_include(dyno) {
            return Err(IgnoreReason::NotWatched(BTreeSet::from([dyno.clone()])));
        }
        let at = named.get(dyno).copied().flatten().or(at);
        return Ok(Target::dynos([(dyno.clone(), when(at))]));
    }
    if named.is_empty() || params.scope == Scope::All {
        return Ok(Target::all(when(at)));
    }
    let (affected, not_watched): (BTreeMap<_, _>, BTreeMap<_, _>) =
        named.into_iter().partition(|(dyno, _)| watched.may_include(dyno));
    if affected.is_empty() {
        return Err(IgnoreReason::NotWatched(not_watched.into_keys().collect_ordered()));
    }
    Ok(match params.scope {
        Scope::Affected => Target::dynos(affected.into_iter().map(|(dyno, at)| (dyno, when(at)))),
        Scope::All | Scope::Default => Target::all(when(at)),
    })
}

fn when(at: Option<Timestamp>) -> When {
    at.map_or(When::Now, |time| When::At { time, skew: CLOCK_SKEW })
}

impl fmt::Display for IgnoreReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inactive(reason) => write!(f, "{reason}"),
            Self::Unintended(why) => write!(f, "{why}"),
            Self::OnlyIf(unmet) => write!(f, "{unmet}"),
            Self::NotWatched(dynos) => {
                write!(f, "it names only {}, and their process types are not in PROCESS_TYPES", list(dynos))
            }
            Self::OtherApp(apps) => write!(f, "it is about {}, not about the app that the URL names", list(apps)),
        }
    }
}
