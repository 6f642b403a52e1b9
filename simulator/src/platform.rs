//! The simulated platform: the apps of one account, and the queue of the events that will happen to them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::app_state::AppState;
use crate::event_queue::EventQueue;

pub(crate) struct Platform {
    pub(crate) apps: BTreeMap<String, AppState>,
    pub(crate) queue: EventQueue,
}

impl Platform {
    pub(crate) fn new(now: Timestamp) -> Platform {
        Platform { apps: BTreeMap::new(), queue: EventQueue::new(now) }
    }

    /// Applies every event that is due by `now`, each at its own time. Returns whether there was one.
    pub(crate) fn advance(&mut self, now: Timestamp) -> bool {
        let mut changed = false;
        while let Some(event) = self.queue.pop(now) {
            if let Some(app) = self.apps.get_mut(&event.app) {
                app.apply(&mut self.queue, &event);
                changed = true;
            }
        }
        self.queue.now = self.queue.now.max(now);
        changed
    }

    /// Returns the app of this name or id, and the queue for its future events.
    pub(crate) fn app(&mut self, identity: &str) -> Option<(&mut AppState, &mut EventQueue)> {
        let app = self.apps.values_mut().find(|app| app.name == identity || app.id == identity)?;
        Some((app, &mut self.queue))
    }
}
