//! The connection to Heroku, the token, and the account that it belongs to.

use super::Line;
use super::facts::Facts;
use super::line::cure;
use crate::heroku::{Account, Error, TokenScope};

/// What an account has when it makes no calls.
const ALL_CALLS: u32 = 4500;

/// With less than this, a pass that waits for several dynos may come to the limit.
const FEW_CALLS: u32 = 450;

const NEW_TOKEN: &str =
    "Make a new token with `heroku authorizations:create -s write -S`, and set RESTART_API_KEY to it.";

/// The HTTP client could not be set up.
pub(super) fn no_certificates(problem: &str) -> Line {
    Line::bad(
        format!("CA certificates: {problem}"),
        "Install the package ca-certificates, or name a file of certificates in SSL_CERT_FILE.",
    )
}

pub(super) fn lines(facts: &Facts) -> Vec<Line> {
    let dynos = facts.apps.iter().filter_map(|app| app.dynos.as_ref().err());
    let errors: Vec<&Error> = facts.account.as_ref().err().into_iter().chain(dynos).collect();
    if let Some(error) = errors.iter().find(|error| matches!(error, Error::Unauthorized(_))) {
        return vec![Line::bad(format!("RESTART_API_KEY: {error}"), cure(error))];
    }
    let answered = facts.account.is_ok() || facts.apps.iter().any(|app| app.dynos.is_ok());
    if let Some(error) = errors.first().filter(|_| !answered && errors.iter().all(|error| is_no_verdict(error))) {
        return vec![Line::bad(format!("The calls to Heroku fail: {error}"), cure(error))];
    }
    let mut lines = vec![scope(facts.scope.as_deref()), account(&facts.account)];
    lines.extend(facts.calls_left.map(calls_left));
    lines
}

/// Whether the error says nothing of the token.
fn is_no_verdict(error: &Error) -> bool {
    error.is_transient() || matches!(error, Error::Endless(_))
}

fn scope(scope: Option<&str>) -> Line {
    let accepted = "RESTART_API_KEY: Heroku accepts the token";
    let Some(scope) = scope else {
        return Line::unknown(
            format!("{accepted}, and does not tell its scope"),
            "See the scope with `heroku authorizations`. It must be write.",
        );
    };
    match TokenScope::of(scope) {
        TokenScope::Global => Line::warn(
            format!("{accepted}; scope: {scope}, which reaches far more than restarts"),
            format!("The scope write is enough. {NEW_TOKEN}"),
        ),
        TokenScope::Write => Line::good(format!("{accepted}; scope: {scope}")),
        TokenScope::TooSmall => Line::bad(
            format!("{accepted}, but it may not restart dynos; scope: {scope}"),
            format!("The scope write is needed. {NEW_TOKEN}"),
        ),
    }
}

fn account(account: &Result<Account, Error>) -> Line {
    match account {
        Ok(Account { email, is_suspended: true, .. }) => Line::bad(
            format!("Account: Heroku has suspended {email}"),
            "Log in at dashboard.heroku.com with this account; the page says why.",
        ),
        Ok(Account { email, is_delinquent: true, .. }) => Line::warn(
            format!("Account: {email} has an unpaid bill, and Heroku will suspend it"),
            "Pay the bill on the account's billing page.",
        ),
        Ok(Account { email, .. }) => Line::good(format!("Account: the token belongs to {email}")),
        Err(error) => Line::unchecked(
            "Account: whose token it is",
            error,
            "The scope write is not allowed to read this, and does not need to be. See it with `heroku auth:whoami`.",
        ),
    }
}

fn calls_left(left: u32) -> Line {
    let text = format!("API calls: {left} of {ALL_CALLS} left");
    if left >= FEW_CALLS {
        return Line::good(text);
    }
    Line::warn(
        text,
        "75 more are added each minute. Everything that uses the account shares them: give the restarter an account of \
         its own.",
    )
}
