//! Turns a request of any form into one flat list of fields: JSON, a form of either kind, plain text, and the query of
//! the URL. This module knows the forms; what a field means is up to `fields` and `extract`.
//!
//! The list is never stored: the fields are handed over one by one, in the order of the request. A tree of 8 MiB of JSON
//! would take many times as much memory, and even a list of its fields as much again.

use std::borrow::Cow;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::de::DeserializeSeed;

use super::ParseError;
use super::encoding::multipart;
use super::json::Node;
use super::repair::repair;
use crate::util::query::{KEY, PARAMETERS, form, parameters};

/// How deep JSON may be nested as text in JSON. Amazon SNS has one level, and a second if it forwards a webhook.
const MAX_OPENED: usize = 3;

/// Hardly any path is longer, in bytes.
const USUAL_PATH: usize = 100;

/// How many containers are around a top-level field: the request itself.
pub(super) const TOP: usize = 1;

/// A body that is a list is read as an object with this one field: each element is an alert.
pub(super) const ROOT_LIST: &str = "alerts";

/// A body that is plain text is read as this field.
const PLAIN_TEXT: &str = "text";

/// A field. An object or a list is a field too, and comes in front of what it contains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// How many objects and lists are around the field, the request itself included.
    pub(super) depth: usize,
    /// The names around the field and its own, joined by dots.
    pub(super) path: &'a str,
    /// `None` for the element of a list.
    pub(super) name: Option<&'a str>,
    pub(super) value: Value<'a>,
    /// The value is JSON that was the text of a field.
    pub(super) is_opened: bool,
    /// Whether the text of a field may be read as JSON here.
    may_open: bool,
}

/// A value. Numbers lose their fraction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Object,
    List,
    Text(&'a str),
    /// A text that looked like JSON and is none. Its beginning may have been handed over.
    BrokenJson(&'a str),
    Integer(i64),
    Bool(bool),
    Null,
}

/// What the reader does about a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    /// Read the text, which must look like JSON, as if it stood there.
    Open,
    /// Hand over nothing of what the object or the list contains.
    Skip,
}

/// Takes the fields.
pub(super) trait Sink {
    fn add(&mut self, field: Field<'_>) -> Next;
}

/// Hands over a request to a sink; the body is not compressed. If there is broken JSON, the request is handed over once
/// more to a new sink, with mended JSON. What cannot be mended is an error; the fields in front of it have been handed over.
pub(super) fn read<S: Sink>(
    headers: &HeaderMap,
    query: &str,
    body: &[u8],
    new_sink: impl Fn() -> S,
) -> (S, Option<ParseError>) {
    let read = |is_mending| {
        let mut sink = new_sink();
        let path = String::with_capacity(USUAL_PATH);
        let mut reader = Reader { sink: &mut sink, path, is_mending, opened: 0, is_opening: false, error: None };
        reader.query(query);
        reader.body(headers, body);
        let error = reader.error;
        (sink, error)
    };
    match read(false) {
        (_, Some(error)) => {
            let (sink, still_broken) = read(true);
            // The error gives the place in the original body.
            (sink, still_broken.and(Some(error)))
        }
        whole => whole,
    }
}

impl Field<'_> {
    /// Whether the value is JSON in base64.
    pub(super) fn is_base64_json(&self) -> bool {
        matches!(self.value, Value::Text(text) if self.may_open && of_base64(text).is_some())
    }

    /// Whether the value is a text that looks like JSON that a sender has put into a field.
    pub(super) fn is_json(&self) -> bool {
        let Value::Text(text) = self.value else { return false };
        let text = text.trim_start().as_bytes();
        let inner = text.get(1..).unwrap_or_default().trim_ascii_start().first();
        self.may_open
            && match text.first() {
                Some(b'{') => matches!(inner, Some(b'"' | b'\'')),
                Some(b'[') => matches!(inner, Some(b'{' | b'[' | b'"')),
                _ => false,
            }
    }
}

/// The sink is a trait object, so that the parser of JSON is compiled once.
pub(super) struct Reader<'a> {
    sink: &'a mut dyn Sink,
    /// The names around the current value and its own, joined by dots.
    pub(super) path: String,
    is_mending: bool,
    /// How many texts in fields are being read as JSON.
    opened: usize,
    /// The next value is the first one of such a text.
    is_opening: bool,
    /// What is wrong with the first JSON that is broken.
    error: Option<ParseError>,
}

impl Reader<'_> {
    /// The service's own parameters say nothing about the alert.
    fn query(&mut self, query: &str) {
        for (name, value) in parameters(query).filter(|(name, _)| name != KEY && !PARAMETERS.contains(&name.as_ref())) {
            self.text(&name, &value);
        }
    }

    /// What a body looks like counts for more than its content type: `curl -d '{...}'` calls JSON a form.
    fn body(&mut self, headers: &HeaderMap, bytes: &[u8]) {
        // JSON may begin with a byte order mark, or with the separator of `application/json-seq`.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").or(bytes.strip_prefix(b"\x1e")).unwrap_or(bytes).trim_ascii();
        let as_utf8 = of_utf16(bytes).or_else(|| without_backslashes(bytes));
        let bytes = as_utf8.as_ref().map_or(bytes, String::as_bytes);
        // A log line may contain any bytes; the rest of the message is good all the same.
        let utf8 = || String::from_utf8_lossy(bytes);
        match bytes.first() {
            None => {}
            Some(b'{') => self.json(&utf8(), 0, None),
            Some(b'[') if is_list(bytes) => self.json(&utf8(), 0, None),
            // Decoded only once: a log line may contain a bare `%`.
            Some(_) if is_form(headers) || bytes.starts_with(b"payload=") => {
                form(bytes).for_each(|(name, value)| self.text(&name, &value));
            }
            Some(_) => match multipart(bytes) {
                Some(fields) => fields.for_each(|(name, value)| self.text(name, value)),
                // JSON may have been written as JSON twice.
                None => self.text(PLAIN_TEXT, &serde_json::from_slice(bytes).map_or_else(|_| utf8(), Cow::Owned)),
            },
        }
    }

    /// Hands over a top-level field.
    fn text(&mut self, name: &str, text: &str) {
        name.clone_into(&mut self.path);
        self.value(TOP, Some(0), Value::Text(text));
        self.path.clear();
    }

    /// Hands over a value. `name` is the place in the path where its name begins.
    pub(super) fn value(&mut self, depth: usize, name: Option<usize>, value: Value<'_>) -> Next {
        let is_opened = std::mem::take(&mut self.is_opening);
        let (path, may_open) = (self.path.as_str(), self.opened < MAX_OPENED);
        let field = Field { depth, path, name: name.map(|start| &path[start..]), value, is_opened, may_open };
        let next = self.sink.add(field);
        if next == Next::Open
            && let Value::Text(text) = value
        {
            self.opened += 1;
            self.is_opening = true;
            self.json(of_base64(text).as_deref().unwrap_or(text), depth, name);
            self.opened -= 1;
        }
        next
    }

    /// Hands over JSON: the body, which has the depth 0, or the text of a field.
    ///
    /// `serde_json` rejects what is nested more than 128 levels deep.
    fn json(&mut self, text: &str, depth: usize, name: Option<usize>) {
        let mended = if self.is_mending { repair(text).into() } else { Cow::Borrowed(text) };
        let mut json = serde_json::Deserializer::from_str(&mended);
        let parsed = Node { reader: self, depth, name }.deserialize(&mut json).and_then(|()| json.end());
        self.is_opening = false;
        if let Err(error) = parsed {
            self.error.get_or_insert(ParseError::BrokenJson { line: error.line(), column: error.column() });
            if depth == 0 {
                // The whole body is no field.
                self.path.clear();
            }
            self.value(depth.max(TOP), name, Value::BrokenJson(text));
        }
    }
}

/// The text of a body in UTF-16, which begins with its byte order mark or with two ASCII characters.
fn of_utf16(bytes: &[u8]) -> Option<String> {
    let (units, bytes): (fn(&[u8; 2]) -> u16, _) = match bytes {
        [0xFF, 0xFE, rest @ ..] => (|pair| u16::from_le_bytes(*pair), rest),
        [0xFE, 0xFF, rest @ ..] => (|pair| u16::from_be_bytes(*pair), rest),
        [1..=127, 0, 1..=127, 0, ..] => (|pair| u16::from_le_bytes(*pair), bytes),
        [0, 1..=127, 0, 1..=127, ..] => (|pair| u16::from_be_bytes(*pair), bytes),
        _ => return None,
    };
    let (pairs, _) = bytes.as_chunks();
    Some(char::decode_utf16(pairs.iter().map(units)).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}

/// JSON that is in base64: a message of Google Cloud Pub/Sub, or the data of a `CloudEvent`.
fn of_base64(text: &str) -> Option<String> {
    // A brace with a quote, a line break or a space behind it.
    let is_likely = ["eyI", "eyJ", "ewo", "ew0", "eyA"].iter().any(|start| text.starts_with(start));
    let bytes = if is_likely { BASE64_STANDARD.decode(text.trim_end()).ok()? } else { return None };
    String::from_utf8(bytes).ok()
}

/// JSON as it stands in a JSON string, `{\"status\":\"firing\"}`: the quotes of a shell were wrong.
fn without_backslashes(bytes: &[u8]) -> Option<String> {
    let is_escaped = bytes.strip_prefix(b"{")?.trim_ascii_start().starts_with(b"\\\"");
    let text = str::from_utf8(bytes).ok().filter(|_| is_escaped)?;
    serde_json::from_str(&format!("\"{text}\"")).ok()
}

/// A list, and not a text that begins with a word in brackets.
fn is_list(bytes: &[u8]) -> bool {
    let first = bytes[1..].trim_ascii_start().first();
    first.is_none_or(|byte| matches!(byte, b'{' | b'[' | b'"' | b']' | b'-' | b'0'..=b'9'))
}

fn is_form(headers: &HeaderMap) -> bool {
    let form = b"application/x-www-form-urlencoded";
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(..form.len()));
    content_type.is_some_and(|start| start.eq_ignore_ascii_case(form))
}
