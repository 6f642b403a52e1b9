//! The forms in which an alert arrives: JSON, a form with JSON in it, a form of fields, plain text, and fields in the URL.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};

use super::error::Fault;
use super::extract::{Place, Reading};
use super::fields::Meaning;
use super::json;
use crate::util::query::MOST_PARAMETERS;

/// A body, by its form.
pub(super) enum Body<'a> {
    Empty,
    Json(Cow<'a, str>),
    Form(&'a [u8]),
    Text(Cow<'a, str>),
}

impl<'a> Body<'a> {
    /// What it looks like counts for more than what it is called: `curl -d '{...}'` calls it a form.
    pub(super) fn of(headers: &HeaderMap, bytes: &'a [u8]) -> Result<Self, Fault> {
        if headers.get(CONTENT_ENCODING).is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
        {
            return Err(Fault::Compressed);
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
        // A log line may hold any bytes; the rest of the message is good all the same.
        let text = || String::from_utf8_lossy(bytes);
        Ok(match bytes.first() {
            None => Self::Empty,
            Some(b'{') => Self::Json(text()),
            Some(b'[') if is_list(bytes) => Self::Json(text()),
            Some(_) if is_form(headers) || bytes.starts_with(b"payload=") => Self::Form(bytes),
            Some(_) => Self::Text(text()),
        })
    }

    pub(super) fn read(self, reading: &mut Reading) -> Result<(), Fault> {
        match self {
            Self::Empty => Ok(()),
            Self::Json(text) => json::read(&text, reading),
            Self::Form(bytes) => read_form(bytes, reading),
            Self::Text(text) => {
                reading.text(Meaning::Nothing, Place::Detail, &text);
                Ok(())
            }
        }
    }
}

/// And no text with a word in brackets in front.
fn is_list(bytes: &[u8]) -> bool {
    bytes[1..]
        .trim_ascii_start()
        .first()
        .is_none_or(|byte| matches!(byte, b'{' | b'[' | b'"' | b']' | b'-' | b'0'..=b'9'))
}

fn is_form(headers: &HeaderMap) -> bool {
    let form = b"application/x-www-form-urlencoded";
    headers
        .get(CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().get(..form.len()).is_some_and(|it| it.eq_ignore_ascii_case(form)))
}

fn read_form(bytes: &[u8], reading: &mut Reading) -> Result<(), Fault> {
    for (name, value) in form_urlencoded::parse(bytes).take(MOST_PARAMETERS) {
        // Decoded once: a log line may hold a bare `%`.
        if name == "payload" && value.trim_start().starts_with(['{', '[']) {
            json::read(&value, reading)?;
        } else {
            reading.field(&name, &value);
        }
    }
    Ok(())
}
