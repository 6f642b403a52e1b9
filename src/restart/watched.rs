//! What is watched.

use std::sync::Arc;

use crate::heroku::{AppName, DynoName, ProcessType};

/// The watched apps and process types. Plain data, cheap to clone.
#[derive(Clone, Debug)]
pub struct Watched {
    apps: Arc<[AppName]>,
    process_types: Arc<[ProcessType]>,
}

impl Watched {
    /// These apps, and these process types of each.
    #[must_use]
    pub fn new(apps: &[AppName], process_types: &[ProcessType]) -> Self {
        let mut apps = apps.to_vec();
        apps.sort();
        Self { apps: apps.into(), process_types: process_types.into() }
    }

    /// The watched apps, in alphabetical order.
    #[must_use]
    pub fn apps(&self) -> &[AppName] {
        &self.apps
    }

    /// Whether this app is watched.
    #[must_use]
    pub fn has_app(&self, app: &AppName) -> bool {
        self.apps.contains(app)
    }

    /// Whether a dyno of this name can be of a watched process type; only its record at Heroku is certain.
    #[must_use]
    pub fn may_include(&self, dyno: &DynoName) -> bool {
        self.process_types.iter().any(|process_type| dyno.may_be_of(process_type))
    }
}
