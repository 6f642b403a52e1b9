//! An app's own task: makes a pass whenever alerts have come, one at a time.

mod looks;
mod succession;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::sync::mpsc::{Sender, UnboundedSender};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::event::Event;
use super::fleet::{LONGEST_LOOK, Look, elapsed};
use super::history::History;
use super::news::News;
use super::pacing::IdlePace;
use super::pass::{Driver, Ended};
use super::pass_in_hand::PassInHand;
use super::pass_log::PassLog;
use super::past_passes::PastPasses;
use super::policy::Policy;
use super::queue::{PassRequest, Queue, Work};
use super::report::{End, Report};
use super::rollout::Rollout;
use super::shared_view::{SharedView, ViewGuard};
use super::target::Receipt;
use super::totals::Totals;
use super::turn::{HeldTurn, Turn};
use super::view::HolderStatus;
use crate::heroku::{AppName, Client, DynoName, Error, ProcessType};
use crate::shutdown::Stop;
use crate::util::clock::Clock;

/// What an app's task and the rest of the service share.
#[derive(Debug)]
pub(super) struct SharedApp {
    pub(super) queue: Queue,
    past: Mutex<PastPasses>,
    view: SharedView,
    totals: Mutex<Totals>,
    /// The turn of the app, if there is a database.
    pub(super) turn: Option<Arc<Turn>>,
    /// What the holder of the turn remembers, when that is another process.
    learned: Mutex<Option<History>>,
}

/// An app's own task.
pub(super) struct Worker {
    pub(super) name: AppName,
    pub(super) app: Arc<SharedApp>,
    pub(super) client: Client,
    pub(super) policy: Policy,
    pub(super) clock: Clock,
    pub(super) stop: Stop,
    pub(super) news: Option<Sender<News>>,
    pub(super) state: State,
}

/// What the task keeps from pass to pass.
#[derive(Debug, Default)]
pub(super) struct State {
    history: History,
    last_look: Option<Look>,
    pace: IdlePace,
    log: PassLog,
    /// Whether passes were made without the turn, so that the database does not know what is remembered.
    was_alone: bool,
    /// Whether a look apart from a pass concluded what the database does not know yet.
    is_history_unwritten: bool,
    /// The requests of passes whose end could not be written.
    unwritten: Vec<i64>,
    /// The end of the last of these, which is written as soon as it can be.
    late_end: Option<LateEnd>,
}

/// The end of a pass that was made in this turn and could not be written.
#[derive(Clone, Debug)]
struct LateEnd {
    held: Arc<HeldTurn>,
    was_lost: bool,
    /// How long to wait before it is tried again.
    try_after: Duration,
}

/// The alerts that a pass serves.
pub(super) struct ServedAlerts {
    pub(super) senders: BTreeSet<Arc<str>>,
    receipt: Receipt,
    pub(super) requests: Vec<i64>,
}

impl SharedApp {
    /// `view_changed` is notified when what the task knows may have changed.
    pub(super) fn new(clock: Clock, policy: &Policy, turn: Option<Arc<Turn>>, view_changed: &Arc<Notify>) -> Self {
        Self {
            turn,
            queue: Queue::new(clock, policy.min_age),
            past: Mutex::default(),
            view: SharedView::new(view_changed),
            totals: Mutex::new(Totals::new(&policy.process_types)),
            learned: Mutex::default(),
        }
    }

    /// Another process has the turn. This is what it remembers, and its status.
    pub(super) fn learn(&self, history: Option<History>, holder: Option<HolderStatus>, now: Timestamp) {
        self.view().learned(history.as_ref(), holder, now);
        if history.is_some() {
            *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = history;
        }
    }

    /// What this process sees and does: the other replicas show it if this one has the turn.
    pub(super) fn holder_status(&self) -> HolderStatus {
        let waiting = self.queue.waiting_alerts();
        self.view().holder_status(waiting)
    }

    /// This process has the turn, and knows better.
    fn forget_learned(&self) {
        self.view().forget_holder();
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Lists the dynos, and notes whether the API answered.
    pub(super) async fn look(&self, app: &AppName, client: &Client, clock: Clock) -> Result<Look, Error> {
        let asked = clock.now();
        let listing = client.dynos(app).await;
        let answered = clock.now();
        match &listing {
            // A list that came late may not help the pass that waits for it.
            Ok(_) if elapsed(asked, answered) > LONGEST_LOOK => {}
            Ok(_) => self.view().answered(),
            Err(error) => self.view().failed(error, asked),
        }
        Ok(Look::new(listing?, asked, answered, client.remaining()))
    }

    /// Heroku accepted a restart.
    pub(super) fn restarted(&self, dyno: &DynoName, now: Timestamp) {
        let by = self.turn.as_ref().map(|turn| turn.store.id());
        self.view().restarted(dyno, by, now);
    }

    /// What the task knows.
    pub(super) fn view(&self) -> ViewGuard<'_> {
        self.view.lock()
    }

    /// Whether the status may have changed since it was published last.
    pub(super) fn has_changed(&self) -> bool {
        self.view.has_changed()
    }

    /// The status may have changed.
    pub(super) fn note_change(&self) {
        self.view.note_change();
    }

    /// What has changed until now is about to be published.
    pub(super) fn forget_changes(&self) {
        self.view.forget_changes();
    }

    /// The latest passes.
    pub(super) fn past(&self) -> MutexGuard<'_, PastPasses> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What all passes did.
    pub(super) fn totals(&self) -> Totals {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, report: Report, watched: &[ProcessType]) -> Arc<Report> {
        let report = Arc::new(report);
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).add(&report, watched);
        let events = self.view().done_since(report.began_at);
        self.past().add(&report, events, self.turn.is_some());
        report
    }
}

impl Worker {
    /// Works until the service is asked to end, and reports its own end: with a database, the turn is given back then.
    pub(super) async fn work_and_report(self, ended: UnboundedSender<AppName>) {
        let name = self.name.clone();
        self.work().await;
        // Without a database, nobody listens.
        ended.send(name).ok();
    }

    /// Works until the service is asked to end.
    async fn work(mut self) {
        let stop = self.stop.clone();
        tokio::select! {
            _ = stop.requested() => {}
            () = self.introduce() => {}
        }
        let mut look_at = self.look_at();
        loop {
            let late = self.state.late_end.as_ref().map_or(Duration::MAX, |end| end.try_after);
            let work = tokio::select! {
                biased;
                _ = stop.requested() => break,
                work = self.app.queue.next(&self.state.pace, self.state.history.hold()) => Some(work),
                () = tokio::time::sleep_until(look_at) => None,
                () = tokio::time::sleep(late), if self.state.late_end.is_some() => {
                    self.write_late_end().await;
                    continue;
                }
            };
            match work {
                Some(Work::Pass(request)) => self.pass(*request).await,
                Some(Work::TakeOver(takeover)) => self.take_over(*takeover).await,
                Some(Work::DryRuns(requests)) => self.dry_run(requests).await,
                None => _ = self.look().await,
            }
            look_at = self.look_at();
        }
        self.write_late_end().await;
        self.tell_what_is_left();
    }

    async fn pass(&mut self, request: PassRequest) {
        let PassRequest { asked, alerts, senders, receipt, requests } = request;
        self.adopt_learned();
        let history = std::mem::take(&mut self.state.history);
        let rollout = Rollout::new(self.name.clone(), self.policy.clone(), asked, alerts, history, self.clock.now());
        self.drive(rollout, (Event::Time, self.clock.now()), ServedAlerts { senders, receipt, requests }).await;
    }

    async fn drive(&mut self, mut rollout: Rollout, first: (Event, Timestamp), served: ServedAlerts) {
        let began = Instant::now();
        let turn = self.app.turn.clone();
        let held = turn.as_ref().and_then(|turn| turn.held());
        let was_alone = turn.is_some() && held.is_none();
        self.state.was_alone |= was_alone;
        let in_hand = PassInHand::new(&self.name, &self.app, self.clock, held.clone(), &served);
        let driver = Driver {
            app: &self.name,
            client: &self.client,
            clock: self.clock,
            stop: &self.stop,
            shared: &self.app,
            in_hand,
        };
        let ended = driver.run(&mut rollout, first, &mut self.state.log).await;
        let Ended::Over(mut report, notes) = ended else {
            return self.leave_to_another(&rollout, was_alone, &served.requests);
        };
        report.senders.clone_from(&served.senders);
        match &mut report.end {
            Some(End::Api(_)) => served.receipt.mark_lost(),
            // One warning says all that is not done.
            Some(End::Stopped { waiting, trouble }) => {
                let mut asked = self.app.queue.close().asked;
                // Nobody has seen which dynos these alerts are about.
                if report.dynos.is_empty() && turn.is_none() {
                    asked.absorb(rollout.asked().clone());
                }
                *waiting = Some(asked).filter(|asked| !asked.is_empty()).map(|asked| asked.describe());
                *trouble = self.app.view().trouble().map(|trouble| trouble.error.clone());
            }
            _ => {}
        }
        if let Some(look) = rollout.last_look() {
            self.state.last_look = Some(look.clone());
        }
        self.state.history = rollout.into_history();
        self.app.view().passed(self.state.last_look.as_ref(), &self.state.history);
        self.state.log.write_report(&report);
        if report.is_idle() {
            self.state.pace.count(report.calls, began);
        }
        self.publish(|| News::Pass { report: Report::clone(&report), notes });
        let report = self.app.keep(*report, &self.policy.process_types);
        self.write_end(held, &served.requests, &report).await;
    }

    /// Sends news to whoever listens, without waiting: when too many wait there already, these are dropped.
    fn publish(&self, news: impl FnOnce() -> News) {
        let app = &self.name;
        if self.news.as_ref().is_some_and(|listener| listener.try_send(news()).is_err()) {
            debug!(%app, "news of {app} are dropped: too many wait already");
        }
    }

    /// Alerts that came too late for a pass are named. With a database, they wait there, and reports that could not be written are
    /// counted.
    fn tell_what_is_left(&self) {
        let app = &self.name;
        let asked = self.app.queue.close().asked;
        if self.app.turn.is_some() {
            let reports = self.app.past().unwritten_count();
            if reports > 0 {
                warn!(%app, "the restarter is being shut down, and reports on passes over {app} that could not be written are dropped: {reports}");
            }
            return;
        }
        if !asked.is_empty() {
            let asked = asked.describe();
            warn!(%app, "the restarter is being shut down, and alerts for {app} are dropped: they asked for {asked}");
            self.publish(|| News::Dropped { app: app.clone(), asked });
        }
    }
}

/// A task for each app, by its name.
pub(super) type Apps = BTreeMap<AppName, Arc<SharedApp>>;
