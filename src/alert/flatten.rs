//! Turns a request of any form into one flat list of fields: JSON, a form of either kind, plain text, and the query of
//! the URL. This module knows the forms; what a field means is up to `fields` and `extract`.
//!
//! The list is never stored: the fields are handed over one by one, in the order of the request. A tree of 8 MiB of JSON
//! would take many times as much memory, and even a list of its fields as much again.

use std::borrow::Cow;
use std::fmt;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::encoding::multipart;
use super::error::ParseError;
use super::repair::repair;
use crate::util::query::{KEY, PARAMETERS, form, parameters};

/// How many containers are around a top-level field: the request itself.
const TOP: usize = 1;

/// A body that is a list is read as an object with this one field: each element is an alert.
const ROOT_LIST: &str = "alerts";

/// A body that is plain text is read as this field.
const PLAIN_TEXT: &str = "text";

/// A field. An object or a list is a field too, and comes in front of what it contains.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    /// How many objects and lists are around the field, the request itself included.
    pub(super) depth: usize,
    /// `None` for the element of a list.
    pub(super) name: Option<&'a str>,
    pub(super) value: Value<'a>,
}

/// A value. Numbers lose their fraction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Object,
    List,
    Text(&'a str),
    Integer(i64),
    Bool(bool),
    Null,
}

/// Takes the fields. A trait object, so that the parser of JSON is compiled once and not for each sink.
pub(super) type Sink<'a> = dyn FnMut(Field<'_>) + 'a;

/// Hands over the query of the URL. The service's own parameters say nothing about the alert.
pub(super) fn query(query: &str, sink: &mut Sink<'_>) {
    for (name, value) in parameters(query).filter(|(name, _)| name != KEY && !PARAMETERS.contains(&name.as_ref())) {
        text(Some(&name), &value, sink);
    }
}

/// Hands over a body that is not compressed. On an error, the fields in front of it have been handed over.
///
/// What a body looks like counts for more than its content type: `curl -d '{...}'` calls JSON a form.
pub(super) fn body(headers: &HeaderMap, bytes: &[u8], is_mended: bool, sink: &mut Sink<'_>) -> Result<(), ParseError> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii();
    // A log line may contain any bytes; the rest of the message is good all the same.
    let utf8 = || String::from_utf8_lossy(bytes);
    match bytes.first() {
        None => {}
        Some(b'{') => json(&utf8(), is_mended, None, sink)?,
        Some(b'[') if is_list(bytes) => json(&utf8(), is_mended, None, sink)?,
        // Decoded only once: a log line may contain a bare `%`.
        Some(_) if is_form(headers) || bytes.starts_with(b"payload=") => {
            form(bytes).for_each(|(name, value)| text(Some(&name), &value, sink));
        }
        Some(_) => match multipart(bytes) {
            Some(fields) => fields.for_each(|(name, value)| text(Some(name), value, sink)),
            None => text(Some(PLAIN_TEXT), &utf8(), sink),
        },
    }
    Ok(())
}

fn text(name: Option<&str>, text: &str, sink: &mut Sink<'_>) {
    sink(Field { depth: TOP, name, value: Value::Text(text) });
}

/// Whether a text looks like JSON that a sender has put into a field.
pub(super) fn is_json(text: &str) -> bool {
    let text = text.trim_start().as_bytes();
    let inner = text.get(1..).unwrap_or_default().trim_ascii_start().first();
    match text.first() {
        Some(b'{') => matches!(inner, Some(b'"' | b'\'' | b'}')),
        Some(b'[') => matches!(inner, Some(b'{' | b'[' | b'"')),
        _ => false,
    }
}

/// Hands over JSON; `field` is the one that contains it as a text.
///
/// `serde_json` rejects what is nested more than 128 levels deep.
pub(super) fn json(
    text: &str,
    is_mended: bool,
    field: Option<&Field<'_>>,
    sink: &mut Sink<'_>,
) -> Result<(), ParseError> {
    let text = if is_mended { repair(text).into() } else { Cow::Borrowed(text) };
    let mut json = serde_json::Deserializer::from_str(&text);
    let (depth, name) = field.map_or((0, None), |field| (field.depth, field.name));
    let root = Node { path: &mut name.unwrap_or_default().to_owned(), sink, depth, name: name.map(|_| 0) };
    let parsed = root.deserialize(&mut json).and_then(|()| json.end());
    parsed.map_err(|error| ParseError::BrokenJson { line: error.line(), column: error.column() })
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

/// A JSON value that is about to be read.
struct Node<'a> {
    sink: &'a mut Sink<'a>,
    /// All names around the value, and its own.
    path: &'a mut String,
    /// 0 for the root.
    depth: usize,
    /// Where the own name begins in the path.
    name: Option<usize>,
}

impl Node<'_> {
    fn add(self, value: Value<'_>) {
        let name = self.name.map(|start| &self.path[start..]);
        (self.sink)(Field { depth: self.depth, name, value });
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { sink, path, depth, name } = self;
        if depth >= TOP {
            Node { sink, path, depth, name }.add(Value::Object);
        }
        let end = path.len();
        while map.next_key_seed(Name(path))?.is_some() {
            map.next_value_seed(Node { sink, path, depth: depth + 1, name: Some(end) })?;
            path.truncate(end);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { sink, path, mut depth, mut name } = self;
        if depth < TOP {
            path.push_str(ROOT_LIST);
            (depth, name) = (TOP, Some(0));
        }
        Node { sink, path, depth, name }.add(Value::List);
        while list.next_element_seed(Node { sink, path, depth: depth + 1, name: None })?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.add(Value::Text(text));
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.add(Value::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        self.add(Value::Integer(number));
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        self.add(Value::Integer(i64::try_from(number).unwrap_or(i64::MAX)));
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "a time in seconds; no rule asks for anything smaller")]
    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.add(Value::Integer(number as i64));
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add(Value::Null);
        Ok(())
    }
}

/// Appends the name of a field to the path.
struct Name<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        self.0.push_str(name);
        Ok(())
    }
}
