//! The variables. No value is shown: somebody may have put a secret into the wrong variable.

use super::Line;
use crate::restart::Policy;
use crate::util::text::list;

/// A variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What is known of its value.
    pub value: Value,
}

/// What is known of the value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// It is set and valid.
    Set,
    /// It is not set, so it has its default.
    Default(&'static str),
    /// It is missing or invalid.
    Invalid {
        /// What is wrong. It follows the name of the variable.
        problem: String,
        /// What would be right.
        example: &'static str,
    },
}

pub(super) fn variable(Variable { name, value }: &Variable) -> Line {
    match value {
        Value::Set => Line::good(format!("{name}: set and valid")),
        Value::Default("") => Line::good(format!("{name}: not set; it is optional")),
        Value::Default(default) => Line::good(format!("{name}: not set; the default is {default}")),
        Value::Invalid { problem, example } => {
            Line::bad(format!("{name} {problem}"), format!("Expected, for example: {example}"))
        }
    }
}

/// Keys that are valid but easy to guess.
pub(super) fn keys(weak: &[String]) -> Vec<Line> {
    if weak.is_empty() {
        return Vec::new();
    }
    let which = if weak.len() == 1 { "key" } else { "keys" };
    vec![Line::warn(
        format!("RESTART_WEBHOOK_KEY: {which} {}: easy to guess", list(weak)),
        "Whoever guesses a key can restart the dynos. Use the output of `openssl rand -hex 32`.",
    )]
}

/// Settings that are valid but do harm.
pub(super) fn policy(policy: &Policy) -> Vec<Line> {
    if !policy.min_age.is_zero() {
        return Vec::new();
    }
    vec![Line::warn(
        "MIN_AGE: 0s, so a dyno that has just started is restarted again",
        "Set MIN_AGE to a few minutes. Then a burst of alerts restarts each dyno once.",
    )]
}
