//! The dynos and apps that fields, tags and texts name.

use super::Extraction;
use crate::alert::affected::{Certainty, Mention};
use crate::alert::fields::FieldKind;
use crate::alert::line;
use crate::heroku::{AppName, DynoName};

impl Extraction {
    fn app(&mut self, name: &str) {
        let app = &mut self.element().app;
        if app.is_none() {
            // In the fields of syslog, these are the platform and the app itself.
            *app = AppName::parse(&name.trim().to_ascii_lowercase())
                .filter(|name| !matches!(name.as_str(), "heroku" | "app"));
        }
    }

    pub(super) fn dyno(&mut self, name: &str, certainty: Certainty) {
        let is_certain = certainty == Certainty::Certain;
        // Some senders write all names in capitals.
        let lower = (!name.contains(|c: char| c.is_ascii_lowercase())).then(|| name.to_ascii_lowercase());
        if let Some(name) =
            DynoName::parse(lower.as_deref().unwrap_or(name)).filter(|name| is_certain || name.is_numbered())
        {
            let certainty = self.certainty(certainty);
            self.element().own.add(name, Mention { at: None, certainty });
        }
    }

    /// `heroku/web.1` is a dyno, and `app/web.1` the one that printed a line; a bare `web.1` may be one. A bare name of the
    /// form used on Fir does not count: host names look the same.
    pub(super) fn source(&mut self, source: &str) {
        match source.split_once('/') {
            Some(("heroku", process)) => self.dyno(process, Certainty::Certain),
            Some(("app", process)) => {
                self.element().is_app_output = true;
                self.dyno(process, Certainty::Printed);
            }
            _ if source == "app" => self.element().is_app_output = true,
            _ => {
                self.dyno(source, Certainty::Possible);
                self.host(source);
            }
        }
    }

    /// `shop.web.2` is a dyno of an app, if there is one of that type. So is `web.2`, the name by which a dyno knows itself.
    fn host(&mut self, host: &str) {
        self.dyno(host, Certainty::Host);
        if let Some((app, dyno)) = host.split_once('.')
            && DynoName::parse(dyno).is_some_and(|name| name.is_numbered())
        {
            self.app(app);
            self.dyno(dyno, Certainty::Possible);
        }
    }

    pub(super) fn tags(&mut self, tags: &str) {
        for tag in words(tags) {
            match tag.split_once([':', '=']) {
                Some((name, value)) => self.name(FieldKind::of(name), value),
                None => self.dyno(tag, Certainty::Possible),
            }
        }
    }

    /// What a field or a tag of this kind names.
    pub(super) fn name(&mut self, kind: FieldKind, value: &str) {
        match kind {
            // `heroku/web.2`, `heroku[web.2]`, `shop.web.2`
            FieldKind::Dyno => {
                self.host(value);
                value.split('/').for_each(|name| self.dyno(name.trim_end_matches('.'), Certainty::Certain));
            }
            FieldKind::App => self.app(value),
            FieldKind::Source => self.source(value),
            FieldKind::Host => self.host(value),
            FieldKind::Text | FieldKind::Title => self.text(value),
            _ => self.lines(value),
        }
    }

    /// What a part of a pair says, in a list of tags. The value may come first.
    pub(super) fn pair(&mut self, name: Option<&str>, text: &str) {
        match name.map(str::to_ascii_lowercase).as_deref() {
            None if self.pair.0.is_some() => self.pair.1 = Some(text.to_owned()),
            None | Some("key" | "name" | "tag" | "title") => self.pair.0 = Some(FieldKind::of(text)),
            Some("value") => self.pair.1 = Some(text.to_owned()),
            Some(name) => self.name(FieldKind::of(name), text),
        }
        match std::mem::take(&mut self.pair) {
            (Some(kind), Some(value)) => self.name(kind, &value),
            half => self.pair = half,
        }
    }

    /// How certain a name is where the walk is.
    fn certainty(&self, certainty: Certainty) -> Certainty {
        let is_in_context = self.containers.iter().any(|container| container.kind == FieldKind::Context);
        if is_in_context { Certainty::Context } else { certainty }
    }

    pub(super) fn lines(&mut self, text: &str) {
        for (name, mention) in line::dynos(text) {
            let certainty = self.certainty(mention.certainty);
            self.element().lines.add(name, Mention { certainty, ..mention });
        }
    }

    /// A text for people, or JSON that cannot be read: the dynos that it names count if nothing else names a dyno.
    pub(super) fn text(&mut self, text: &str) {
        self.lines(text);
        let lines = &mut self.element().lines;
        line::names(text).for_each(|name| lines.add(name, Mention { at: None, certainty: Certainty::Printed }));
    }
}

/// The words of a list in any notation: `web.1, web.2`, `["web.1"]`, `map[dyno:web.1 app:shop]`, `{dyno="web.1"}`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_between = |c: char| !c.is_alphanumeric() && !matches!(c, '.' | '_' | '-' | '/' | '@' | ':' | '=');
    text.split(is_between).filter(|word| !word.is_empty())
}
