//! The handle of a dyno. A test changes the dyno with it, and sets what happens at restarts.

use std::time::Duration;

use serde_json::Value;

use crate::app::App;
use crate::app_state::AppState;
use crate::dyno::{BootOutcome, Dyno};
use crate::event_queue::EventQueue;
use crate::lifecycle::ReplaceCause;

/// The handle of a dyno. It stays valid when a restart changes the name of the dyno.
///
/// # Panics
///
/// Every method panics if the dyno was removed.
#[derive(Clone)]
pub struct DynoControl {
    pub(crate) app: App,
    pub(crate) slot: u64,
    pub(crate) name: String,
}

impl DynoControl {
    /// Crashes the process now. The dyno is `crashed` until it is restarted.
    pub fn crash(self) -> Self {
        self.act(AppState::crash)
    }

    /// Makes the process hang now. The router logs H12 for each of its requests until the dyno is restarted.
    pub fn hang(self) -> Self {
        self.edit(|dyno| dyno.hangs = true)
    }

    /// Sets the state now.
    pub fn set_state(self, state: &str) -> Self {
        self.act(|app, queue, slot| app.set_state(queue, slot, state))
    }

    /// Sets the creation time to this long ago.
    pub fn age(self, age: Duration) -> Self {
        self.act(|app, queue, slot| app.set_age(queue, slot, age))
    }

    /// Sets for how long the current instance has leaked. It has an effect only if [`App::leak`] is set for its type.
    pub fn has_leaked_for(self, time: Duration) -> Self {
        self.act(|app, queue, slot| {
            if let Some(dyno) = app.dyno_mut(slot) {
                dyno.leaks_since = queue.now - time;
            }
        })
    }

    /// Makes the dyno stay `starting` after the next restarts.
    pub fn never_boots(self) -> Self {
        self.edit(|dyno| dyno.boot_outcome = BootOutcome::StaysStarting)
    }

    /// Makes the dyno crash at the end of its boot after the next restarts.
    pub fn crashes_on_boot(self) -> Self {
        self.edit(|dyno| dyno.boot_outcome = BootOutcome::Crashed)
    }

    /// Ends the effect of [`DynoControl::never_boots`] and [`DynoControl::crashes_on_boot`] on the next restarts.
    pub fn boots_normally(self) -> Self {
        self.edit(|dyno| dyno.boot_outcome = BootOutcome::Up)
    }

    /// Sets the state to `up` now, as at the end of a slow boot. The instance stays the same.
    pub fn comes_up(self) -> Self {
        self.set_state("up")
    }

    /// Makes the next restart remove the dyno. The quantity in the formation stays the same.
    pub fn vanishes_on_restart(self) -> Self {
        self.edit(|dyno| dyno.vanishes_on_restart = true)
    }

    /// Removes the dyno now. The quantity in the formation stays the same.
    pub fn vanish(self) {
        self.act(|app, _, slot| app.remove(slot));
    }

    /// Replaces the instance now, as Heroku does once a day (cycling). [`App::restarts`] does not contain it.
    pub fn restart_from_outside(self) {
        self.act(|app, queue, slot| app.replace(queue, slot, ReplaceCause::Cycling));
    }

    /// Removes this field from the JSON of the dyno.
    pub fn without(self, field: &'static str) -> Self {
        self.edit(|dyno| dyno.json_overrides.push((field, None)))
    }

    /// Sets this field in the JSON of the dyno to this value.
    pub fn with_field(self, field: &'static str, value: Value) -> Self {
        self.edit(|dyno| dyno.json_overrides.push((field, Some(value))))
    }

    fn edit(self, edit: impl FnOnce(&mut Dyno)) -> Self {
        self.act(|app, _, slot| edit(app.dyno_mut(slot).expect("`act` has checked that the dyno exists")))
    }

    fn act(self, act: impl FnOnce(&mut AppState, &mut EventQueue, u64)) -> Self {
        self.app.change(|app, queue| {
            assert!(app.dyno(self.slot).is_some(), "{} of {} was removed", self.name, app.name);
            act(app, queue, self.slot);
        });
        self
    }
}
