//! What is wrong, with which dynos of which app.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::heroku::{AppName, DynoName};

/// How many dynos are kept of an app, and how many apps of an alert. No app has more dynos of a type than a hundred or so.
const MOST_DYNOS: usize = 300;
const MOST_APPS: usize = 20;

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
pub(super) struct Complaints(BTreeMap<Option<AppName>, Complaint>);

impl Complaint {
    pub(super) fn merge(&mut self, other: Self) {
        other.dynos.into_iter().for_each(|(name, at)| self.name(name, at));
        other.perhaps.into_iter().for_each(|(name, at)| self.perhaps(name, at));
        self.at = self.at.max(other.at);
    }

    pub(super) fn name(&mut self, dyno: DynoName, at: Option<Timestamp>) {
        put(&mut self.dynos, dyno, at);
    }

    pub(super) fn perhaps(&mut self, dyno: DynoName, at: Option<Timestamp>) {
        put(&mut self.perhaps, dyno, at);
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

/// Of several times of a dyno the last one counts.
fn put(dynos: &mut BTreeMap<DynoName, Option<Timestamp>>, dyno: DynoName, at: Option<Timestamp>) {
    if dynos.len() < MOST_DYNOS || dynos.contains_key(&dyno) {
        let known = dynos.entry(dyno).or_insert(at);
        *known = at.max(*known);
    }
}

impl Complaints {
    /// Something is wrong, and nobody says what.
    pub(super) fn none() -> Self {
        Self(BTreeMap::from([(None, Complaint::default())]))
    }

    pub(super) fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.0.keys().flatten()
    }

    pub(super) fn into_apps(self) -> impl Iterator<Item = AppName> {
        self.0.into_keys().flatten()
    }

    pub(super) fn names_any(&self) -> bool {
        self.0.values().any(Complaint::names_any)
    }

    pub(super) fn drop_those_that_name_nothing(&mut self) {
        self.0.retain(|_, complaint| complaint.names_any());
    }

    pub(super) fn add_apps(&mut self, apps: impl Iterator<Item = AppName>) {
        for app in apps {
            self.put(Some(app), Complaint::default());
        }
    }

    /// The smaller joins the larger, so that much that is nested deeply is not moved again and again.
    pub(super) fn take_in(&mut self, mut other: Self) {
        let size = |it: &Self| {
            it.0.values().map(|complaint| 1 + complaint.dynos.len() + complaint.perhaps.len()).sum::<usize>()
        };
        if size(self) < size(&other) {
            std::mem::swap(self, &mut other);
        }
        for (app, complaint) in other.0 {
            self.put(app, complaint);
        }
    }

    /// These are parts of something that tells `app` and `own` of itself.
    pub(super) fn inside_of(mut self, app: Option<AppName>, own: Complaint) -> Self {
        if own.at.is_some() {
            self.0.values_mut().for_each(|complaint| complaint.settle_times(own.at));
        }
        if let Some(app) = &app
            && let Some(unnamed) = self.0.remove(&None)
        {
            self.put(Some(app.clone()), unnamed);
        }
        if self.0.is_empty() || own.names_any() {
            self.put(app, own);
        }
        self
    }

    /// What is wrong with `app`; `None` when all of it is about other apps. Where a part names the app itself, those that
    /// name another do not count; otherwise only those for which `is_other` holds do not: what somebody calls their app
    /// elsewhere need not be its name at Heroku.
    pub(super) fn of(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<Complaint> {
        let is_named = self.apps().any(|named| named == app);
        let concerns = |named: &Option<AppName>| match named {
            Some(named) => named == app || !(is_named || is_other(named)),
            None => true,
        };
        let complaints = self.0.iter().filter(|(named, _)| concerns(named)).map(|(_, complaint)| complaint.clone());
        complaints.reduce(|mut all, complaint| {
            all.merge(complaint);
            all
        })
    }

    fn put(&mut self, app: Option<AppName>, complaint: Complaint) {
        if self.0.len() < MOST_APPS || self.0.contains_key(&app) {
            self.0.entry(app).or_default().merge(complaint);
        }
    }
}
