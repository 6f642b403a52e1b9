//! What an alert asks for, and how what many alerts ask for becomes one.

use std::collections::BTreeSet;

use crate::heroku::DynoName;

/// Which dynos an alert is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every running dyno of the watched process types.
    All,
    /// These, as far as they are running and of a watched process type.
    Named(BTreeSet<DynoName>),
}

/// An authenticated alert that asks for a restart.
#[derive(Clone, Debug)]
pub struct Trigger {
    /// Which dynos.
    pub target: Target,
    /// Whether to restart even young dynos and ones that were given up on.
    pub force: bool,
}

/// What all triggers that are waiting ask for together. Force stays with the dynos it was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    automatic: Target,
    forced: Target,
}

impl Target {
    /// One dyno.
    #[must_use]
    pub fn dyno(name: DynoName) -> Self {
        Self::Named(BTreeSet::from([name]))
    }

    fn includes(&self, name: &DynoName) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.contains(name),
        }
    }

    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::All, _) => {}
            (Self::Named(names), Self::Named(more)) => names.extend(more),
            (this, Self::All) => *this = Self::All,
        }
    }

    fn is_nothing(&self) -> bool {
        matches!(self, Self::Named(names) if names.is_empty())
    }

    fn names(&self) -> impl Iterator<Item = &DynoName> {
        match self {
            Self::All => None,
            Self::Named(names) => Some(names),
        }
        .into_iter()
        .flatten()
    }
}

impl Default for Target {
    /// Nothing.
    fn default() -> Self {
        Self::Named(BTreeSet::new())
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

    pub(super) fn includes(&self, name: &DynoName) -> bool {
        self.automatic.includes(name) || self.is_forced(name)
    }

    pub(super) fn is_forced(&self, name: &DynoName) -> bool {
        self.forced.includes(name)
    }

    /// The dynos asked for by name.
    pub(super) fn names(&self) -> BTreeSet<&DynoName> {
        self.automatic.names().chain(self.forced.names()).collect()
    }

    /// For a log line: `all watched dynos`, or the names.
    pub(super) fn describe(&self) -> String {
        if self.automatic == Target::All || self.forced == Target::All {
            return "all watched dynos".to_owned();
        }
        super::report::list(self.names())
    }
}

impl From<Trigger> for Wanted {
    fn from(trigger: Trigger) -> Self {
        let mut wanted = Self::default();
        wanted.merge(trigger);
        wanted
    }
}
