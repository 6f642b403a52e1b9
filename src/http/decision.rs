//! What follows from what the URL asks for and what the body says: a restart, or a word why not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::alert::{Alert, Complaint, Over};
use crate::heroku::{AppName, DynoName};
use crate::http::params::{Fault, Request, Scope};
use crate::restart::{Restarter, Target, Trigger, When};
use crate::util::text::list;

/// How far the clock of a monitoring service may be behind Heroku's.
const SKEW: SignedDuration = SignedDuration::from_mins(1);

/// What is to be done about an alert.
#[derive(Debug)]
pub enum Verdict {
    /// Restart dynos of these apps; there is at least one.
    Restart(BTreeMap<AppName, Trigger>),
    /// Restart nothing.
    Ignore(Ignored),
}

/// Why an alert is not acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It says itself that there is nothing to do.
    Over(Over),
    /// It names only dynos of process types that are not watched.
    NotWatched(BTreeSet<DynoName>),
    /// It names only other apps of those that are watched.
    OtherApp(BTreeSet<AppName>),
}

impl Verdict {
    /// Decides.
    ///
    /// # Errors
    /// When several apps are watched and neither the URL nor the alert names one of them.
    pub fn on(alert: &Alert, request: &Request, restarter: &Restarter) -> Result<Self, Fault> {
        if let Some(over) = alert.over {
            return Ok(Self::Ignore(Ignored::Over(over)));
        }
        let is_watched = |app: &AppName| restarter.watched().has_app(app);
        let apps: BTreeSet<&AppName> = match &request.app {
            Some(app) => BTreeSet::from([app]),
            None => alert.apps().filter(|app| is_watched(app)).collect(),
        };
        let mut triggers = BTreeMap::new();
        let mut ignored = None;
        for app in &apps {
            match alert.complaint(app, is_watched).map(|complaint| target(complaint, request, restarter)) {
                Some(Ok(target)) => {
                    triggers.insert((*app).clone(), Trigger { target, force: request.force, arrived: Instant::now() });
                }
                Some(Err(not_watched)) => ignored = Some(not_watched),
                None => ignored = Some(Ignored::OtherApp(alert.apps().cloned().collect())),
            }
        }
        match ignored {
            _ if !triggers.is_empty() => Ok(Self::Restart(triggers)),
            Some(ignored) => Ok(Self::Ignore(ignored)),
            None => Err(Fault::no_app(restarter)),
        }
    }
}

/// The dynos to restart. Who asks for all by `scope=all`, or for one by name, gets that; an alert about a worker alone
/// restarts no web dynos.
fn target(complaint: Complaint, request: &Request, restarter: &Restarter) -> Result<Target, Ignored> {
    let Complaint { dynos: named, at, .. } = complaint.with_those_that(|name| restarter.watched().may_include(name));
    // Where the whole has no time, but each of its lines has, it is of the time of the last.
    let of_lines = named.values().copied().collect::<Option<BTreeSet<_>>>().and_then(|times| times.last().copied());
    let at = at.or(of_lines);
    if let Some(dyno) = &request.dyno {
        let at = named.get(dyno).copied().flatten().or(at);
        return Ok(Target::dynos([(dyno.clone(), when(at))]));
    }
    if named.is_empty() || request.scope == Scope::All {
        return Ok(Target::all(when(at)));
    }
    let (watched, not_watched): (BTreeMap<_, _>, BTreeMap<_, _>) =
        named.into_iter().partition(|(dyno, _)| restarter.watched().may_include(dyno));
    if watched.is_empty() {
        return Err(Ignored::NotWatched(not_watched.into_keys().collect()));
    }
    Ok(match request.scope {
        Scope::Affected => Target::dynos(watched.into_iter().map(|(dyno, at)| (dyno, when(at)))),
        Scope::All | Scope::Default => Target::all(when(at)),
    })
}

fn when(at: Option<Timestamp>) -> When {
    at.map_or(When::Now, |time| When::At { time, skew: SKEW })
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over(over) => write!(f, "{over}"),
            Self::NotWatched(dynos) => {
                write!(f, "it names only {}, of no process type in PROCESS_TYPES", list(dynos))
            }
            Self::OtherApp(apps) => write!(f, "it is about {}, not about the app that the URL names", list(apps)),
        }
    }
}
