//! The dynos of an app: which there are, what is missing while one restarts, and what an alert would do now.

use std::collections::BTreeMap;

use super::Line;
use super::facts::AppFacts;
use crate::heroku::{Dyno, DynoName, Formation, ProcessType, Runtime, State};
use crate::restart::{AppName, DryRun, DryRunError, Outcome, Policy};
use crate::util::text::list;

/// The feature by which a new web dyno boots before the old one stops.
const PREBOOT: &str = "preboot";

pub(super) fn lines(facts: &AppFacts, policy: &Policy) -> Vec<Line> {
    let Ok(listing) = &facts.dynos else { return Vec::new() };
    let formation = facts.formation.as_deref().unwrap_or_default();
    let types: Vec<Watched> = policy
        .process_types
        .iter()
        .map(|process_type| Watched {
            app: &facts.name,
            process_type,
            dynos: listing.dynos.iter().filter(|dyno| dyno.process_type == *process_type).collect(),
            scaled: formation.iter().find(|scaled| scaled.process_type == *process_type),
        })
        .collect();
    let mut lines: Vec<_> = missing_types(facts, &types, &listing.dynos).into_iter().collect();
    for watched in types.iter().filter(|watched| watched.exists()) {
        lines.push(watched.states());
        lines.extend(watched.eco());
        if watched.process_type.as_str() == "web" && watched.quantity() > 0 {
            lines.push(watched.while_web_restarts(facts));
        }
        lines.extend(watched.all_at_once(policy));
    }
    lines.extend(facts.dry_run.as_ref().map(|dry_run| alert_now(&facts.name, dry_run)));
    lines
}

/// A process type of `PROCESS_TYPES` in an app.
struct Watched<'a> {
    app: &'a AppName,
    process_type: &'a ProcessType,
    dynos: Vec<&'a Dyno>,
    scaled: Option<&'a Formation>,
}

/// An app need not have all process types, for the others may be of other apps. Without any, there is nothing to restart.
fn missing_types(facts: &AppFacts, types: &[Watched<'_>], dynos: &[Dyno]) -> Option<Line> {
    let app = &facts.name;
    let missing = types.iter().filter(|watched| !watched.exists()).map(|watched| watched.process_type);
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return None;
    }
    let formation = match &facts.formation {
        Ok(formation) => formation,
        Err(error) => {
            let subject = format!("{app}: whether it has the process type {}", list(&missing));
            return Some(Line::unchecked(&subject, error, &format!("See it with `heroku ps -a {app}`.")));
        }
    };
    let mut there: Vec<_> = formation.iter().map(|scaled| &scaled.process_type).collect();
    there.extend(dynos.iter().map(|dyno| &dyno.process_type));
    there.sort();
    there.dedup();
    let there = if there.is_empty() { "none".to_owned() } else { list(there) };
    let text = format!("{app}: no process type {}; it has: {there}", list(&missing));
    Some(if missing.len() == types.len() {
        Line::bad(text, "Correct PROCESS_TYPES, or deploy the app first.")
    } else {
        Line::warn(text, "That is right if another app has it. Otherwise correct PROCESS_TYPES.")
    })
}

impl Watched<'_> {
    fn exists(&self) -> bool {
        self.scaled.is_some() || !self.dynos.is_empty()
    }

    /// How many dynos there should be.
    fn quantity(&self) -> usize {
        self.scaled.and_then(|scaled| usize::try_from(scaled.quantity).ok()).unwrap_or(self.dynos.len())
    }

    fn size(&self) -> &str {
        self.scaled.map(|scaled| scaled.size.as_str()).unwrap_or_default()
    }

    fn is_size(&self, size: &str) -> bool {
        self.size().eq_ignore_ascii_case(size)
    }

    fn states(&self) -> Line {
        let Self { app, process_type, dynos, .. } = self;
        if self.quantity() == 0 && dynos.is_empty() {
            return Line::warn(
                format!("{app}: scaled to no {process_type} dynos, so there is nothing to restart"),
                format!("Scale it: `heroku ps:scale {process_type}=1 -a {app}`"),
            );
        }
        let down: Vec<_> = dynos.iter().filter(|dyno| !dyno.is_up()).collect();
        let count = |count: usize| format!("{count} {process_type} {}", if count == 1 { "dyno" } else { "dynos" });
        let size = if self.size().is_empty() { String::new() } else { format!(" of size {}", self.size()) };
        if down.is_empty() {
            return Line::good(format!("{app}: {}{size}, all up", count(dynos.len())));
        }
        let states = list(down.iter().map(|dyno| format!("{} is {}", dyno.name, dyno.state)));
        let text = format!("{app}: {}{size}: {states}", count(dynos.len()));
        let cure = format!(
            "A dyno that is not up is left alone. See why with `heroku logs -a {app}`. A sleeping Eco dyno is idle until \
             somebody visits the app."
        );
        let is_crashed = |dyno: &&&Dyno| dyno.state == State::Crashed;
        if dynos.iter().all(|dyno| is_crashed(&dyno)) { Line::bad(text, cure) } else { Line::warn(text, cure) }
    }

    fn eco(&self) -> Option<Line> {
        let Self { app, process_type, .. } = self;
        let line = || {
            Line::warn(
                format!("{app}: {process_type} dynos are of size Eco, and sleep when nobody visits the app"),
                format!("Choose a size that does not sleep: `heroku ps:type {process_type}=basic -a {app}`"),
            )
        };
        self.is_size("Eco").then(line)
    }

    /// What visitors notice while a web dyno restarts.
    fn while_web_restarts(&self, facts: &AppFacts) -> Line {
        let (app, is_only_one) = (self.app, self.quantity() == 1);
        let is_common = facts.app.as_ref().is_ok_and(|app| app.runtime == Runtime::Common);
        let features = facts.features.as_ref();
        let is_on = features.map(|all| all.iter().any(|feature| feature.name == PREBOOT && feature.is_enabled));
        match is_on {
            Ok(true) => Line::good(format!("{app}: preboot is on: a new web dyno boots before the old one stops")),
            Ok(false) if !is_only_one => {
                Line::good(format!("{app}: preboot is off: while a web dyno restarts, the others serve"))
            }
            Ok(false) => {
                let text = format!("{app}: one web dyno, and preboot is off: requests wait or fail while it restarts");
                Line::warn(text, self.close_gap(is_common))
            }
            Err(error) => {
                let see = format!("See it with `heroku features -a {app}`.");
                let number = if is_only_one { " for its one web dyno" } else { "" };
                Line::unchecked(&format!("{app}: whether preboot is on{number}"), error, &see)
            }
        }
    }

    /// How the app serves while its only web dyno restarts. Preboot does not exist in a Private Space.
    fn close_gap(&self, has_preboot: bool) -> String {
        let app = self.app;
        let second = format!("`heroku ps:scale web=2 -a {app}`");
        if self.is_size("Eco") || self.is_size("Basic") {
            let larger = format!("`heroku ps:type web=standard-1x -a {app}`");
            return format!(
                "{} allows one web dyno. Choose a larger size, and run two: {larger}, {second}",
                self.size()
            );
        }
        let preboot = format!(", or switch preboot on: `heroku features:enable {PREBOOT} -a {app}`");
        format!("Run two: {second}{}", if has_preboot { &preboot } else { "" })
    }

    /// With as many dynos down as there are, none serves.
    fn all_at_once(&self, policy: &Policy) -> Option<Line> {
        let Self { app, process_type, .. } = self;
        let quantity = self.quantity();
        let line = || {
            Line::warn(
                format!("{app}: MAX_UNAVAILABLE allows all {quantity} {process_type} dynos to be down at once"),
                format!("Set MAX_UNAVAILABLE to less than {quantity}."),
            )
        };
        (quantity > 1 && policy.max_unavailable.get() >= quantity).then(line)
    }
}

/// What an alert that names no dyno would do now.
fn alert_now(app: &AppName, dry_run: &Result<DryRun, DryRunError>) -> Line {
    let again = "Run the check again.";
    let report = match dry_run {
        Ok(DryRun { report, .. }) => report,
        Err(DryRunError::TimedOut) => {
            return Line::unknown(format!("{app}: what an alert would do now: Heroku did not answer in time"), again);
        }
        Err(DryRunError::Busy | DryRunError::Stopping) => {
            return Line::unknown(format!("{app}: what an alert would do now: the dry run was interrupted"), again);
        }
    };
    if let Some(end) = &report.end {
        return Line::unknown(format!("{app}: what an alert would do now: {end}"), again);
    }
    let mut reasons: BTreeMap<String, Vec<&DynoName>> = BTreeMap::new();
    for (dyno, outcome) in report.dynos.iter().filter(|(_, outcome)| **outcome != Outcome::Due) {
        reasons.entry(outcome.to_string()).or_default().push(dyno);
    }
    let due: Vec<_> =
        report.dynos.iter().filter(|(_, outcome)| **outcome == Outcome::Due).map(|(dyno, _)| dyno).collect();
    let not_due: Vec<_> = reasons.iter().map(|(reason, dynos)| format!("; {} {reason}", list(dynos))).collect();
    let not_due = not_due.concat();
    if due.is_empty() {
        return Line::warn(
            format!("{app}: an alert now would restart nothing{not_due}"),
            "Wait, if the dynos are young; restart them with force=true, if they must be restarted now.",
        );
    }
    Line::good(format!("{app}: an alert now would restart {}{not_due}", list(due)))
}
