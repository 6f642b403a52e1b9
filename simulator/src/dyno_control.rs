//! The handle of one dyno: a test changes it, and sets how it behaves at its restarts.

use std::time::Duration;

use serde_json::Value;

use crate::agenda::Agenda;
use crate::app::App;
use crate::app_state::AppState;
use crate::dyno::{Boot, Dyno};
use crate::lifecycle::Cause;

/// One process of an app. The handle stays with the process when a restart changes the dyno's name.
///
/// # Panics
///
/// Every method panics when the dyno has vanished.
#[derive(Clone)]
pub struct DynoControl {
    pub(crate) app: App,
    pub(crate) slot: u64,
    pub(crate) name: String,
}

impl DynoControl {
    /// Now: its process ends, and it stays `crashed` until it is restarted.
    pub fn crash(self) -> Self {
        self.act(AppState::crash)
    }

    /// Now: its process hangs, and the router logs H12 for each of its requests in the traffic,
    /// until a new instance takes its place.
    pub fn hang(self) -> Self {
        self.edit(|dyno| dyno.hangs = true)
    }

    /// Now: this state.
    pub fn set_state(self, state: &str) -> Self {
        self.act(|app, agenda, slot| app.set_state(agenda, slot, state))
    }

    /// It was created this long ago.
    pub fn age(self, age: Duration) -> Self {
        self.act(|app, agenda, slot| app.set_age(agenda, slot, age))
    }

    /// Its instance has leaked for this long already, if its type leaks.
    pub fn has_leaked_for(self, time: Duration) -> Self {
        self.act(|app, agenda, slot| {
            if let Some(dyno) = app.dyno_mut(slot) {
                dyno.leaks_since = agenda.now - time;
            }
        })
    }

    /// After its next restarts it stays `starting`.
    pub fn never_boots(self) -> Self {
        self.edit(|dyno| dyno.habits.boot = Boot::NeverEnds)
    }

    /// After its next restarts it is `crashed` when it should be up.
    pub fn crashes_on_boot(self) -> Self {
        self.edit(|dyno| dyno.habits.boot = Boot::Crashes)
    }

    /// Undoes [`DynoControl::never_boots`] and [`DynoControl::crashes_on_boot`] for later restarts.
    pub fn boots_again(self) -> Self {
        self.edit(|dyno| dyno.habits.boot = Boot::ComesUp)
    }

    /// Now: up, as the same instance, like a slow boot that ends at last.
    pub fn comes_up(self) -> Self {
        self.set_state("up")
    }

    /// After a restart its record is gone for good; the formation's quantity stays.
    pub fn vanishes_on_restart(self) -> Self {
        self.edit(|dyno| dyno.habits.vanishes = true)
    }

    /// Now: its record is gone; the formation's quantity stays.
    pub fn vanish(self) {
        self.act(|app, _, slot| app.remove(slot));
    }

    /// A new instance at once, as the daily cycling makes one. It is not in [`App::restarts`].
    pub fn restart_from_outside(self) {
        self.act(|app, agenda, slot| app.replace(agenda, slot, Cause::Cycling));
    }

    /// From now on its JSON lacks this field.
    pub fn without(self, field: &'static str) -> Self {
        self.edit(|dyno| dyno.edits.push((field, None)))
    }

    /// From now on its JSON has this value in this field.
    pub fn with_field(self, field: &'static str, value: Value) -> Self {
        self.edit(|dyno| dyno.edits.push((field, Some(value))))
    }

    fn edit(self, edit: impl FnOnce(&mut Dyno)) -> Self {
        self.act(|app, _, slot| edit(app.dyno_mut(slot).expect("`act` has found it")))
    }

    fn act(self, act: impl FnOnce(&mut AppState, &mut Agenda, u64)) -> Self {
        self.app.change(|app, agenda| {
            assert!(app.dyno(self.slot).is_some(), "{} of {} has vanished", self.name, app.name);
            act(app, agenda, self.slot);
        });
        self
    }
}
