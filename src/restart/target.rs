//! What an alert asks for, and how what many alerts ask for becomes one.

use std::cmp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::heroku::DynoName;
use crate::util::text::list;

/// How many dynos are asked for by name. No app has a tenth of these; who asks for more asks for all.
const MOST_NAMED: usize = 1_000;

/// When what is complained of happened. Of two complaints of a dyno the one counts that is about the later process.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// At this time.
    At {
        /// By whichever clock.
        time: Timestamp,
        /// How long before a process was created it may seem to be and still be about it: the clock may be behind. Where
        /// this is negative, so long after that it may still be about the process before.
        skew: SignedDuration,
    },
    /// Nobody says, so it is taken to happen now.
    Now,
}

/// Which dynos an alert is about, and since when it matters of each.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Every running dyno of the watched process types.
    all: Option<When>,
    /// These, as far as they are running and of a watched process type.
    named: BTreeMap<DynoName, When>,
}

/// An authenticated alert that asks for a restart.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Which dynos.
    pub target: Target,
    /// Whether to restart even young dynos and ones that were given up on.
    pub force: bool,
    /// When the alert arrived: a process that began later is never restarted for it.
    pub arrived: Instant,
}

/// Tells later what became of a trigger.
#[derive(Clone, Debug, Default)]
pub struct Receipt(Arc<AtomicBool>);

impl Receipt {
    /// Whether the pass that was to act on the trigger could not: Heroku refused, or did not answer. The same alert,
    /// delivered again, is then acted on.
    #[must_use]
    pub fn was_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What all triggers that are waiting ask for together. Force stays with the dynos it was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    automatic: Target,
    forced: Target,
}

impl When {
    /// A process that was created after this is not meant; none for now.
    fn reach(self) -> Option<Timestamp> {
        match self {
            Self::At { time, skew } => Some(time.checked_add(skew).unwrap_or(time)),
            Self::Now => None,
        }
    }
}

impl PartialEq for When {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == cmp::Ordering::Equal
    }
}

impl Eq for When {}

impl Ord for When {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        let of_now = |when: &Self| when.reach().is_none();
        of_now(self).cmp(&of_now(other)).then_with(|| self.reach().cmp(&other.reach()))
    }
}

impl PartialOrd for When {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Target {
    /// Every running dyno of the watched process types.
    #[must_use]
    pub fn all(when: When) -> Self {
        Self { all: Some(when), named: BTreeMap::new() }
    }

    /// These dynos.
    #[must_use]
    pub fn dynos(named: impl IntoIterator<Item = (DynoName, When)>) -> Self {
        Self { all: None, named: named.into_iter().collect() }
    }

    /// `None` for a dyno that is not meant.
    fn when(&self, name: &DynoName) -> Option<When> {
        self.all.max(self.named.get(name).copied())
    }

    /// This dyno, too.
    pub fn add(&mut self, name: DynoName, when: When) {
        let known = self.named.entry(name).or_insert(when);
        *known = when.max(*known);
    }

    fn merge(&mut self, other: Self) {
        self.all = self.all.max(other.all);
        for (name, when) in other.named {
            self.add(name, when);
        }
        if self.named.len() > MOST_NAMED {
            self.all = self.all.max(self.named.values().max().copied());
            self.named.clear();
        }
    }

    /// Whether it asks for no dyno at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.all.is_none() && self.named.is_empty()
    }
}

impl Wanted {
    pub(super) fn merge(&mut self, trigger: Trigger) {
        let target = if trigger.force { &mut self.forced } else { &mut self.automatic };
        target.merge(trigger.target);
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.automatic.is_nothing() && self.forced.is_nothing()
    }

    /// The latest that is complained of this dyno; `None` when nothing is.
    pub(super) fn when(&self, name: &DynoName) -> Option<When> {
        self.automatic.when(name).max(self.forced_when(name))
    }

    /// The same of the alerts that force a restart.
    pub(super) fn forced_when(&self, name: &DynoName) -> Option<When> {
        self.forced.when(name)
    }

    /// The dynos asked for by name.
    pub(super) fn names(&self) -> BTreeSet<&DynoName> {
        self.automatic.named.keys().chain(self.forced.named.keys()).collect()
    }

    /// Whether any of it is forced.
    pub(super) fn is_forced(&self) -> bool {
        !self.forced.is_nothing()
    }

    /// For a log line: `all watched dynos`, or the names.
    pub(super) fn describe(&self) -> String {
        if self.automatic.all.or(self.forced.all).is_some() {
            return "all watched dynos".to_owned();
        }
        list(self.names())
    }
}

impl From<Trigger> for Wanted {
    fn from(trigger: Trigger) -> Self {
        let mut wanted = Self::default();
        wanted.merge(trigger);
        wanted
    }
}
