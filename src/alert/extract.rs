//! Walks over the flat list of fields and collects what an alert says.
//!
//! Each object in a list is an element with its own state, time, app and dynos: one of several alerts, an event, or a row
//! of data. An element takes what it does not say from what contains it, and ends up there.
//!
//! Only the state of an alert itself counts, and not that of its parts. The time of a part counts only if the part is an
//! event, or names a dyno. An alert that has recovered names no dynos, and the text of its group names none either.

use axum::http::HeaderMap;

use super::affected::{AffectedApps, AffectedDynos, Mention};
use super::fields::{self, FieldKind, Inactive};
use super::flatten::{self, Field, Value};
use super::{Alert, line, time};
use crate::heroku::{AppName, DynoName};

/// A few numbers identify a delivery.
const MAX_SEQUENCE: usize = 200;

/// Which fields of an object count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scope {
    /// An alert: state and time count.
    #[default]
    Alert,
    /// An event or a row of data: the time counts.
    Row,
    /// A part of something: neither counts.
    Part,
}

/// An object or a list that the walk is in.
#[derive(Clone, Copy, Debug)]
struct Container {
    kind: FieldKind,
    scope: Scope,
    is_element: bool,
}

/// What one element says. The request as a whole is one too.
#[derive(Debug, Default)]
struct Element {
    scope: Scope,
    is_event: bool,
    inactive: Option<Inactive>,
    app: Option<AppName>,
    own: AffectedDynos,
    /// What log lines name.
    lines: AffectedDynos,
    /// The app printed the lines, so that they prove nothing.
    is_app_output: bool,
    inner: AffectedApps,
    has_active_alert: bool,
    inactive_alert: Option<Inactive>,
}

/// What has been collected so far.
#[derive(Debug, Default)]
pub(super) struct Extraction {
    whole: Element,
    /// The objects and lists that the walk is in, the innermost last.
    containers: Vec<Container>,
    /// Those of them that are elements.
    open: Vec<Element>,
    deliveries: Vec<String>,
    sequence: String,
}

impl Container {
    const ROOT: Self = Self { kind: FieldKind::Wrapper, scope: Scope::Alert, is_element: false };

    /// The kind of a field in this container.
    fn kind_of(self, name: Option<&str>) -> FieldKind {
        match (self.kind, name) {
            (kind, None) | (kind @ FieldKind::Ignored, _) => kind,
            (FieldKind::ByDyno, _) => FieldKind::Other,
            (_, Some(name)) => FieldKind::of(name),
        }
    }

    /// An object in this container.
    fn object(self, kind: FieldKind, is_in_list: bool) -> Self {
        let scope = match (self.scope, kind) {
            (Scope::Alert, FieldKind::Alerts) => Scope::Alert,
            _ if is_in_list => Scope::Row,
            (Scope::Alert, FieldKind::Wrapper | FieldKind::State) => Scope::Alert,
            _ => Scope::Part,
        };
        Self { kind, scope, is_element: is_in_list && kind != FieldKind::Ignored }
    }
}

impl Extraction {
    /// Begins with what headers and query say.
    pub(super) fn of_head(headers: &HeaderMap, query: &str) -> Self {
        let mut extraction = Self::default();
        extraction.whole.inactive = Inactive::of_headers(headers);
        extraction.deliveries.extend(fields::deliveries(headers));
        flatten::query(query, &mut |field| extraction.add(field));
        extraction
    }

    /// Takes the next field of the list.
    pub(super) fn add(&mut self, field: Field<'_>) {
        self.leave(field.depth);
        let container = self.containers.last().copied().unwrap_or(Container::ROOT);
        let (kind, scope) = (container.kind_of(field.name), container.scope);
        if let (FieldKind::ByDyno, Some(name)) = (container.kind, field.name) {
            self.source(name);
        }
        match field.value {
            Value::Text(text) => self.text(kind, scope, text),
            Value::Bool(value) => self.text(kind, scope, if value { "true" } else { "false" }),
            Value::Integer(number) if kind.takes_numbers() => self.text(kind, scope, &number.to_string()),
            Value::Integer(_) | Value::Null => {}
            Value::List => self.containers.push(Container { kind, scope, is_element: false }),
            Value::Object => {
                if kind == FieldKind::Deploy && scope == Scope::Alert {
                    self.element().inactive.get_or_insert(Inactive::Deploy);
                }
                let object = container.object(kind, field.name.is_none());
                if object.is_element {
                    let is_event = matches!(kind, FieldKind::Events | FieldKind::ByDyno);
                    self.open.push(Element { scope: object.scope, is_event, ..Element::default() });
                }
                self.containers.push(object);
            }
        }
    }

    /// Leaves all containers that are not around a field of this depth. The request itself is not on the stack.
    fn leave(&mut self, depth: usize) {
        while self.containers.len() >= depth
            && let Some(left) = self.containers.pop()
        {
            if left.is_element
                && let Some(element) = self.open.pop()
            {
                self.element().take_in(element);
            }
        }
    }

    /// What all fields together say.
    pub(super) fn finish(mut self) -> Alert {
        self.leave(0);
        if !self.sequence.is_empty() {
            self.deliveries.push(format!("sequence{}", self.sequence));
        }
        let (inactive, affected) = match self.whole.finish() {
            Ok(affected) => (None, affected),
            Err(reason) => (Some(reason), AffectedApps::default()),
        };
        Alert { inactive, affected, deliveries: self.deliveries, error: None }
    }

    /// The apps that have been named, whatever else is said about them.
    pub(super) fn apps(&self) -> impl Iterator<Item = AppName> {
        let elements = self.open.iter().chain([&self.whole]);
        elements.flat_map(|element| element.app.iter().chain(element.inner.names())).cloned()
    }

    fn element(&mut self) -> &mut Element {
        self.open.last_mut().unwrap_or(&mut self.whole)
    }

    fn text(&mut self, kind: FieldKind, scope: Scope, text: &str) {
        // The name of a rule is one of the labels of an alert.
        if (scope == Scope::Alert || kind == FieldKind::Rule)
            && let Some(reason) = Inactive::of_field(kind, text)
        {
            self.element().inactive.get_or_insert(reason);
        }
        match kind {
            FieldKind::Time if scope != Scope::Part => {
                let own = &mut self.element().own;
                own.at = own.at.max(time::of_text(text));
            }
            FieldKind::Ignored | FieldKind::Time => {}
            // An active alert may be among those that the sender left out.
            FieldKind::LeftOut => self.element().has_active_alert |= text.parse::<i64>().is_ok_and(|count| count > 0),
            FieldKind::Delivery if scope == Scope::Alert && (1..=MAX_SEQUENCE).contains(&text.trim().len()) => {
                self.deliveries.push(format!("delivery/{}", text.trim()));
            }
            FieldKind::Sequence if scope == Scope::Alert && is_number(text) && self.sequence.len() < MAX_SEQUENCE => {
                self.sequence.push('/');
                self.sequence.push_str(text.trim());
            }
            FieldKind::Dyno => words(text).for_each(|name| self.dyno(name.trim_start_matches("heroku/"), true)),
            FieldKind::Source => self.source(text.trim()),
            FieldKind::App => self.app(text),
            FieldKind::Tags => self.tags(text),
            _ => self.lines(text),
        }
    }

    fn app(&mut self, name: &str) {
        let app = &mut self.element().app;
        if app.is_none() {
            *app = AppName::parse(name.trim());
        }
    }

    fn dyno(&mut self, name: &str, is_certain: bool) {
        if let Some(name) = DynoName::parse(name).filter(|name| is_certain || name.is_numbered()) {
            self.element().own.add(name, Mention { at: None, is_certain });
        }
    }

    /// `heroku/web.1` is a dyno; a bare `web.1` may be one. A bare name of the form used on Fir does not count: host names
    /// look the same.
    fn source(&mut self, source: &str) {
        match source.split_once('/') {
            Some(("heroku", process)) => self.dyno(process, true),
            Some(("app", _)) => self.element().is_app_output = true,
            _ if source == "app" => self.element().is_app_output = true,
            _ => self.dyno(source, false),
        }
    }

    fn tags(&mut self, tags: &str) {
        for tag in words(tags) {
            match tag.split_once(':') {
                Some(("dyno", name)) => self.dyno(name, true),
                Some(("app", name)) => self.app(name),
                _ => {}
            }
        }
    }

    fn lines(&mut self, text: &str) {
        let lines = &mut self.element().lines;
        line::dynos(text).for_each(|(name, mention)| lines.add(name, mention));
    }
}

impl Element {
    fn take_in(&mut self, element: Self) {
        let (is_alert, is_event) = (element.scope == Scope::Alert, element.is_event);
        match element.finish() {
            Ok(mut affected) => {
                self.has_active_alert |= is_alert;
                if !is_alert {
                    affected.keep_known(is_event);
                }
                self.inner.merge(affected);
            }
            Err(reason) if is_alert => {
                self.inactive_alert.get_or_insert(reason);
            }
            Err(_) => {}
        }
    }

    /// What is affected, by app; or why nothing is.
    fn finish(self) -> Result<AffectedApps, Inactive> {
        let Self { inactive, app, mut own, lines, is_app_output, inner, has_active_alert, inactive_alert, .. } = self;
        if let Some(reason) = inactive.or(inactive_alert.filter(|_| !has_active_alert)) {
            return Err(reason);
        }
        if !is_app_output {
            own.complete(lines);
        }
        if inactive_alert.is_some() || (has_active_alert && inner.has_dynos()) {
            // What is said about all alerts together includes those that have recovered.
            own.clear_names();
        }
        own.fill_times(None);
        Ok(inner.inside(app, own))
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit())
}
