//! With a database: before somebody is shown the status, what is known of other replicas is brought up to date.
//!
//! The tasks that exchange it do so now and then. A request asks for a round that begins now, unless there was one a moment ago.
//! However many requests there are, that is one round a second.

use std::sync::Arc;

use tokio::time::{Instant, timeout};

use super::Restarter;
use crate::store::{Counters, FRESH_FOR, LONGEST_WAIT, MaintenanceRounds};
use crate::util::rounds::{Rounds, RoundsOfTask, rounds};

/// The rounds of each task.
#[derive(Clone, Debug)]
pub(super) struct Refresh {
    turns: Rounds,
    passes: Rounds,
    heard: Rounds,
    counters: Rounds<Arc<Counters>>,
}

/// The sides of the tasks.
pub(super) struct RefreshTasks {
    pub(super) turns: RoundsOfTask,
    pub(super) passes: RoundsOfTask,
    pub(super) maintenance: MaintenanceRounds,
}

/// Both sides.
pub(super) fn refresh() -> (Refresh, RefreshTasks) {
    let ((turns, of_turns), (passes, of_passes)) = (rounds(), rounds());
    let ((heard, of_heard), (counters, of_counters)) = (rounds(), rounds());
    let maintenance = MaintenanceRounds { heard: of_heard, counters: of_counters };
    (Refresh { turns, passes, heard, counters }, RefreshTasks { turns: of_turns, passes: of_passes, maintenance })
}

impl Restarter {
    /// With a database, brings what is known of other replicas up to date. Waits for a second at most, and not at all while the
    /// database does not answer.
    pub(crate) async fn refresh(&self) {
        let Some(refresh) = &self.refresh else { return };
        let now = Instant::now();
        let since = now.checked_sub(FRESH_FOR).unwrap_or(now);
        let turns_and_passes = async {
            if let Some(round) = refresh.turns.since(since).await {
                // A pass that is no longer under way is among those that are over.
                refresh.passes.since(round.ended).await;
            }
        };
        bounded(async { tokio::join!(turns_and_passes, refresh.heard.since(since)) }).await;
    }

    /// The counters of all replicas, with all that this one has counted until now; `None` if the database does not answer within
    /// a second.
    pub(crate) async fn counters_of_all(&self) -> Option<Arc<Counters>> {
        let refresh = self.refresh.as_ref()?;
        // They must not go back, whichever replica is asked next: so nothing older will do.
        let round = bounded(refresh.counters.since(Instant::now())).await??;
        Some(round.result)
    }
}

impl Refresh {
    /// Waits until the turns are given back, which is when the tasks of all apps have ended.
    pub(super) async fn work_is_done(&self) {
        self.turns.ended().await;
    }
}

async fn bounded<T>(work: impl Future<Output = T>) -> Option<T> {
    timeout(LONGEST_WAIT, work).await.ok()
}
