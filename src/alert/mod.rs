//! What an alert says: is something wrong or has it passed, with which dynos, and when was that. Nothing else in the
//! service knows what a monitoring service sends.
//!
//! There is no parser for each sender, but one reading by a few rules over the names and the values of fields
//! (`rules`); whoever makes up a message of their own is understood by the same. What the rules do not know is an
//! ordinary alert: something is wrong, nobody says with which dyno, and it is now.
//!
//! - `rules`: which fields mean what, and which words;
//! - `body`: forms, JSON, text, and the query of the URL; `json`: a walk over JSON that builds no tree;
//! - `reading`: what has been found so far; `complaint`: what is wrong with whom; `line`: the dyno that a log line is about;
//!   `time`: times in all their forms; `fault`: what can be wrong with a body.
//!
//! It decides nothing and never fails: it is given what anybody may have sent.

mod affected;
mod body;
mod error;
mod extract;
mod fields;
mod json;
mod line;
mod time;

use axum::http::HeaderMap;

pub use affected::Complaint;
pub use error::Fault;
pub use fields::Over;

use crate::heroku::AppName;
use affected::Complaints;
use body::Body;
use extract::Reading;

/// What an alert says.
#[derive(Debug)]
pub struct Alert {
    /// Why there is nothing to do; `None` when something is wrong.
    pub over: Option<Over>,
    complaints: Complaints,
    /// By which it is known again when it is delivered twice; each is unique by itself.
    pub deliveries: Vec<String>,
    /// Why the body was not understood, if it was not. It counts as an ordinary alert then.
    pub fault: Option<Fault>,
}

impl Alert {
    /// Reads a request: `query` as it stands in the URL, `body` as it came; `incomplete` where that is not all of it.
    ///
    /// Of a body that is not understood nothing counts but which app it names; headers and query count all the same.
    #[must_use]
    pub fn read(headers: &HeaderMap, query: &str, body: &[u8], incomplete: Option<Fault>) -> Self {
        let mut reading = Reading::begin(headers, query);
        let read = Body::of(headers, body).and_then(|body| body.read(&mut reading));
        match incomplete.map_or(read, Err) {
            Ok(()) => reading.finish(),
            Err(fault) => Reading::begin(headers, query).finish_without(reading, fault),
        }
    }

    /// The apps that it names.
    pub fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.complaints.apps()
    }

    /// What is wrong with `app`; `None` when all of it is about other apps. Where the alert does not name `app`, other
    /// names count as such only if `is_other` holds: what somebody calls their app elsewhere need not be its name at
    /// Heroku.
    #[must_use]
    pub fn complaint(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<Complaint> {
        self.complaints.of(app, is_other)
    }
}
