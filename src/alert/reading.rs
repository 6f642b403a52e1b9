//! What has been found in an alert so far, field by field.

use std::collections::BTreeMap;

use axum::http::HeaderMap;

use super::rules::{self, Meaning, Over};
use super::{Alert, Complaint, MOST_APPS, line, time};
use crate::heroku::{AppName, DynoName};
use crate::query::parameters;

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In an alert itself, where a state is that of the alert.
    Head,
    /// In a part of it, where a state is that of something else.
    Detail,
}

/// The parameters of the service itself, which say nothing of the alert.
const OUR_PARAMETERS: [&str; 6] = ["key", "app", "dyno", "scope", "force", "dry_run"];

/// A few numbers make a delivery unique.
const LONGEST_SEQUENCE: usize = 200;

/// What is being read. Alerts and log lines that come several at once are parts of their own, so that the state, the
/// time and the app that each of them tells stay with the dynos that it names.
#[derive(Debug, Default)]
pub(super) struct Reading {
    whole: Part,
    /// The parts that are open, the innermost last.
    open: Vec<Part>,
    deliveries: Vec<String>,
    sequence: String,
}

#[derive(Debug, Default)]
struct Part {
    over: Option<Over>,
    app: Option<AppName>,
    own: Complaint,
    /// Said by the app itself, whose words prove nothing.
    is_the_apps_own: bool,
    inner: BTreeMap<Option<AppName>, Complaint>,
    alerts: Alerts,
}

/// The alerts inside of a part.
#[derive(Debug, Default)]
struct Alerts {
    is_any_firing: bool,
    over: Option<Over>,
}

impl Place {
    /// Where the fields of an object stand, given what the object means.
    pub(super) fn inside(self, meaning: Meaning) -> Self {
        match (self, meaning) {
            (Self::Head, Meaning::Wrapper | Meaning::Alerts | Meaning::State) => Self::Head,
            _ => Self::Detail,
        }
    }
}

impl Reading {
    pub(super) fn headers(&mut self, headers: &HeaderMap) {
        self.whole.over = Over::in_headers(headers);
        self.deliveries.extend(deliveries_in(headers));
    }

    pub(super) fn query(&mut self, query: &str) {
        for (name, value) in parameters(query) {
            if !OUR_PARAMETERS.contains(&name.as_ref()) {
                self.field(&name, &value);
            }
        }
    }

    /// A field of a form or a query.
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.text(Meaning::of(name), Place::Head, value);
    }

    /// A part begins.
    pub(super) fn open(&mut self) {
        self.open.push(Part::default());
    }

    /// The innermost part ends. An alert has a state of its own.
    pub(super) fn close(&mut self, is_alert: bool) {
        if let Some(part) = self.open.pop() {
            self.part().take_in(part, is_alert);
        }
    }

    pub(super) fn deploy(&mut self, place: Place) {
        if place == Place::Head {
            self.part().over.get_or_insert(Over::Deploy);
        }
    }

    pub(super) fn number(&mut self, meaning: Meaning, place: Place, number: i64) {
        match meaning {
            Meaning::Time => self.time(time::of_number(number)),
            Meaning::AlertType | Meaning::Sequence => self.text(meaning, place, &number.to_string()),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, meaning: Meaning, place: Place, text: &str) {
        // The name of a rule stands among the labels of an alert.
        let is_of_the_alert = place == Place::Head || meaning == Meaning::Rule;
        if is_of_the_alert && let Some(over) = Over::said(meaning, text) {
            self.part().over.get_or_insert(over);
        }
        match meaning {
            Meaning::NotAboutIt => {}
            Meaning::Time => self.time(time::of_text(text)),
            Meaning::Sequence if place == Place::Head && is_number(text) && self.sequence.len() < LONGEST_SEQUENCE => {
                self.sequence.push('/');
                self.sequence.push_str(text.trim());
            }
            Meaning::Dyno => self.dyno(DynoName::parse(text.trim())),
            Meaning::Source => self.source(text.trim()),
            Meaning::App => self.part().app = AppName::parse(text.trim()),
            Meaning::Tags => self.tags(text),
            _ => self.lines(text),
        }
    }

    /// All has been read.
    pub(super) fn finish(mut self) -> Alert {
        if !self.sequence.is_empty() {
            self.deliveries.push(format!("sequence{}", self.sequence));
        }
        let (over, complaints) = match self.whole.finish() {
            Ok(complaints) => (None, complaints),
            Err(over) => (Some(over), BTreeMap::from([(None, Complaint::default())])),
        };
        Alert { over, complaints, deliveries: self.deliveries, fault: None }
    }

    fn part(&mut self) -> &mut Part {
        self.open.last_mut().unwrap_or(&mut self.whole)
    }

    fn time(&mut self, at: Option<jiff::Timestamp>) {
        let own = &mut self.part().own;
        own.at = own.at.max(at);
    }

    fn dyno(&mut self, name: Option<DynoName>) {
        if let Some(name) = name {
            self.part().own.name(name, None);
        }
    }

    /// `heroku/web.1`, or `web.1`. Much else stands in such fields, so that names of Fir, which look like those of many
    /// hosts, do not count here.
    fn source(&mut self, source: &str) {
        match source.split_once('/') {
            Some(("app", _)) => self.part().is_the_apps_own = true,
            Some(("heroku", process)) => self.dyno(DynoName::parse(process)),
            _ => self.dyno(DynoName::parse(source).filter(DynoName::is_numbered)),
        }
    }

    fn tags(&mut self, tags: &str) {
        for tag in tags.split(|c: char| c == ',' || c.is_whitespace()) {
            match tag.split_once(':') {
                Some(("dyno", name)) => self.dyno(DynoName::parse(name)),
                Some(("app", name)) => self.part().app = AppName::parse(name),
                _ => {}
            }
        }
    }

    fn lines(&mut self, text: &str) {
        for (name, at) in line::dynos(text) {
            self.part().own.name(name, at);
        }
    }
}

impl Part {
    fn take_in(&mut self, part: Self, is_alert: bool) {
        match part.finish() {
            Ok(complaints) => {
                self.alerts.is_any_firing |= is_alert;
                for (app, complaint) in complaints {
                    if self.inner.len() < MOST_APPS || self.inner.contains_key(&app) {
                        self.inner.entry(app).or_default().merge(complaint);
                    }
                }
            }
            Err(over) if is_alert => self.alerts.over = self.alerts.over.or(Some(over)),
            Err(_) => {}
        }
    }

    /// What is wrong, by app; or why nothing is. What a part does not say of itself is said by the whole it is in.
    fn finish(self) -> Result<BTreeMap<Option<AppName>, Complaint>, Over> {
        let Self { over, app, mut own, is_the_apps_own, inner, alerts } = self;
        if let Some(over) = over.or(alerts.over.filter(|_| !alerts.is_any_firing)) {
            return Err(over);
        }
        let is_named_inside = inner.values().any(|complaint| !complaint.dynos.is_empty());
        if is_the_apps_own || (alerts.is_any_firing && is_named_inside) {
            // What is said of all alerts together includes those that have recovered.
            own.dynos.clear();
        }
        own.settle_times(None);
        let mut complaints: BTreeMap<Option<AppName>, Complaint> = BTreeMap::new();
        let at = own.at;
        if inner.is_empty() || !own.dynos.is_empty() {
            complaints.insert(app.clone(), own);
        }
        for (inner_app, mut complaint) in inner {
            complaint.settle_times(at);
            complaints.entry(inner_app.or_else(|| app.clone())).or_default().merge(complaint);
        }
        Ok(complaints)
    }
}

/// What makes each delivery unique by its headers.
pub(super) fn deliveries_in(headers: &HeaderMap) -> impl Iterator<Item = String> {
    rules::delivery_headers(headers).map(|(name, value)| format!("{name}/{value}"))
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit())
}
