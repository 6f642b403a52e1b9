//! The dynos that are affected, by app, and when each was reported.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::heroku::{AppName, DynoName};
use crate::util::ordered::CollectOrdered;

/// No app has more than about a hundred dynos of a type.
const MAX_DYNOS: usize = 300;

/// Of one alert.
const MAX_APPS: usize = 100;

/// The affected dynos of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AffectedDynos {
    pub(super) mentions: BTreeMap<DynoName, Mention>,
    /// The time of the last report about the app, where one is given.
    pub at: Option<Timestamp>,
}

/// How an alert names a dyno.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mention {
    /// The time of the last report about the dyno, where one is given.
    pub(super) at: Option<Timestamp>,
    pub(super) certainty: Certainty,
}

/// How certain it is that a name is that of a dyno in trouble. The later of these count for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Certainty {
    /// It is named in the context of the alert, or in what was before. It counts only if nothing else names a dyno.
    Context,
    /// The source of a line that the app printed, which may quote a line about another dyno. It counts only if nothing else
    /// names a dyno.
    Printed,
    /// The name of a host, which may be that of the sender. It counts only if no field names a dyno.
    Host,
    /// It may be the name of something else.
    Possible,
    Certain,
}

/// The affected dynos by app. `None` stands for the app that the alert does not name.
#[derive(Clone, Debug, Default)]
pub(super) struct AffectedApps {
    by_app: BTreeMap<Option<AppName>, AffectedDynos>,
    /// The alert names more apps than are kept.
    is_truncated: bool,
}

impl AffectedDynos {
    /// The dynos that the alert names, and the time of the last report about each. A name that may be that of something
    /// else counts if `exists` says that there is such a dyno. The dyno of a line that the app printed counts if there is no
    /// other.
    #[must_use]
    pub fn dynos(self, exists: impl Fn(&DynoName) -> bool) -> BTreeMap<DynoName, Option<Timestamp>> {
        let mut dynos = self.mentions;
        dynos.retain(|name, mention| mention.certainty == Certainty::Certain || exists(name));
        for least in [Certainty::Context, Certainty::Printed, Certainty::Host] {
            if dynos.values().any(|mention| mention.certainty > least) {
                dynos.retain(|_, mention| mention.certainty > least);
            }
        }
        dynos.into_iter().map(|(name, mention)| (name, mention.at)).collect_ordered()
    }

    pub(super) fn add(&mut self, name: DynoName, mention: Mention) {
        self.add_with(Ord::max, name, mention);
    }

    fn add_with(&mut self, choose: impl Fn(Time, Time) -> Time, name: DynoName, mention: Mention) {
        if self.mentions.len() < MAX_DYNOS || self.mentions.contains_key(&name) {
            let known = self.mentions.entry(name).or_insert(mention);
            known.at = choose(known.at, mention.at);
            known.certainty = known.certainty.max(mention.certainty);
        }
    }

    /// Adds what another part of the same report says. A known time counts for more than none.
    pub(super) fn complete(&mut self, part: Self) {
        part.mentions.into_iter().for_each(|(name, mention)| self.add(name, mention));
    }

    /// Adds another report. One without a time is about now.
    fn merge(&mut self, other: Self) {
        let later = |one: Time, other: Time| Some(one?.max(other?));
        other.mentions.into_iter().for_each(|(name, mention)| self.add_with(later, name, mention));
        self.at = later(self.at, other.at);
    }

    /// Gives the app the time of `around` where it has none, and each dyno the time of the app.
    pub(super) fn fill_times(&mut self, around: Option<Timestamp>) {
        self.at = self.at.or(around);
        self.mentions.values_mut().for_each(|mention| mention.at = mention.at.or(self.at));
    }
}

type Time = Option<Timestamp>;

impl AffectedApps {
    pub(super) fn names(&self) -> impl Iterator<Item = &AppName> {
        self.by_app.keys().flatten()
    }

    pub(super) fn has_dynos(&self) -> bool {
        self.by_app.values().any(|affected| !affected.mentions.is_empty())
    }

    /// Removes what says nothing: an unnamed app without dynos and without a time. Unless `is_event`, only the times of
    /// dynos count.
    pub(super) fn keep_known(&mut self, is_event: bool) {
        self.by_app.retain(|app, affected| {
            if !is_event && affected.mentions.is_empty() {
                affected.at = None;
            }
            app.is_some() || *affected != AffectedDynos::default()
        });
    }

    /// Moves the smaller into the larger, so that lists nested deeply do not move the same names at each level.
    pub(super) fn merge(&mut self, mut other: Self) {
        let size = |apps: &Self| apps.by_app.values().map(|affected| 1 + affected.mentions.len()).sum::<usize>();
        if size(self) < size(&other) {
            std::mem::swap(self, &mut other);
        }
        self.is_truncated |= other.is_truncated;
        other.by_app.into_iter().for_each(|(app, affected)| self.add(app, affected));
    }

    /// Merges the elements of a list into what contains the list, which names `app` and `own`.
    pub(super) fn inside(mut self, app: Option<AppName>, mut own: AffectedDynos) -> Self {
        own.fill_times(self.by_app.values().filter_map(|affected| affected.at).max());
        if own.at.is_some() {
            self.by_app.values_mut().for_each(|affected| affected.fill_times(own.at));
        }
        if app.is_some()
            && let Some(unnamed) = self.by_app.remove(&None)
        {
            self.add(app.clone(), unnamed);
        }
        if self.by_app.is_empty() || !own.mentions.is_empty() {
            self.add(app, own);
        }
        self
    }

    /// See [`super::Alert::affected_dynos`].
    pub(super) fn of(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<AffectedDynos> {
        let is_known_by_name = self.is_truncated || self.names().any(|name| name == app);
        let is_about_app = |named: &Option<AppName>| match named {
            Some(named) => named == app || !(is_known_by_name || is_other(named)),
            None => true,
        };
        let affected =
            self.by_app.iter().filter(|(named, _)| is_about_app(named)).map(|(_, affected)| affected.clone());
        let merged = affected.reduce(|mut all, affected| {
            all.merge(affected);
            all
        });
        // The app may be one of those that were not kept, or no app is named at all.
        merged.or_else(|| (self.is_truncated || self.by_app.is_empty()).then(AffectedDynos::default))
    }

    fn add(&mut self, app: Option<AppName>, affected: AffectedDynos) {
        if let Some(known) = self.by_app.get_mut(&app) {
            known.merge(affected);
        } else if self.by_app.len() < MAX_APPS {
            self.by_app.insert(app, affected);
        } else {
            self.is_truncated = true;
        }
    }
}
