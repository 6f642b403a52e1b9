//! Lets requests wait for a task that works in rounds. All that wait share one round, and all rounds
//! together take a tenth of the time at most.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Rounds take at most one part in this many of the time: a slow database has time for everything else.
const SHARE: u32 = 10;

/// When something may be done for readers again, after something that began at `began` and has ended now.
pub(crate) fn after_rest(began: Instant) -> Instant {
    Instant::now() + began.elapsed() * (SHARE - 1)
}

/// The side of those who wait. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Rounds<T = ()> {
    /// The latest time at which somebody began to wait. The next round must begin after it.
    wanted: Arc<watch::Sender<Option<Instant>>>,
    state: watch::Receiver<State<T>>,
}

/// The side of the task.
#[derive(Debug)]
pub(crate) struct RoundsOfTask<T = ()> {
    wanted: watch::Receiver<Option<Instant>>,
    state: watch::Sender<State<T>>,
    /// When the next round may begin because somebody needs one.
    next_at: Instant,
}

/// A round that succeeded.
#[derive(Clone, Debug)]
pub(crate) struct Round<T> {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) result: T,
}

#[derive(Debug)]
struct State<T> {
    /// The last one that succeeded.
    round: Option<Round<T>>,
    /// Whether one failed since. Then nobody waits, and the task tries again when it would without any request.
    is_failing: bool,
}

/// Both sides.
pub(crate) fn rounds<T>() -> (Rounds<T>, RoundsOfTask<T>) {
    let (wanted, wanted_by_others) = watch::channel(None);
    let (state, seen_by_others) = watch::channel(State { round: None, is_failing: false });
    let rounds = Rounds { wanted: Arc::new(wanted), state: seen_by_others };
    (rounds, RoundsOfTask { wanted: wanted_by_others, state, next_at: Instant::now() })
}

impl<T: Clone> Rounds<T> {
    /// Waits for a round that begins at `since` or later, unless there was one. `None` if the rounds fail or have ended.
    pub(crate) async fn since(&self, since: Instant) -> Option<Round<T>> {
        let is_over = |state: &State<T>| state.is_failing || state.began().is_some_and(|began| began >= since);
        let mut state = self.state.clone();
        if !is_over(&state.borrow()) {
            self.wanted.send_if_modified(|wanted| {
                let is_later = wanted.is_none_or(|wanted| wanted < since);
                *wanted = (*wanted).max(Some(since));
                is_later
            });
        }
        let state = state.wait_for(is_over).await.ok()?;
        state.round.clone().filter(|_| !state.is_failing)
    }

    /// Waits until the task has ended.
    pub(crate) async fn ended(&self) {
        // An error means that the task has dropped its side, which is the signal.
        self.state.clone().wait_for(|_| false).await.err();
    }
}

impl<T> RoundsOfTask<T> {
    /// Waits until somebody needs a round that begins later than the last one.
    pub(crate) async fn wanted(&mut self) {
        let (began, is_failing) = self.began();
        sleep_until(self.next_at).await;
        if is_failing || self.wanted.wait_for(|since| since.is_some_and(|since| Some(since) > began)).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Whether somebody needs a round now.
    pub(crate) fn are_wanted(&self) -> bool {
        *self.wanted.borrow() > self.began().0
    }

    /// When the last round began that succeeded, and whether one failed since.
    fn began(&self) -> (Option<Instant>, bool) {
        let state = self.state.borrow();
        (state.began(), state.is_failing)
    }

    /// A round has succeeded that began at `began`.
    pub(crate) fn done(&mut self, began: Instant, result: T) {
        self.next_at = after_rest(began);
        let round = Some(Round { began, ended: Instant::now(), result });
        self.state.send_replace(State { round, is_failing: false });
    }

    /// Rounds do not fail any more, although none was needed.
    pub(crate) fn work_again(&self) {
        self.state.send_if_modified(|state| std::mem::take(&mut state.is_failing));
    }

    /// A round has failed.
    pub(crate) fn failed(&self) {
        self.state.send_modify(|state| state.is_failing = true);
    }
}

impl<T> State<T> {
    fn began(&self) -> Option<Instant> {
        self.round.as_ref().map(|round| round.began)
    }
}
