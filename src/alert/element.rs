//! What one element of an alert says, and what comes of it together with its own elements.
//!
//! Only the state of an alert itself counts, and not that of its parts. An alert that has recovered names no dynos, and
//! the text of its group names none either.

use super::affected::{AffectedApps, AffectedDynos};
use super::signal::Signal;
use super::states::Inactive;
use crate::heroku::AppName;

/// Which fields of an object count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// An alert: state and time count.
    #[default]
    Alert,
    /// An event or a row of data: the time counts.
    Row,
    /// A part of something: neither counts.
    Part,
}

/// What one element says. The request as a whole is one too.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that an alert may say")]
pub(super) struct Element {
    pub(super) scope: Scope,
    pub(super) is_event: bool,
    /// It was a text for people that is JSON: an alert in a text, or a line of a log.
    pub(super) is_quoted: bool,
    /// It is a line of a log: it names dynos, and says nothing about the state of the alert.
    pub(super) is_log_line: bool,
    /// What such a text says about the state. It counts only if the fields around it give no state.
    pub(super) quoted: Signal,
    pub(super) signal: Signal,
    pub(super) app: Option<AppName>,
    pub(super) own: AffectedDynos,
    /// What log lines name.
    pub(super) lines: AffectedDynos,
    /// The app printed the lines, so that they prove nothing.
    pub(super) is_app_output: bool,
    pub(super) inner: AffectedApps,
    pub(super) has_active_alert: bool,
    /// One of them says explicitly that something is wrong.
    pub(super) has_trouble: bool,
    pub(super) inactive_alert: Option<Inactive>,
}

impl Element {
    pub(super) fn take_in(&mut self, element: Self) {
        if element.is_quoted {
            if !element.is_log_line {
                self.quoted = self.quoted.or_stronger(element.verdict());
            }
            return self.inner.merge(element.into_affected());
        }
        let (is_alert, is_event) = (element.scope == Scope::Alert, element.is_event);
        let has_trouble = is_alert && element.has_trouble();
        match element.finish() {
            Ok(mut affected) => {
                self.has_active_alert |= is_alert;
                self.has_trouble |= has_trouble;
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

    /// Whether it says explicitly that something is wrong.
    pub(super) fn has_trouble(&self) -> bool {
        self.has_trouble || self.own_signal() == Signal::Trouble
    }

    /// What its fields say about its state or, where they say nothing, what JSON in a text says.
    fn own_signal(&self) -> Signal {
        match self.signal {
            Signal::Nothing | Signal::Told(_) if self.quoted != Signal::Nothing => self.quoted,
            signal => signal,
        }
    }

    /// What it says about its state, together with all that it contains.
    fn verdict(&self) -> Signal {
        match (self.own_signal(), self.inactive_alert) {
            (news @ Signal::News(_), _) => news,
            (quiet @ (Signal::Quiet(_) | Signal::Told(_)), _) if !self.has_trouble => quiet,
            (_, Some(reason)) if !self.has_active_alert => Signal::Quiet(reason),
            _ if self.has_trouble() => Signal::Trouble,
            (signal, _) => signal,
        }
    }

    /// What is affected, by app; or why nothing is.
    pub(super) fn finish(self) -> Result<AffectedApps, Inactive> {
        match self.verdict() {
            Signal::News(reason) | Signal::Quiet(reason) | Signal::Told(reason) => Err(reason),
            Signal::Nothing | Signal::Unknown | Signal::Trouble => Ok(self.into_affected()),
        }
    }

    /// What is affected, by app, whatever its state is.
    fn into_affected(self) -> AffectedApps {
        let Self { app, mut own, lines, is_app_output, inner, inactive_alert, .. } = self;
        if !is_app_output {
            own.complete(lines);
        }
        if inactive_alert.is_some() || (self.has_active_alert && inner.has_dynos()) {
            // What is said about all alerts together includes those that have recovered.
            own.mentions.clear();
        }
        own.fill_times(None);
        inner.inside(app, own)
    }
}
