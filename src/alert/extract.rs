//! Walks over the flat list of fields and collects what an alert says.
//!
//! Each object in a list is an element with its own state, time, app and dynos: one of several alerts, an event, or a row
//! of data. An element takes what it does not say from what contains it, and ends up there.
//!
//! The time of a part counts only if the part is an event, or names a dyno.

mod names;

use std::collections::BTreeSet;

use axum::http::HeaderMap;

use super::affected::{AffectedApps, Certainty};
use super::element::{Element, Scope};
use super::fields::{self, FieldKind, OF_LOG_LINES};
use super::flatten::{Field, Next, Sink, Value};
use super::signal::Signal;
use super::states::Inactive;
use super::{Alert, Handshake, ParseError, UnknownState, time};
use crate::util::dry_run;

/// A few numbers identify a delivery.
const MAX_SEQUENCE: usize = 200;

/// A text that asks for a dry run is no longer, in bytes.
const LONGEST_WISH: usize = 60;

/// How many IDs of a delivery are kept. Senders give one or two.
const MOST_DELIVERIES: usize = 20;

/// An object or a list that the walk is in.
#[derive(Clone, Copy, Debug)]
struct Container {
    kind: FieldKind,
    scope: Scope,
    is_element: bool,
}

/// What has been collected so far.
#[derive(Debug, Default)]
pub(super) struct Extraction {
    whole: Element,
    /// The objects and lists that the walk is in, the innermost last.
    containers: Vec<Container>,
    /// Those of them that are elements.
    open: Vec<Element>,
    deliveries: BTreeSet<String>,
    sequence: String,
    unknown_state: Option<UnknownState>,
    handshake: Option<Handshake>,
    asks_for_dry_run: bool,
    /// What the name and the value of a pair are, `["dyno", "web.2"]` or `{ "key": "dyno", "value": "web.2" }`.
    pair: (Option<FieldKind>, Option<String>),
}

impl Container {
    const ROOT: Self = Self { kind: FieldKind::Text, scope: Scope::Alert, is_element: false };

    /// An object in this container.
    fn object(self, kind: FieldKind, is_in_list: bool) -> Self {
        let scope = match (self.scope, kind) {
            (Scope::Alert, FieldKind::Alerts | FieldKind::Text | FieldKind::Trigger | FieldKind::Original) => {
                Scope::Alert
            }
            _ if is_in_list => Scope::Row,
            (Scope::Alert, FieldKind::Wrapper | FieldKind::Error | FieldKind::State | FieldKind::Heartbeat) => {
                Scope::Alert
            }
            _ => Scope::Part,
        };
        Self { kind, scope, is_element: is_in_list && kind != FieldKind::Text }
    }
}

impl Sink for Extraction {
    fn add(&mut self, field: Field<'_>) -> Next {
        if let Value::BrokenJson(text) = field.value {
            self.text(text);
            return Next::GoOn;
        }
        self.leave(field.depth);
        let container = self.containers.last().copied().unwrap_or(Container::ROOT);
        self.look_for_dry_run(container, &field);
        let mut kind = field.name.map_or(container.kind, |name| container.kind.of_inner(name));
        let is_in_error = container.kind == FieldKind::Error;
        let is_quoted = field.is_opened && !is_in_error && kind == FieldKind::Text || kind == FieldKind::Original;
        if field.is_opened {
            kind = if is_in_error { FieldKind::Other } else { kind.opened(matches!(field.value, Value::List)) };
        }
        if let (Some(name), Some(element)) = (field.name, self.open.last_mut().filter(|element| element.is_quoted)) {
            element.is_log_line |= OF_LOG_LINES.contains(&name);
        }
        match (container.kind, field.name) {
            (FieldKind::ByDyno, Some(name)) => self.source(name),
            // `{ "dynos": { "web.2": {} } }`
            (FieldKind::Dyno, Some(name)) => self.dyno(name, Certainty::Possible),
            _ => {}
        }
        match field.value {
            Value::List | Value::Object if kind == FieldKind::Ignored => return Next::Skip,
            Value::List if kind == FieldKind::Context => return Next::Skip,
            Value::Text(text) if self.is_in_pair() => self.pair(field.name, text),
            // Not the fields of rows and parts: what the app has printed may stand there.
            Value::Text(_)
                if container.scope == Scope::Alert
                    && (kind != FieldKind::Ignored && field.is_json()
                        || kind == FieldKind::Wrapper && field.is_base64_json()) =>
            {
                return Next::Open;
            }
            Value::Text(text) => self.value(kind, container, field.name, text),
            Value::Bool(value) => self.state(kind, container, field.name, if value { "true" } else { "false" }),
            Value::Integer(number) if kind.takes_numbers() => {
                self.value(kind, container, field.name, &number.to_string());
            }
            Value::Null if kind == FieldKind::Heartbeat => self.signal(Signal::News(Inactive::Test)),
            Value::Integer(_) | Value::Null | Value::BrokenJson(_) => {}
            Value::List => self.containers.push(Container { kind, is_element: false, ..container }),
            Value::Object => {
                match (kind, container.scope) {
                    (FieldKind::Deploy, Scope::Alert) => self.signal(Signal::Quiet(Inactive::Deploy)),
                    (FieldKind::Maintenance, Scope::Alert) => self.signal(Signal::Quiet(Inactive::NoAlert)),
                    (FieldKind::NoAlert, Scope::Alert) => self.signal(Signal::News(Inactive::NoAlert)),
                    _ => {}
                }
                let mut object = container.object(kind, field.name.is_none());
                object.is_element |= is_quoted;
                if object.is_element {
                    let is_event = matches!(kind, FieldKind::Events | FieldKind::ByDyno);
                    self.open.push(Element { scope: object.scope, is_event, is_quoted, ..Element::default() });
                }
                self.containers.push(object);
            }
        }
        Next::GoOn
    }
}

impl Extraction {
    /// Begins with what the headers say.
    pub(super) fn new(headers: &HeaderMap) -> Self {
        let mut extraction = Self::default();
        extraction.whole.signal = Signal::of_headers(headers);
        extraction.asks_for_dry_run = fields::asks_for_dry_run(headers);
        fields::deliveries(headers).for_each(|id| extraction.delivery(id));
        extraction
    }

    /// Whether the walk is in a list or an object that is an element of a list of tags.
    fn is_in_pair(&self) -> bool {
        let mut around = self.containers.iter().rev();
        around.next().is_some_and(|pair| pair.kind == FieldKind::Tags)
            && around.next().is_some_and(|list| list.kind == FieldKind::Tags)
    }

    /// Leaves all containers that are not around a field of this depth. The request itself is not on the stack.
    fn leave(&mut self, depth: usize) {
        while self.containers.len() >= depth
            && let Some(left) = self.containers.pop()
        {
            self.pair = (None, None);
            if left.is_element
                && let Some(element) = self.open.pop()
            {
                self.element().take_in(element);
            }
        }
    }

    /// Bytes are missing: another alert of the list that the walk is in may be among them.
    pub(super) fn cut_off(&mut self) {
        if self.containers.iter().any(|container| container.kind == FieldKind::Alerts) {
            self.open.iter_mut().chain([&mut self.whole]).for_each(|element| element.has_active_alert = true);
        }
    }

    /// What all fields together say; `error` says what could not be read.
    pub(super) fn finish(mut self, error: Option<ParseError>) -> Alert {
        self.leave(0);
        if !self.sequence.is_empty() {
            self.deliveries.insert(format!("sequence{}", self.sequence));
        }
        let has_trouble = self.whole.has_trouble();
        let (inactive, affected) = match self.whole.finish() {
            Ok(affected) => (None, affected),
            Err(reason) => (Some(reason), AffectedApps::default()),
        };
        let unknown_state = self.unknown_state.filter(|_| inactive.is_none() && !has_trouble);
        let handshake = self.handshake.filter(|_| inactive == Some(Inactive::Handshake));
        let asks_for_dry_run = self.asks_for_dry_run;
        Alert { inactive, affected, deliveries: self.deliveries, unknown_state, handshake, asks_for_dry_run, error }
    }

    fn element(&mut self) -> &mut Element {
        self.open.last_mut().unwrap_or(&mut self.whole)
    }

    fn signal(&mut self, signal: Signal) {
        let known = &mut self.element().signal;
        *known = known.or_stronger(signal);
    }

    /// What a field says about the state of its alert.
    fn state(&mut self, kind: FieldKind, container: Container, name: Option<&str>, text: &str) {
        let counts = match kind {
            // The name of a rule is one of the labels of an alert.
            FieldKind::Rule => true,
            // Not a text further inside, for that may be a log line.
            FieldKind::Text => container.scope == Scope::Alert && (container.is_element || container.kind == kind),
            _ => container.scope == Scope::Alert,
        };
        if !counts {
            return;
        }
        let signal = Signal::of_field(kind, text);
        if signal == Signal::Unknown && self.unknown_state.is_none() {
            self.unknown_state = UnknownState::new(name, text);
        }
        self.signal(signal);
    }

    fn value(&mut self, kind: FieldKind, container: Container, name: Option<&str>, text: &str) {
        self.state(kind, container, name, text);
        let scope = container.scope;
        match kind {
            FieldKind::Time if scope != Scope::Part => {
                let own = &mut self.element().own;
                own.at = own.at.max(time::of_text(text));
            }
            FieldKind::Ignored | FieldKind::Context | FieldKind::Time => {}
            // An active alert may be among those that the sender left out.
            FieldKind::LeftOut => self.element().has_active_alert |= text.parse::<i64>().is_ok_and(|count| count > 0),
            FieldKind::Delivery if scope == Scope::Alert && (1..=MAX_SEQUENCE).contains(&text.trim().len()) => {
                self.delivery(format!("delivery/{}", text.trim()));
            }
            FieldKind::Sequence
                if scope == Scope::Alert
                    && text.trim().parse::<u128>().is_ok()
                    && self.sequence.len() < MAX_SEQUENCE =>
            {
                self.sequence.push('/');
                self.sequence.push_str(text.trim());
            }
            FieldKind::Challenge | FieldKind::ConfirmUrl if self.handshake.is_none() => {
                self.handshake = Handshake::new(kind, name.unwrap_or_default(), text);
            }
            FieldKind::Dyno => {
                names::words(text).flat_map(|word| word.split([':', '='])).for_each(|name| self.name(kind, name));
            }
            FieldKind::Source | FieldKind::App | FieldKind::Host => self.name(kind, text.trim()),
            FieldKind::Tags => self.tags(text),
            FieldKind::Text | FieldKind::Title if scope == Scope::Alert => self.text(text),
            _ => self.lines(text),
        }
    }

    /// What asks for a dry run belongs in the URL. A field further inside may be about anything.
    fn look_for_dry_run(&mut self, container: Container, field: &Field<'_>) {
        let name = field.name.unwrap_or_default();
        self.asks_for_dry_run |= container.scope == Scope::Alert
            && match field.value {
                Value::Bool(value) => dry_run::is_asked_for(name, if value { "true" } else { "false" }),
                Value::Integer(number @ 0..=1) => {
                    dry_run::is_asked_for(name, if number == 1 { "true" } else { "false" })
                }
                Value::Text(text) if text.len() <= LONGEST_WISH && self.containers.is_empty() => {
                    dry_run::is_asked_for(name, text) || dry_run::is_asked_for_within(text)
                }
                _ => false,
            };
    }

    fn delivery(&mut self, id: String) {
        if self.deliveries.len() < MOST_DELIVERIES {
            self.deliveries.insert(id);
        }
    }
}
