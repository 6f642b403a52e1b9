//! Shutdown: Heroku sends SIGTERM, and SIGKILL 30 s later
//! (<https://devcenter.heroku.com/articles/dyno-shutdown-behavior>).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long restarts in progress are still waited for after shutdown was requested. Heroku kills after 30 s; 25 s leave time
/// to log what was not done.
pub const GRACE: Duration = Duration::from_secs(25);

/// Requests shutdown from every holder of a [`Stop`].
#[derive(Debug)]
pub struct Switch(watch::Sender<Option<Instant>>);

/// Tells whether shutdown was requested, and when.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Instant>>);

/// Tells the service that the code of a request panicked. Clones share the news.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicAlarm(Arc<watch::Sender<bool>>);

/// Raises the alarm when it is dropped by a panic.
#[must_use = "it notices panics as long as it lives"]
pub(crate) struct PanicGuard<'a>(&'a PanicAlarm);

/// A switch, and the [`Stop`] that it controls.
#[must_use]
pub fn switch() -> (Switch, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Switch(sender), Stop(receiver))
}

impl PanicAlarm {
    /// Notices a panic of the code that holds this guard.
    pub(crate) fn guard(&self) -> PanicGuard<'_> {
        PanicGuard(self)
    }

    /// Waits for a panic.
    pub(crate) async fn raised(&self) {
        // The sender is a part of this alarm, so it is not dropped meanwhile.
        self.0.subscribe().wait_for(|is_raised| *is_raised).await.ok();
    }

    /// Whether there was a panic.
    pub(crate) fn is_raised(&self) -> bool {
        *self.0.borrow()
    }
}

impl Drop for PanicGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.0.send_replace(true);
        }
    }
}

impl Switch {
    /// Requests shutdown. Further calls change nothing: Heroku may send SIGTERM several times.
    pub fn stop(&self) {
        self.0.send_if_modified(|since| {
            let first = since.is_none();
            since.get_or_insert_with(Instant::now);
            first
        });
    }
}

impl Stop {
    /// Whether shutdown was requested. Dropping the switch requests it, too.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        // Without the lock of `borrow`: each request asks, and threads that lock one thing wait for each other.
        self.0.has_changed().unwrap_or(true)
    }

    /// Waits until shutdown is requested. Returns when that was.
    pub async fn requested(&self) -> Instant {
        let mut receiver = self.0.clone();
        receiver.wait_for(Option::is_some).await.ok().and_then(|since| *since).unwrap_or_else(Instant::now)
    }

    /// Waits until [`GRACE`] has passed since shutdown was requested.
    pub async fn grace_is_over(&self) {
        tokio::time::sleep_until(self.requested().await + GRACE).await;
    }
}

/// Waits for SIGTERM (Heroku, `kill`) or SIGINT (Ctrl-C) and returns its name. The handlers are installed when this function
/// returns, before the future is polled.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}
