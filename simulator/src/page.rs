//! Lists come in pages: `Range` asks for one, `Next-Range` tells how to ask for the next.

use std::collections::HashMap;

use axum::http::header::{ACCEPT_RANGES, CONTENT_RANGE, HeaderName, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::Value;

use crate::agenda::Agenda;
use crate::answers::{Problem, answer};

pub(crate) const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

/// The platform's page when none is asked for, and the largest that can be.
const DEFAULT: usize = 200;
const LARGEST: usize = 1000;

/// Every `Next-Range` that has been given out. It is opaque: it comes back as it went out or not at all.
pub(crate) type Issued = HashMap<String, Page>;

/// Which part of a list, in which order.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    by_name: bool,
    descending: bool,
    max: usize,
    /// The last entry of the page before.
    after: Option<String>,
}

/// One entry of a list: what it is sorted by, and its JSON.
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) json: Value,
}

impl Page {
    pub(crate) fn asked(headers: &HeaderMap, issued: &Issued) -> Result<Page, Problem> {
        let whole = Page { by_name: false, descending: false, max: DEFAULT, after: None };
        let Some(range) = headers.get(RANGE) else {
            return Ok(whole);
        };
        let page = range.to_str().ok().and_then(|range| match issued.get(range) {
            Some(next) => Some(next.clone()),
            None => whole.parsed(range),
        });
        page.ok_or(Problem::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            "requested_range_not_satisfiable",
            "Invalid `Range` header. Please use format like `objects 0-99; max=99`.",
        ))
    }

    /// `name ..; max=10,order=desc;`: a property, everything of it, then options.
    fn parsed(mut self, range: &str) -> Option<Page> {
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
                    self.max = max.parse().ok().filter(|max| (1..=LARGEST).contains(max))?;
                }
                ("order", "asc") => self.descending = false,
                ("order", "desc") => self.descending = true,
                _ => return None,
            }
        }
        Some(self)
    }

    /// This page of the list: 200 when it is the last one, else 206 and where to go on.
    pub(crate) fn of(&self, mut list: Vec<Entry>, agenda: &mut Agenda, issued: &mut Issued) -> Response {
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

        let property = if self.by_name { "name" } else { "id" };
        let ends = list.first().map(&key).zip(list.last().map(&key));
        let status = if more { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
        let body = Value::Array(list.into_iter().map(|entry| entry.json).collect());
        let mut response = answer(status, &body);
        let headers = response.headers_mut();
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("id, name"));
        if let Some((first, last)) = ends {
            headers.insert(CONTENT_RANGE, header(&format!("{property} {first}..{last}; max={}", self.max)));
            if more {
                let next = format!("{property} ]{}..; max={}", agenda.uuid(), self.max);
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
