//! An app: whether it can be reached, and whether the token may restart its dynos.

use super::Line;
use super::facts::AppFacts;
use super::line::cure;
use crate::heroku::{Account, App, AppName, Collaborator, Error};

pub(super) fn lines(facts: &AppFacts, account: &Result<Account, Error>) -> Vec<Line> {
    let name = &facts.name;
    if let Err(error) = &facts.dynos {
        return vec![unreachable(name, error)];
    }
    let mut lines = vec![Line::good(format!("APP_NAME: {name} is there, and its dynos can be listed"))];
    match &facts.app {
        Ok(app) => {
            lines.extend(maintenance(name, app));
            lines.push(rights(name, app, account, &facts.collaborators));
        }
        Err(error) => {
            let subject = format!("{name}: whether the token may restart its dynos");
            lines.push(Line::unchecked(&subject, error, &see_access(name)));
        }
    }
    lines
}

fn unreachable(name: &AppName, error: &Error) -> Line {
    match error {
        Error::NotFound(_) => Line::bad(
            format!("APP_NAME: Heroku knows no app {name}, or the token may not see it"),
            format!(
                "Check the name with `heroku apps`, or give the account of the token access: `heroku access:add EMAIL -a \
                 {name}`."
            ),
        ),
        Error::Forbidden(_) => Line::bad(
            format!("APP_NAME: the token may not list the dynos of {name}: {error}"),
            format!(
                "Give the token the scope write, and its account access to the app: `heroku access:add EMAIL -a {name}`."
            ),
        ),
        error => Line::bad(format!("APP_NAME: the dynos of {name} cannot be listed: {error}"), cure(error)),
    }
}

fn maintenance(name: &AppName, app: &App) -> Option<Line> {
    let line = || {
        Line::warn(
            format!("{name}: maintenance mode is on, so visitors see an error page"),
            format!("When the work is done: `heroku maintenance:off -a {name}`"),
        )
    };
    app.is_in_maintenance.then(line)
}

/// Everybody who has access to the app of a person may restart it. In a team's app that takes a permission.
fn rights(
    name: &AppName,
    app: &App,
    account: &Result<Account, Error>,
    collaborators: &Result<Vec<Collaborator>, Error>,
) -> Line {
    let subject = format!("{name}: whether the token may restart its dynos");
    let account = match account {
        Ok(account) => account,
        Err(error) => return Line::unchecked(&subject, error, &see_access(name)),
    };
    if app.owner == account.id {
        return Line::good(format!("{name}: the account owns the app, so it may restart the dynos"));
    }
    let collaborators = match collaborators {
        Ok(collaborators) => collaborators,
        Err(error) => return Line::unchecked(&subject, error, &see_access(name)),
    };
    let Some(ours) = collaborators.iter().find(|collaborator| collaborator.account == account.id) else {
        return Line::unknown(
            format!("{subject}: the account is not among the app's collaborators; in a team, admins need not be"),
            see_access(name),
        );
    };
    let role = ours.role.as_deref().unwrap_or("collaborator");
    let has = |permission: &str| ours.permissions.iter().any(|name| name == permission);
    let set = format!("An admin of the team runs: `heroku access:update EMAIL -p deploy,operate -a {name}`");
    if !app.is_in_team || has("operate") || matches!(role, "admin" | "owner") {
        Line::good(format!("{name}: the account ({role}) may restart the dynos"))
    } else if ours.permissions.is_empty() {
        Line::unknown(format!("{subject}: its permissions are not shown"), see_access(name))
    } else if has("deploy") {
        Line::warn(format!("{name}: the account ({role}) has no permission operate, so a restart may be refused"), set)
    } else {
        Line::bad(format!("{name}: the account ({role}) has no permission operate, so a restart is refused"), set)
    }
}

fn see_access(name: &AppName) -> String {
    format!(
        "`heroku access -a {name}` shows who has access. In a team's app the account of the token needs the permission \
         operate."
    )
}
