//! What an alert says: whether something is wrong, with which dynos of which app, and since when. No other module knows
//! what a monitoring service sends.
//!
//! There is no parser per sender. All messages are read by the same few rules about the names and values of fields, so a
//! message that a person makes up works too. A message that the rules do not know is an ordinary alert: something is
//! wrong now, with unknown dynos.
//!
//! `flatten` turns a request of any form into one flat list of fields. `fields` is the table of rules, which is all that a
//! new sender needs. `extract` walks over the list and collects what the alert says. Nothing is decided here, and nothing
//! fails: the input may be any bytes.

mod affected;
mod error;
mod extract;
mod fields;
mod flatten;
mod line;
mod time;

use axum::http::HeaderMap;

pub use affected::AffectedDynos;
pub use error::ParseError;
pub use fields::Inactive;

use crate::heroku::AppName;
use affected::AffectedApps;
use extract::Extraction;

/// What an alert says.
#[derive(Debug)]
pub struct Alert {
    /// Why the alert asks for nothing; `None` when something is wrong.
    pub inactive: Option<Inactive>,
    affected: AffectedApps,
    /// Each of these identifies the delivery, so that a repeated one is recognised.
    pub deliveries: Vec<String>,
    /// Why the body was not understood, if it was not. The alert is an ordinary one then.
    pub error: Option<ParseError>,
}

impl Alert {
    /// Reads a request: `query` as in the URL, and `body`; `incomplete` says why a part of the body is missing.
    ///
    /// If the body is not understood, only headers, query and the apps named in the body count.
    #[must_use]
    pub fn read(headers: &HeaderMap, query: &str, body: &[u8], incomplete: Option<ParseError>) -> Self {
        let mut extraction = Extraction::of_head(headers, query);
        let parsed = flatten::body(headers, body, &mut |field| extraction.add(field));
        match incomplete.map_or(parsed, Err) {
            Ok(()) => extraction.finish(),
            Err(error) => {
                let mut alert = Extraction::of_head(headers, query).finish();
                alert.affected.add_names(extraction.apps());
                Self { error: Some(error), ..alert }
            }
        }
    }

    /// The apps that the alert names.
    pub fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.affected.names()
    }

    /// The affected dynos of `app`; `None` when the alert is only about other apps. If the alert does not name `app`,
    /// other names count as other apps only if `is_other` says so: a sender may call the app by a name that Heroku does
    /// not know.
    #[must_use]
    pub fn affected_dynos(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<AffectedDynos> {
        self.affected.of(app, is_other)
    }
}
