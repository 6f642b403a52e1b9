//! Conditions of the person who set up the sender: `only_if=FIELD:VALUE` in the URL. They are looked up in all fields, in
//! whatever form the alert came, and without any of the rules.

use std::fmt;

use axum::http::HeaderMap;

use super::flatten::{self, Field, Value};
use super::{MAX_OPENED, encoding};

/// A field, and the values with which an alert counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// A path such as `data.alert.state`, or the last part of it, in lower case.
    field: String,
    /// In lower case.
    values: Vec<String>,
}

/// Why an alert does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// It has no field of this name.
    NoField(String),
    /// The field of this name has another value.
    OtherValue(String),
}

/// What has been found out about one condition.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    /// A field with just this path counts for more than one whose path ends so.
    is_exact: bool,
    exists: bool,
    is_met: bool,
}

struct Search<'a> {
    conditions: &'a [Condition],
    found: Vec<Found>,
    is_mending: bool,
    is_broken: bool,
    opened: usize,
    /// The names around the current field, in lower case and joined by dots.
    path: String,
    /// How long the path is in front of each container.
    ends: Vec<usize>,
}

impl Condition {
    /// Parses `FIELD:VALUE` or `FIELD:VALUE,VALUE`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (field, values) = text.split_once(':')?;
        let field = field.trim().to_lowercase();
        let values: Vec<_> = values.split(',').map(|value| value.trim().to_lowercase()).collect();
        let is_complete = !field.is_empty() && values.iter().all(|value| !value.is_empty());
        is_complete.then_some(Self { field, values })
    }

    /// The first condition that a request does not meet. All must be met.
    #[must_use]
    pub fn first_unmet(conditions: &[Self], headers: &HeaderMap, query: &str, body: &[u8]) -> Option<Unmet> {
        if conditions.is_empty() {
            return None;
        }
        let (body, _) = encoding::decompressed(headers, body);
        let search = |is_mending| {
            let mut search = Search::new(conditions, is_mending);
            flatten::query(query, &mut |field| search.add(field));
            let parsed = flatten::body(headers, &body, is_mending, &mut |field| search.add(field));
            search.is_broken |= parsed.is_err();
            search
        };
        let first = search(false);
        let search = if first.is_broken { search(true) } else { first };
        conditions.iter().zip(search.found).find(|(_, found)| !found.is_met).map(|(condition, found)| {
            let field = condition.field.clone();
            if found.exists { Unmet::OtherValue(field) } else { Unmet::NoField(field) }
        })
    }
}

impl<'a> Search<'a> {
    fn new(conditions: &'a [Condition], is_mending: bool) -> Self {
        let found = vec![Found::default(); conditions.len()];
        Self { conditions, found, is_mending, is_broken: false, opened: 0, path: String::new(), ends: Vec::new() }
    }

    fn add(&mut self, field: Field<'_>) {
        while self.ends.len() >= field.depth
            && let Some(end) = self.ends.pop()
        {
            self.path.truncate(end);
        }
        let end = self.path.len();
        if let Some(name) = field.name {
            let dot = if end == 0 { "" } else { "." };
            self.path.push_str(dot);
            self.path.push_str(&name.to_lowercase());
        }
        match field.value {
            Value::Object | Value::List => {
                self.look("");
                self.ends.push(end);
                return;
            }
            Value::Text(text) => self.look(text),
            Value::Integer(number) => self.look(&number.to_string()),
            Value::Bool(value) => self.look(if value { "true" } else { "false" }),
            Value::Null => self.look("null"),
        }
        self.path.truncate(end);
        if let Value::Text(text) = field.value
            && self.opened < MAX_OPENED
            && flatten::is_json(text)
        {
            self.opened += 1;
            let parsed = flatten::json(text, self.is_mending, Some(&field), &mut |field| self.add(field));
            self.opened -= 1;
            self.is_broken |= parsed.is_err();
        }
    }

    fn look(&mut self, value: &str) {
        for (condition, found) in self.conditions.iter().zip(&mut self.found) {
            let Some(front) = self.path.strip_suffix(&condition.field) else { continue };
            let is_exact = front.is_empty();
            if is_exact && !found.is_exact {
                *found = Found { is_exact, ..Found::default() };
            } else if !is_exact && (found.is_exact || !front.ends_with('.')) {
                continue;
            }
            found.exists = true;
            found.is_met |= condition.values.contains(&value.trim().to_lowercase());
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoField(field) => write!(f, "it has no field {field}, which only_if in the URL asks for"),
            Self::OtherValue(field) => {
                write!(f, "its field {field} has another value than only_if in the URL asks for")
            }
        }
    }
}
