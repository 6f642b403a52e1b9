//! Lists are split into pages. The `Range` header of a request selects a page, and the `Next-Range` header of the
//! response is the `Range` of the next page.

use std::collections::HashMap;

use axum::http::header::{ACCEPT_RANGES, CONTENT_RANGE, HeaderName, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::event_queue::EventQueue;
use crate::responses::{ApiError, json_response};

pub(crate) const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

/// How many entries a page of Heroku has by default.
const DEFAULT_MAX: usize = 200;

/// How many entries a page of Heroku has at most.
const LARGEST_MAX: usize = 1000;

/// All values of `Next-Range` that were sent so far. A client must send such a value back unchanged.
pub(crate) type IssuedRanges = HashMap<String, Page>;

/// A part of a list, with its order.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    by_name: bool,
    descending: bool,
    max: usize,
    /// The sort key of the last entry of the previous page.
    after: Option<String>,
}

/// An entry of a list: its sort keys and its JSON.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) json: Value,
}

impl Page {
    pub(crate) fn requested(headers: &HeaderMap, issued: &IssuedRanges) -> Result<Page, ApiError> {
        let first = Page { by_name: false, descending: false, max: DEFAULT_MAX, after: None };
        let Some(range) = headers.get(RANGE) else {
            return Ok(first);
        };
        let page = range.to_str().ok().and_then(|range| match issued.get(range) {
            Some(next) => Some(next.clone()),
            None => first.with_range(range),
        });
        page.ok_or(ApiError::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "requested_range_not_satisfiable",
            "Invalid `Range` header. Please use format like `objects 0-99; max=99`.",
        ))
    }

    /// Applies a range such as `name ..; max=10,order=desc;`. Returns `None` if it is invalid.
    fn with_range(mut self, range: &str) -> Option<Page> {
        let mut parts = range.split(';').map(str::trim);
        match parts.next()? {
            "id .." => {}
            "name .." => self.by_name = true,
            _ => return None,
        }
        let options = parts.flat_map(|part| part.split(',')).map(str::trim);
        for option in options.filter(|option| !option.is_empty()) {
            match option.split_once('=')? {
                ("max", max) => {
                    self.max = max.parse().ok().filter(|max| (1..=LARGEST_MAX).contains(max))?;
                }
                ("order", "asc") => self.descending = false,
                ("order", "desc") => self.descending = true,
                _ => return None,
            }
        }
        Some(self)
    }

    /// Returns this page of the list. The status is 200 if it is the last page. Otherwise it is 206, with `Next-Range`.
    pub(crate) fn response(&self, mut list: Vec<Entry>, queue: &mut EventQueue, issued: &mut IssuedRanges) -> Response {
        let key = |entry: &Entry| {
            if self.by_name { entry.name.clone() } else { entry.id.clone() }
        };
        list.sort_by_key(key);
        if self.descending {
            list.reverse();
        }
        if let Some(after) = &self.after {
            let seen = |key: &String| {
                if self.descending { key >= after } else { key <= after }
            };
            list.retain(|entry| !seen(&key(entry)));
        }
        let more = list.len() > self.max;
        list.truncate(self.max);

        let sort_key = if self.by_name { "name" } else { "id" };
        let ends = list.first().map(&key).zip(list.last().map(&key));
        let status = if more { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let body = Value::Array(list.into_iter().map(|entry| entry.json).collect());
        let mut response = json_response(status, &body);
        let headers = response.headers_mut();
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("id, name"));
        if let Some((first, last)) = ends {
            headers.insert(CONTENT_RANGE, header(&format!("{sort_key} {first}..{last}; max={}", self.max)));
            if more {
                let next = format!("{sort_key} ]{}..; max={}", queue.ids.uuid(), self.max);
                headers.insert(NEXT_RANGE, header(&next));
                let page = Page { after: Some(last), ..self.clone() };
                issued.insert(next, page);
            }
        }
        response
    }
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("names and ids are plain text")
}
