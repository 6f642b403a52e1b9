//! The database of the model: the row of the turn, and the alerts that were accepted.

use std::collections::{BTreeMap, BTreeSet};

use dyno_restarter::heroku::DynoName;
use dyno_restarter::restart::{History, StoredPass};
use dyno_restarter::store::TurnRow;

use super::promises::Alert;

#[derive(Clone, Debug)]
struct Request {
    alert: Alert,
    is_done: bool,
}

/// What is remembered of the app, the pass under way, and what only the model knows of both.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    pub(super) history: Option<History>,
    pub(super) pass: Option<StoredPass>,
    /// The alerts that the pass serves.
    pub(super) alerts: Vec<Alert>,
    /// The instances of whose restarts the history tells.
    pub(super) knows: BTreeSet<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) turn: TurnRow,
    pub(super) written: Written,
    /// The processes that have said that they are there, and when they did last.
    pub(super) replicas: BTreeMap<String, i64>,
    requests: Vec<Request>,
    /// The dynos that any report names.
    pub(super) reported: BTreeSet<DynoName>,
}

/// The term of a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) id: String,
    pub(super) number: i64,
}

/// A statement, as `store::postgres::turns` has them.
#[derive(Clone, Debug)]
pub(super) enum Statement {
    Take { id: String, seen: TurnRow },
    Renew(Term),
    WriteAhead(Term, Box<Written>),
    Finish { term: Term, written: Box<Written>, requests: Vec<i64>, dynos: BTreeSet<DynoName> },
    GiveBack(Term, Option<Box<Written>>),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Taken {
        number: i64,
        left: Box<Written>,
    },
    Held,
    /// The turn is another's.
    Lost,
}

impl Default for Database {
    fn default() -> Self {
        let turn = TurnRow { holder: None, term: 0, beat: 0 };
        Self {
            turn,
            written: Written::default(),
            replicas: BTreeMap::new(),
            requests: Vec::new(),
            reported: BTreeSet::new(),
        }
    }
}

impl Database {
    pub(super) fn accept(&mut self, alert: Alert) {
        self.requests.push(Request { alert, is_done: false });
    }

    /// The requests that are not done.
    pub(super) fn waiting(&self) -> Vec<i64> {
        (0..).zip(&self.requests).filter(|(_, request)| !request.is_done).map(|(id, _)| id).collect()
    }

    /// The alerts of these requests.
    pub(super) fn alerts(&self, requests: &[i64]) -> Vec<Alert> {
        (0..).zip(&self.requests).filter(|(id, _)| requests.contains(id)).map(|(_, it)| it.alert.clone()).collect()
    }

    /// Carries out a statement. `beat` is larger than that of all statements that were sent before.
    pub(super) fn carry_out(&mut self, statement: Statement, beat: i64) -> Answer {
        if let Statement::Take { id, seen } = statement {
            if self.turn != seen {
                return Answer::Lost;
            }
            self.turn = TurnRow { holder: Some(id), term: seen.term + 1, beat: 0 };
            return Answer::Taken { number: self.turn.term, left: Box::new(self.written.clone()) };
        }
        if !self.is_held(&statement) || beat <= self.turn.beat {
            return Answer::Lost;
        }
        self.turn.beat = beat;
        match statement {
            Statement::Take { .. } | Statement::Renew(_) => {}
            Statement::WriteAhead(_, written) => self.written = *written,
            Statement::Finish { written, requests, dynos, .. } => {
                self.written = *written;
                self.reported.extend(dynos);
                for (id, request) in (0..).zip(&mut self.requests) {
                    request.is_done |= requests.contains(&id);
                }
            }
            Statement::GiveBack(_, left) => {
                self.turn.holder = None;
                if let Some(left) = left {
                    self.written = *left;
                }
            }
        }
        Answer::Held
    }

    fn is_held(&self, statement: &Statement) -> bool {
        let term = match statement {
            Statement::Take { .. } => return false,
            Statement::Renew(term)
            | Statement::WriteAhead(term, _)
            | Statement::GiveBack(term, _)
            | Statement::Finish { term, .. } => term,
        };
        self.turn.holder.as_ref() == Some(&term.id) && self.turn.term == term.number
    }
}
