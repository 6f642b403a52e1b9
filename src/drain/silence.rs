//! Notices when the log of an app no longer arrives. Heroku drops a drain silently, and then nobody notices a leak.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::heroku::AppName;
use crate::util::text::human;

/// A drain that was heard is silent when nothing comes for this long. An app without any requests may be silent, too; the
/// message says so.
pub(super) const SILENT_AFTER: Duration = Duration::from_secs(60 * 60);

/// The drain of an app has been silent for this long.
#[derive(Clone, Debug)]
pub struct Silence {
    /// The app.
    pub app: AppName,
    /// How long it has been silent.
    pub lasts: Duration,
}

/// When the log of each app arrived last. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SilenceWatch(Arc<Mutex<BTreeMap<AppName, Heard>>>);

/// The last batch of an app's log.
#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Instant,
    /// Whether the silence since then was reported.
    is_reported: bool,
}

impl SilenceWatch {
    /// A batch of the log of this app has arrived.
    pub(super) fn heard(&self, app: &AppName) {
        let heard = Heard { at: Instant::now(), is_reported: false };
        let mut apps = self.lock();
        match apps.get_mut(app) {
            Some(before) if !before.is_reported => *before = heard,
            Some(before) => {
                info!(%app, "receiving the log of {app} again, after {}", human(before.at.elapsed()));
                *before = heard;
            }
            None => _ = apps.insert(app.clone(), heard),
        }
    }

    /// Tells each silence once, to the log and to `tell`, as long as this future is polled.
    pub async fn run(&self, mut tell: impl FnMut(Silence)) -> Infallible {
        loop {
            let (silences, next) = self.check();
            for silence in silences {
                let Silence { app, lasts } = &silence;
                warn!(
                    event = "drain_silent",
                    %app,
                    "the drain of {app} has been silent for {}. Unless the app had nothing to log, trouble is not noticed \
                     any more. Check that the drain still exists with `heroku drains -a {app}`",
                    human(*lasts)
                );
                tell(silence);
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// The silences to tell now, and when to check next: no silence can be due before.
    fn check(&self) -> (Vec<Silence>, Instant) {
        let now = Instant::now();
        let (mut silences, mut next) = (Vec::new(), now + SILENT_AFTER);
        for (app, heard) in self.lock().iter_mut().filter(|(_, heard)| !heard.is_reported) {
            let due = heard.at + SILENT_AFTER;
            if due <= now {
                heard.is_reported = true;
                silences.push(Silence { app: app.clone(), lasts: now.duration_since(heard.at) });
            } else {
                next = next.min(due);
            }
        }
        (silences, next)
    }

    /// No code panics while it holds the lock, and if it did the times would still be right.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AppName, Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
