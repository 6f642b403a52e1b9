//! A [`View`] that notes when it may have changed, so that the status is published soon, and only then.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::view::View;

/// What an app's task knows.
#[derive(Debug)]
pub(super) struct SharedView {
    view: Mutex<View>,
    change: Change,
}

/// Whether it may have changed since [`SharedView::forget_changes`].
#[derive(Debug)]
struct Change {
    has_changed: AtomicBool,
    changed: Arc<Notify>,
}

/// The view, for whoever reads or changes it.
pub(super) struct ViewGuard<'a> {
    view: MutexGuard<'a, View>,
    change: &'a Change,
}

impl SharedView {
    /// Nothing is known yet. `changed` is notified of changes.
    pub(super) fn new(changed: &Arc<Notify>) -> Self {
        let change = Change { has_changed: AtomicBool::new(false), changed: Arc::clone(changed) };
        Self { view: Mutex::default(), change }
    }

    pub(super) fn lock(&self) -> ViewGuard<'_> {
        ViewGuard { view: self.view.lock().unwrap_or_else(PoisonError::into_inner), change: &self.change }
    }

    pub(super) fn has_changed(&self) -> bool {
        self.change.has_changed.load(Ordering::Acquire)
    }

    pub(super) fn note_change(&self) {
        self.change.note();
    }

    /// What has changed until now is about to be published.
    pub(super) fn forget_changes(&self) {
        self.change.has_changed.swap(false, Ordering::AcqRel);
    }
}

impl Change {
    fn note(&self) {
        self.has_changed.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

impl Deref for ViewGuard<'_> {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl DerefMut for ViewGuard<'_> {
    /// Whoever is notified waits for the lock, until this guard is dropped.
    fn deref_mut(&mut self) -> &mut View {
        self.change.note();
        &mut self.view
    }
}
