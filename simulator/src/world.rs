//! The world: the apps of one account, and the time up to which they have lived.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::agenda::Agenda;
use crate::app_state::AppState;

pub(crate) struct World {
    pub(crate) apps: BTreeMap<String, AppState>,
    pub(crate) agenda: Agenda,
}

impl World {
    pub(crate) fn new(now: Timestamp) -> World {
        World { apps: BTreeMap::new(), agenda: Agenda::new(now) }
    }

    /// Lets everything happen that is due by `now`, each at its own time; says whether anything did.
    pub(crate) fn advance(&mut self, now: Timestamp) -> bool {
        let mut happened = false;
        while let Some(due) = self.agenda.pop(now) {
            if let Some(app) = self.apps.get_mut(&due.app) {
                app.happen(&mut self.agenda, &due);
                happened = true;
            }
        }
        self.agenda.now = self.agenda.now.max(now);
        happened
    }

    /// The app of this name or id, and the agenda to plan its future in.
    pub(crate) fn app(&mut self, identity: &str) -> Option<(&mut AppState, &mut Agenda)> {
        let app = self.apps.values_mut().find(|app| app.name == identity || app.id == identity)?;
        Some((app, &mut self.agenda))
    }
}
