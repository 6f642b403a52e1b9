//! The database of the model: the row of the turn, and the alerts that were accepted.

use std::collections::BTreeSet;

use dyno_restarter::heroku::DynoName;
use dyno_restarter::restart::{History, StoredPass};
use dyno_restarter::store::TurnRow;

use super::promises::Alert;

#[derive(Clone, Debug)]
pub(super) struct Request {
    alert: Alert,
    pub(super) is_done: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) turn: TurnRow,
    history: Option<History>,
    pass: Option<StoredPass>,
    pub(super) requests: Vec<Request>,
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
    WriteAhead(Term, Box<(History, StoredPass)>),
    Finish { term: Term, history: History, requests: Vec<i64>, dynos: BTreeSet<DynoName> },
    GiveBack(Term, Option<Box<(History, StoredPass)>>),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Taken {
        number: i64,
        history: Option<History>,
        pass: Option<Box<StoredPass>>,
    },
    Held,
    /// The turn is another's.
    Lost,
}

impl Default for Database {
    fn default() -> Self {
        let turn = TurnRow { holder: None, term: 0, beat: 0 };
        Self { turn, history: None, pass: None, requests: Vec::new(), reported: BTreeSet::new() }
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

    pub(super) fn carry_out(&mut self, statement: Statement) -> Answer {
        if let Statement::Take { id, seen } = statement {
            if self.turn != seen {
                return Answer::Lost;
            }
            self.turn = TurnRow { holder: Some(id), term: seen.term + 1, beat: 0 };
            let (number, history) = (self.turn.term, self.history.clone());
            return Answer::Taken { number, history, pass: self.pass.clone().map(Box::new) };
        }
        if !self.is_held(&statement) {
            return Answer::Lost;
        }
        self.turn.beat += 1;
        match statement {
            Statement::Take { .. } | Statement::Renew(_) => {}
            Statement::WriteAhead(_, written) => self.keep(*written),
            Statement::Finish { history, requests, dynos, .. } => {
                (self.history, self.pass) = (Some(history), None);
                self.reported.extend(dynos);
                for (id, request) in (0..).zip(&mut self.requests) {
                    request.is_done |= requests.contains(&id);
                }
            }
            Statement::GiveBack(_, left) => {
                self.turn.holder = None;
                if let Some(left) = left {
                    self.keep(*left);
                }
            }
        }
        Answer::Held
    }

    fn keep(&mut self, (history, pass): (History, StoredPass)) {
        (self.history, self.pass) = (Some(history), Some(pass));
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
