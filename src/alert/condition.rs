//! Conditions of the person who set up the sender: `only_if=FIELD:VALUE` in the URL. They are looked up in all fields, in
//! whatever form the alert came, and without any of the rules.

use axum::http::HeaderMap;

use super::flatten::{self, Field, Next, Sink, Value};
use super::{ParseError, encoding};

/// A field, and the values with which an alert counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// A path such as `data.alert.state`, or the last part of it, in lower case.
    field: String,
    /// In lower case.
    values: Vec<String>,
}

/// Why an alert does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// It has no field of this name.
    #[error("it has no field {0}, which only_if in the URL requires")]
    NoField(String),
    /// The field of this name has another value.
    #[error("its field {0} does not have the value that only_if in the URL requires")]
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
    /// How much of the end of a path is compared, in bytes: the longest field, and a dot. A letter may be longer in upper case.
    longest_field: usize,
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

    /// The first condition that a request does not meet. All must be met. `incomplete` says why a part of the body is missing.
    #[must_use]
    pub fn first_unmet(
        conditions: &[Self],
        headers: &HeaderMap,
        query: &str,
        body: &[u8],
        incomplete: Option<ParseError>,
    ) -> Option<Unmet> {
        if conditions.is_empty() {
            return None;
        }
        let (body, missing) = encoding::decompressed(headers, body, incomplete);
        let longest_field = conditions.iter().map(|condition| 3 * condition.field.len() + 1).max().unwrap_or_default();
        let new_search = || Search { conditions, found: vec![Found::default(); conditions.len()], longest_field };
        let (search, _) = flatten::read(headers, query, &body, new_search);
        conditions.iter().zip(search.found).find_map(|(condition, found)| match found {
            Found { is_met: true, .. } => None,
            Found { exists: true, .. } => Some(Unmet::OtherValue(condition.field.clone())),
            // The field may be in the part that is missing.
            _ => missing.is_none().then(|| Unmet::NoField(condition.field.clone())),
        })
    }
}

impl Sink for Search<'_> {
    fn add(&mut self, field: Field<'_>) -> Next {
        let value = match field.value {
            Value::Object | Value::List => String::new(),
            Value::Text(text) | Value::BrokenJson(text) => text.trim().to_lowercase(),
            Value::Integer(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Null => "null".to_owned(),
        };
        // A path may be millions of bytes long, and each field inside of it has one.
        let start = field.path.len().saturating_sub(self.longest_field);
        let start = (start..=field.path.len()).find(|at| field.path.is_char_boundary(*at)).unwrap_or_default();
        let path = field.path[start..].to_lowercase();
        for (condition, found) in self.conditions.iter().zip(&mut self.found) {
            let Some(front) = path.strip_suffix(&condition.field) else { continue };
            let is_exact = front.is_empty() && start == 0;
            if is_exact && !found.is_exact {
                *found = Found { is_exact, ..Found::default() };
            } else if !is_exact && (found.is_exact || !front.ends_with('.')) {
                continue;
            }
            found.exists = true;
            found.is_met |= condition.values.contains(&value);
        }
        if field.is_json() || field.is_base64_json() { Next::Open } else { Next::GoOn }
    }
}
