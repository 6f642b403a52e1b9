//! The end: Heroku sends SIGTERM and kills 30 s later
//! (<https://devcenter.heroku.com/articles/dyno-shutdown-behavior>).

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// How long a restart in hand is seen through after the end was asked for. Heroku kills after 30 s; 25 leaves room to
/// say what was not done.
pub const GRACE: Duration = Duration::from_secs(25);

/// Asks every holder of a [`Stop`] to end.
#[derive(Debug)]
pub struct Switch(watch::Sender<Option<Instant>>);

/// Knows whether, and since when, the service is asked to end.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<Option<Instant>>);

/// A switch and what it switches.
#[must_use]
pub fn switch() -> (Switch, Stop) {
    let (sender, receiver) = watch::channel(None);
    (Switch(sender), Stop(receiver))
}

impl Switch {
    /// Asks for the end. Asking again changes nothing: Heroku may send SIGTERM several times.
    pub fn stop(&self) {
        self.0.send_if_modified(|since| {
            let first = since.is_none();
            since.get_or_insert_with(Instant::now);
            first
        });
    }
}

impl Stop {
    /// Whether the end was asked for.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Waits until the end is asked for; a switch that is gone asks for it, too.
    pub async fn requested(&self) -> Instant {
        let mut receiver = self.0.clone();
        receiver.wait_for(Option::is_some).await.ok().and_then(|since| *since).unwrap_or_else(Instant::now)
    }

    /// Waits until the end was asked for [`GRACE`] ago.
    pub async fn grace_is_over(&self) {
        tokio::time::sleep_until(self.requested().await + GRACE).await;
    }
}

/// Waits for SIGTERM (Heroku, `kill`) or SIGINT (Ctrl-C) and says which it was. The handlers are in place as soon as this
/// returns its future.
///
/// # Errors
/// When the handlers cannot be set up.
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
