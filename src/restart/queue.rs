//! Where triggers wait for the next pass: however many come, they become one.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

use super::report::Report;
use super::retry::IdlePace;
use super::target::{Trigger, Wanted};
use super::{NoRehearsal, Stopping};

/// One app's inbox.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    mail: Mail,
    /// A pass is under way.
    busy: bool,
    closed: bool,
}

/// What is taken out of the inbox at once.
#[derive(Debug, Default)]
pub(super) struct Mail {
    /// What the alerts ask for together.
    pub(super) wanted: Wanted,
    /// How many there are.
    pub(super) alerts: u64,
    /// Who wants to know what would be done.
    pub(super) rehearsals: Vec<Rehearsal>,
}

/// A dry run that somebody waits for.
#[derive(Debug)]
pub(super) struct Rehearsal {
    pub(super) wanted: Wanted,
    pub(super) answer: oneshot::Sender<Report>,
}

impl Inbox {
    /// Puts in an alert. Does not wait.
    pub(super) fn put(&self, trigger: Trigger) -> Result<(), Stopping> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Stopping);
        }
        waiting.mail.wanted.merge(trigger);
        waiting.mail.alerts += 1;
        self.bell.notify_one();
        Ok(())
    }

    /// Puts in the wish for a dry run, unless a pass is under way. The answer never comes when a pass is made instead.
    pub(super) fn put_rehearsal(&self, trigger: Trigger) -> Result<oneshot::Receiver<Report>, NoRehearsal> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(NoRehearsal::Stopping);
        }
        if waiting.busy {
            return Err(NoRehearsal::Busy);
        }
        let (answer, receiver) = oneshot::channel();
        waiting.mail.rehearsals.push(Rehearsal { wanted: trigger.into(), answer });
        self.bell.notify_one();
        Ok(receiver)
    }

    /// Waits until there is mail and `pace` allows to see to it.
    pub(super) async fn has_mail(&self, pace: &IdlePace) {
        self.lock().busy = false;
        while self.lock().mail.is_empty() {
            self.bell.notified().await;
        }
        pace.ready().await;
    }

    /// Takes all there is.
    pub(super) fn take(&self) -> Mail {
        let mut waiting = self.lock();
        waiting.busy = !waiting.mail.wanted.is_nothing();
        std::mem::take(&mut waiting.mail)
    }

    /// Takes all there is, and lets nothing in any more.
    pub(super) fn close(&self) -> Mail {
        let mut waiting = self.lock();
        waiting.closed = true;
        std::mem::take(&mut waiting.mail)
    }

    /// Nobody can panic while holding the lock, and if somebody did the mail would still be whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.wanted.is_nothing() && self.rehearsals.is_empty()
    }
}
