//! The result of one check.

use std::fmt;

use crate::heroku::Error;

/// The result of one check, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How it came out.
    pub outcome: Outcome,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub cure: Option<String>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well.
    Good,
    /// The service works, but not as well as it could.
    Warn,
    /// The service does not work until this is mended.
    Bad,
    /// It cannot be checked, for example because the token does not allow the call. That is no fault.
    Unknown,
}

impl Line {
    pub(super) fn good(text: impl Into<String>) -> Self {
        Self { outcome: Outcome::Good, text: text.into(), cure: None }
    }

    pub(super) fn warn(text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { outcome: Outcome::Warn, text: text.into(), cure: Some(cure.into()) }
    }

    pub(super) fn bad(text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { outcome: Outcome::Bad, text: text.into(), cure: Some(cure.into()) }
    }

    pub(super) fn unknown(text: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { outcome: Outcome::Unknown, text: text.into(), cure: Some(cure.into()) }
    }

    /// `subject` is not known, because the call that would show it failed; a person finds out in another way.
    pub(super) fn unchecked(subject: &str, error: &Error, other_way: &str) -> Self {
        if error.is_transient() {
            return Self::unknown(format!("{subject}: cannot be checked now: {error}"), "Run the check again.");
        }
        let text = match error {
            Error::Forbidden(_) | Error::NotFound(_) => format!("{subject}: cannot be checked with this token"),
            error => format!("{subject}: cannot be checked: {error}"),
        };
        Self::unknown(text, other_way)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.outcome {
            Outcome::Good => '✓',
            Outcome::Warn => '!',
            Outcome::Bad => '✗',
            Outcome::Unknown => '?',
        };
        write!(f, "{mark} {}", self.text)?;
        self.cure.as_ref().map_or(Ok(()), |cure| write!(f, "\n  {cure}"))
    }
}

/// What a person can do about a failed call, as a sentence.
pub(super) fn cure(error: &Error) -> String {
    let remedy = error.remedy().unwrap_or("Run the check again; if it fails again, ask Heroku's support");
    let mut letters = remedy.chars();
    // The name of a variable keeps its letters, and a sentence begins with a capital one.
    let first = letters.next().map(|first| first.to_ascii_uppercase()).into_iter();
    first.chain(letters).chain(['.']).collect()
}
