//! What an alert says: is something wrong or has it passed, with which dynos, and when was that. Nothing else in the
//! service knows what a monitoring service sends.
//!
//! There is no parser for each sender, but one reading by a few rules over the names and the values of fields
//! (`rules`); whoever makes up a message of their own is understood by the same. What the rules do not know is an
//! ordinary alert: something is wrong, nobody says with which dyno, and it is now.
//!
//! - `rules`: which fields mean what, and which words;
//! - `body`: forms, JSON, text, and the query of the URL; `json`: a walk over JSON that builds no tree;
//! - `reading`: what has been found so far; `line`: the dyno that a log line is about; `time`: times in all their forms.
//!
//! It decides nothing and never fails: it is given what anybody may have sent.

mod body;
mod fault;
mod json;
mod line;
mod reading;
mod rules;
mod time;

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use jiff::Timestamp;

pub use fault::Fault;
pub use rules::Over;

use crate::heroku::{AppName, DynoName};
use body::Body;
use reading::Reading;

/// How many dynos are kept of one alert, and how many apps. No app has more dynos of a type than a hundred or so.
const MOST_DYNOS: usize = 1_000;
const MOST_APPS: usize = 100;

/// What an alert says.
#[derive(Debug)]
pub struct Alert {
    /// Why there is nothing to do; `None` when something is wrong.
    pub over: Option<Over>,
    /// What is wrong, by the app that is named, if one is. Never empty.
    complaints: BTreeMap<Option<AppName>, Complaint>,
    /// By which it is known again when it is delivered twice; each is unique by itself.
    pub deliveries: Vec<String>,
    /// Why the body was not understood, if it was not. It counts as an ordinary alert then.
    pub fault: Option<Fault>,
}

/// What is wrong with the dynos of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// The dynos that are named, and when each was complained of the last time, as far as that is said.
    pub dynos: BTreeMap<DynoName, Option<Timestamp>>,
    /// When the last of it happened, as far as that is said.
    pub at: Option<Timestamp>,
}

impl Alert {
    /// Reads a whole request: `query` as it stands in the URL, `body` as it came.
    #[must_use]
    pub fn read(headers: &HeaderMap, query: &str, body: &[u8]) -> Self {
        let mut reading = Reading::default();
        reading.headers(headers);
        reading.query(query);
        let read = Body::of(headers, body).and_then(|body| body.read(&mut reading));
        match read {
            Ok(()) => reading.finish(),
            Err(fault) => Self { deliveries: reading::deliveries_in(headers).collect(), ..Self::not_understood(fault) },
        }
    }

    /// An alert that says nothing, which is an alert all the same.
    #[must_use]
    pub fn not_understood(fault: Fault) -> Self {
        let complaints = BTreeMap::from([(None, Complaint::default())]);
        Self { over: None, complaints, deliveries: Vec::new(), fault: Some(fault) }
    }

    /// The apps that it names.
    pub fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.complaints.keys().flatten()
    }

    /// What is wrong with `app`; `None` when all of it is about other apps. Only the names of apps for which `is_other`
    /// holds count as such: what somebody calls their app elsewhere need not be its name at Heroku.
    #[must_use]
    pub fn complaint(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<Complaint> {
        let concerns = |named: &&Option<AppName>| named.as_ref().is_none_or(|named| named == app || !is_other(named));
        let mut complaints = self.complaints.iter().filter(|(named, _)| concerns(named)).map(|(_, it)| it.clone());
        let first = complaints.next()?;
        Some(complaints.fold(first, |mut all, complaint| {
            all.merge(complaint);
            all
        }))
    }
}

impl Complaint {
    fn merge(&mut self, other: Self) {
        for (dyno, at) in other.dynos {
            self.name(dyno, at);
        }
        self.at = self.at.max(other.at);
    }

    fn name(&mut self, dyno: DynoName, at: Option<Timestamp>) {
        if self.dynos.len() < MOST_DYNOS || self.dynos.contains_key(&dyno) {
            let known = self.dynos.entry(dyno).or_insert(at);
            *known = at.max(*known);
        }
    }

    /// Where no time is said of a dyno, it is that of the whole.
    fn settle_times(&mut self, at: Option<Timestamp>) {
        self.at = self.at.or(at);
        for known in self.dynos.values_mut() {
            *known = known.or(self.at);
        }
    }
}
