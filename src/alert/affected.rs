//! What is wrong, with which dynos of which app.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::heroku::{AppName, DynoName};

/// How many dynos are kept of an app, and how many apps of an alert. No app has more dynos of a type than a hundred or so.
const MOST_DYNOS: usize = 300;
const MOST_APPS: usize = 100;

/// What is wrong with the dynos of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// The dynos that are named, and when each was complained of the last time, as far as that is said.
    pub dynos: BTreeMap<DynoName, Option<Timestamp>>,
    /// What may be dynos, if the app has such.
    pub perhaps: BTreeMap<DynoName, Option<Timestamp>>,
    /// When the last of it happened, as far as that is said.
    pub at: Option<Timestamp>,
}

/// By the app that is named, if one is.
#[derive(Clone, Debug, Default)]
pub(super) struct Complaints {
    by_app: BTreeMap<Option<AppName>, Complaint>,
    /// There are more apps than are kept.
    are_more: bool,
}

impl Complaint {
    /// What is said in the same place, part of it here and part of it there.
    pub(super) fn merge(&mut self, other: Self) {
        other.dynos.into_iter().for_each(|(name, at)| self.name(name, at));
        other.perhaps.into_iter().for_each(|(name, at)| self.perhaps(name, at));
        self.at = self.at.max(other.at);
    }

    /// What is said in different places, each of which has said when: where one has not, it is now.
    fn join(&mut self, other: Self) {
        put_all(&mut self.dynos, other.dynos);
        put_all(&mut self.perhaps, other.perhaps);
        self.at = later(self.at, other.at);
    }

    pub(super) fn name(&mut self, dyno: DynoName, at: Option<Timestamp>) {
        put(&mut self.dynos, dyno, at, Ord::max);
    }

    pub(super) fn perhaps(&mut self, dyno: DynoName, at: Option<Timestamp>) {
        put(&mut self.perhaps, dyno, at, Ord::max);
    }

    /// Of what may be dynos, those count that `are_there`.
    #[must_use]
    pub fn with_those_that(mut self, are_there: impl Fn(&DynoName) -> bool) -> Self {
        for (name, at) in std::mem::take(&mut self.perhaps).into_iter().filter(|(name, _)| are_there(name)) {
            let known = self.dynos.entry(name).or_insert(at);
            *known = later(at, *known);
        }
        self
    }

    pub(super) fn forget_names(&mut self) {
        self.dynos.clear();
        self.perhaps.clear();
    }

    pub(super) fn names_any(&self) -> bool {
        !self.dynos.is_empty() || !self.perhaps.is_empty()
    }

    /// Where no time is said of a dyno, it is that of the whole, and where none is said of the whole, that of what is
    /// around it.
    pub(super) fn settle_times(&mut self, around: Option<Timestamp>) {
        self.at = self.at.or(around);
        for known in self.dynos.values_mut().chain(self.perhaps.values_mut()) {
            *known = known.or(self.at);
        }
    }
}

type Times = BTreeMap<DynoName, Option<Timestamp>>;

fn put(
    dynos: &mut Times,
    dyno: DynoName,
    at: Option<Timestamp>,
    choose: impl Fn(Option<Timestamp>, Option<Timestamp>) -> Option<Timestamp>,
) {
    if dynos.len() < MOST_DYNOS || dynos.contains_key(&dyno) {
        let known = dynos.entry(dyno).or_insert(at);
        *known = choose(*known, at);
    }
}

fn put_all(dynos: &mut Times, more: Times) {
    for (dyno, at) in more {
        put(dynos, dyno, at, later);
    }
}

/// No time at all is now.
fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

impl Complaints {
    /// Something is wrong, and nobody says what.
    pub(super) fn none() -> Self {
        Self { by_app: BTreeMap::from([(None, Complaint::default())]), are_more: false }
    }

    pub(super) fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.by_app.keys().flatten()
    }

    pub(super) fn into_apps(self) -> impl Iterator<Item = AppName> {
        self.by_app.into_keys().flatten()
    }

    pub(super) fn names_any(&self) -> bool {
        self.by_app.values().any(Complaint::names_any)
    }

    /// Of something that is not the alert itself no more is taken than the names.
    pub(super) fn keep_names(&mut self) {
        for complaint in self.by_app.values_mut().filter(|complaint| !complaint.names_any()) {
            complaint.at = None;
        }
        self.drop_what_says_nothing();
    }

    pub(super) fn drop_what_says_nothing(&mut self) {
        self.by_app.retain(|app, complaint| app.is_some() || *complaint != Complaint::default());
    }

    pub(super) fn add_apps(&mut self, apps: impl Iterator<Item = AppName>) {
        for app in apps {
            self.put(Some(app), Complaint::default());
        }
    }

    /// The smaller joins the larger, so that much that is nested deeply is not moved again and again.
    pub(super) fn take_in(&mut self, mut other: Self) {
        let size = |it: &Self| {
            it.by_app.values().map(|complaint| 1 + complaint.dynos.len() + complaint.perhaps.len()).sum::<usize>()
        };
        if size(self) < size(&other) {
            std::mem::swap(self, &mut other);
        }
        self.are_more |= other.are_more;
        for (app, complaint) in other.by_app {
            self.put(app, complaint);
        }
    }

    /// These are parts of something that tells `app` and `own` of itself.
    pub(super) fn inside_of(mut self, app: Option<AppName>, mut own: Complaint) -> Self {
        own.settle_times(self.by_app.values().filter_map(|complaint| complaint.at).max());
        if own.at.is_some() {
            self.by_app.values_mut().for_each(|complaint| complaint.settle_times(own.at));
        }
        if let Some(app) = &app
            && let Some(unnamed) = self.by_app.remove(&None)
        {
            self.put(Some(app.clone()), unnamed);
        }
        if self.by_app.is_empty() || own.names_any() {
            self.put(app, own);
        }
        self
    }

    /// What is wrong with `app`; `None` when all of it is about other apps. Where a part names the app itself, those that
    /// name another do not count; otherwise only those for which `is_other` holds do not: what somebody calls their app
    /// elsewhere need not be its name at Heroku.
    pub(super) fn of(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<Complaint> {
        let is_known_by_name = self.are_more || self.apps().any(|named| named == app);
        let concerns = |named: &Option<AppName>| match named {
            Some(named) => named == app || !(is_known_by_name || is_other(named)),
            None => true,
        };
        let complaints =
            self.by_app.iter().filter(|(named, _)| concerns(named)).map(|(_, complaint)| complaint.clone());
        let whole = complaints.reduce(|mut all, complaint| {
            all.join(complaint);
            all
        });
        // It may be one of those that are left out.
        whole.or_else(|| self.are_more.then(Complaint::default))
    }

    fn put(&mut self, app: Option<AppName>, complaint: Complaint) {
        if let Some(known) = self.by_app.get_mut(&app) {
            known.join(complaint);
        } else if self.by_app.len() < MOST_APPS {
            self.by_app.insert(app, complaint);
        } else {
            self.are_more = true;
        }
    }
}
