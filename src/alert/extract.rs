//! What has been found in an alert so far, field by field.

use axum::http::HeaderMap;
use jiff::Timestamp;

use super::affected::{Complaint, Complaints};
use super::error::Fault;
use super::fields::{self, Meaning, Over};
use super::line::{self, Evidence};
use super::{Alert, time};
use crate::heroku::{AppName, DynoName};
use crate::util::query::{KEY, PARAMETERS, parameters};

/// Where a field stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In an alert itself, where a state is that of the alert.
    Head,
    /// In one of several things that are told of, such as the lines of a log: it has a time, but no state.
    Row,
    /// In a part of it, where state and time are those of something else.
    Detail,
}

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
    /// What log lines name.
    lines: Complaint,
    /// Said by the app itself, whose lines prove nothing.
    is_the_apps_own: bool,
    inner: Complaints,
    alerts: Alerts,
}

/// The alerts inside of a part.
#[derive(Debug, Default)]
struct Alerts {
    is_any_firing: bool,
    over: Option<Over>,
}

/// What a part is to the one it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An alert, with a state of its own.
    Alert,
    /// An event that the alert is about.
    Event,
    /// Something else: its time is worth something only if it names a dyno.
    Other,
}

impl Place {
    /// Where the fields of an object stand, given what the object means and whether it is one of several.
    pub(super) fn inside(self, meaning: Meaning, role: Option<Role>) -> Self {
        match (self, meaning, role) {
            (Self::Head, _, Some(Role::Alert))
            | (Self::Head, Meaning::Wrapper | Meaning::Alerts | Meaning::State, None) => Self::Head,
            (_, _, Some(_)) => Self::Row,
            _ => Self::Detail,
        }
    }
}

impl Reading {
    /// Begins with what headers and query say.
    pub(super) fn begin(headers: &HeaderMap, query: &str) -> Self {
        let mut reading = Self::default();
        reading.whole.over = Over::in_headers(headers);
        reading.deliveries.extend(fields::deliveries(headers));
        reading.query(query);
        reading
    }

    fn query(&mut self, query: &str) {
        for (name, value) in parameters(query) {
            // Ours say nothing of the alert.
            if name != KEY && !PARAMETERS.contains(&name.as_ref()) {
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

    /// The innermost part ends.
    pub(super) fn close(&mut self, role: Role) {
        if let Some(part) = self.open.pop() {
            self.part().take_in(part, role);
        }
    }

    pub(super) fn deploy(&mut self, place: Place) {
        if place == Place::Head {
            self.part().over.get_or_insert(Over::Deploy);
        }
    }

    pub(super) fn number(&mut self, meaning: Meaning, place: Place, number: i64) {
        match meaning {
            Meaning::Time => self.time(place, time::of_number(number)),
            Meaning::AlertType | Meaning::Sequence => self.text(meaning, place, &number.to_string()),
            // Alerts that are left out may well be firing.
            Meaning::LeftOut => self.part().alerts.is_any_firing |= number > 0,
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
            Meaning::Time => self.time(place, time::of_text(text)),
            Meaning::Delivery if place == Place::Head && text.len() <= LONGEST_SEQUENCE => {
                self.deliveries.push(format!("delivery/{}", text.trim()));
            }
            Meaning::Sequence if place == Place::Head && is_number(text) && self.sequence.len() < LONGEST_SEQUENCE => {
                self.sequence.push('/');
                self.sequence.push_str(text.trim());
            }
            Meaning::Dyno => {
                words(text).for_each(|name| self.dyno(name.trim_start_matches("heroku/")));
            }
            Meaning::Source => self.source(text.trim()),
            Meaning::App => self.app(text),
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
            Err(over) => (Some(over), Complaints::none()),
        };
        Alert { over, complaints, deliveries: self.deliveries, fault: None }
    }

    /// What has been read so far, of headers and query, is all that counts, but for the apps that `unread` names.
    pub(super) fn finish_without(self, unread: Self, fault: Fault) -> Alert {
        let apps = unread.open.into_iter().chain([unread.whole]).flat_map(Part::apps);
        let mut alert = self.finish();
        alert.complaints.add_apps(apps);
        Alert { fault: Some(fault), ..alert }
    }

    fn part(&mut self) -> &mut Part {
        self.open.last_mut().unwrap_or(&mut self.whole)
    }

    fn time(&mut self, place: Place, at: Option<Timestamp>) {
        if place != Place::Detail {
            let own = &mut self.part().own;
            own.at = own.at.max(at);
        }
    }

    fn app(&mut self, name: &str) {
        let app = &mut self.part().app;
        if app.is_none() {
            *app = AppName::parse(name.trim());
        }
    }

    fn dyno(&mut self, name: &str) {
        if let Some(name) = DynoName::parse(name) {
            self.part().own.name(name, None);
        }
    }

    /// `heroku/web.1`. What has nothing in front may be a dyno, and much else; names of Fir look like those of hosts, so
    /// they do not count here.
    fn source(&mut self, source: &str) {
        match source.split_once('/') {
            Some(("app", _)) => self.part().is_the_apps_own = true,
            Some(("heroku", process)) => self.dyno(process),
            _ if source == "app" => self.part().is_the_apps_own = true,
            _ => {
                if let Some(name) = DynoName::parse(source).filter(DynoName::is_numbered) {
                    self.part().own.perhaps(name, None);
                }
            }
        }
    }

    fn tags(&mut self, tags: &str) {
        for tag in words(tags) {
            match tag.split_once(':') {
                Some(("dyno", name)) => self.dyno(name),
                Some(("app", name)) => self.app(name),
                _ => {}
            }
        }
    }

    fn lines(&mut self, text: &str) {
        for (name, at, evidence) in line::dynos(text) {
            let lines = &mut self.part().lines;
            match evidence {
                Evidence::Sure => lines.name(name, at),
                Evidence::Weak => lines.perhaps(name, at),
            }
        }
    }
}

impl Part {
    fn take_in(&mut self, part: Self, role: Role) {
        match part.finish() {
            Ok(mut complaints) => {
                self.alerts.is_any_firing |= role == Role::Alert;
                match role {
                    Role::Alert => {}
                    Role::Event => complaints.drop_what_says_nothing(),
                    Role::Other => complaints.keep_names(),
                }
                self.inner.take_in(complaints);
            }
            Err(over) if role == Role::Alert => self.alerts.over = self.alerts.over.or(Some(over)),
            Err(_) => {}
        }
    }

    /// What is wrong, by app; or why nothing is. What a part does not say of itself is said by the whole it is in.
    fn finish(self) -> Result<Complaints, Over> {
        let Self { over, app, mut own, lines, is_the_apps_own, inner, alerts } = self;
        if let Some(over) = over.or(alerts.over.filter(|_| !alerts.is_any_firing)) {
            return Err(over);
        }
        if !is_the_apps_own {
            own.merge(lines);
        }
        if alerts.over.is_some() || (alerts.is_any_firing && inner.names_any()) {
            // What is said of all alerts together includes those that have recovered.
            own.forget_names();
        }
        own.settle_times(None);
        Ok(inner.inside_of(app, own))
    }

    fn apps(self) -> impl Iterator<Item = AppName> {
        self.app.into_iter().chain(self.inner.into_apps())
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty())
}

fn is_number(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit())
}
