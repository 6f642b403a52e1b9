//! Writes accepted alerts to the database before their senders are answered: many in one commit.
//!
//! A sender never waits longer than [`Timing::answer`](crate::store::Timing). When the database is away, alerts are kept in
//! memory only, as without a database, and written when it is back. An alert may then be acted on twice, which does no harm:
//! a process that began after the alert arrived is never restarted for it (rule 2).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tracing::{error, info, warn};

use super::outlook::Outlook;
use super::queue::PassRequest;
use super::target::Trigger;
use super::{Restarter, Stopping};
use crate::heroku::AppName;
use crate::shutdown::Stop;
use crate::store::{DeliveryId, Error, NewRequest, Postgres, StoredReports};

/// How many deliveries may wait. More are kept in memory only.
const MOST_WAITING: usize = 10_000;

/// How many are written in one commit.
const MOST_AT_ONCE: usize = 1_000;

/// How long to wait before writing is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How many deliveries are kept one by one while the database is away. From then on they are merged, and their ids forgotten.
const MOST_KEPT: usize = 1_000;

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is in the database.
    New,
    /// It was delivered before.
    Repeated,
    /// The database did not confirm it in time.
    InMemoryOnly,
}

/// Hands deliveries to the task that writes them. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Acceptor {
    store: Arc<Postgres>,
    deliveries: mpsc::Sender<Delivery>,
    /// How long an answer waits for the commit.
    deadline: Duration,
    is_away: Arc<AtomicBool>,
    /// How many alerts are kept in memory only.
    unwritten: Arc<AtomicU64>,
    /// Told when an alert was written.
    written: Arc<Notify>,
}

/// The task that writes them.
pub(super) struct AcceptanceWriter {
    store: Arc<Postgres>,
    deliveries: mpsc::Receiver<Delivery>,
    is_away: Arc<AtomicBool>,
    unwritten: Arc<AtomicU64>,
    /// What is not written yet.
    waiting: Vec<Delivery>,
}

#[derive(Debug)]
struct Delivery {
    ids: Vec<DeliveryId>,
    asked: BTreeMap<AppName, PassRequest>,
    /// Told whether the delivery is new. Dropped when it cannot be written now.
    answer: Option<oneshot::Sender<bool>>,
}

impl Restarter {
    /// Whether there is a database, so that alerts are to be written with [`Restarter::keep`] before they are answered.
    #[must_use]
    pub(crate) fn has_database(&self) -> bool {
        self.acceptor.is_some()
    }

    /// Writes what an alert asks for to the database, and waits for the commit, a second at most. What is not confirmed by
    /// then is to be handed over with [`Restarter::trigger`], and written later.
    pub(crate) async fn keep(&self, ids: Vec<DeliveryId>, triggers: &BTreeMap<AppName, Trigger>) -> Kept {
        let Some(acceptor) = &self.acceptor else { return Kept::InMemoryOnly };
        let request = |(app, trigger): (&AppName, &Trigger)| (app.clone(), self.pass_request(trigger.clone()));
        let kept = acceptor.accept(ids, triggers.iter().map(request).collect()).await;
        if kept == Kept::New {
            acceptor.written.notify_one();
        }
        kept
    }

    /// Hands over what a person asks for: with a database, to whoever makes the passes. Waits for the commit, a second at most.
    ///
    /// # Errors
    /// When the service is being shut down.
    pub(crate) async fn ask(&self, app: &AppName, trigger: Trigger) -> Result<Outlook, Stopping> {
        if self.stop.is_requested() {
            return Err(Stopping);
        }
        let triggers = BTreeMap::from([(app.clone(), trigger.clone())]);
        if self.keep(Vec::new(), &triggers).await == Kept::New {
            return Ok(self.outlook(app, trigger.force));
        }
        Ok(self.trigger(app, trigger)?.outlook)
    }

    /// Counts the reports of a log drain in the database, together with those that other replicas heard. `count` is told what
    /// is counted already; it returns what is counted then, and what is to be restarted. Returns whether the batch is new.
    pub(crate) async fn count_reports(
        &self,
        app: &AppName,
        dynos: Vec<String>,
        batch: Option<DeliveryId>,
        count: impl FnOnce(Vec<StoredReports>) -> (Vec<StoredReports>, Option<Trigger>),
    ) -> Result<bool, Error> {
        let Some(acceptor) = &self.acceptor else { return Ok(false) };
        let count = |stored| {
            let (reports, trigger) = count(stored);
            let request = trigger.and_then(|trigger| new_request(app, self.pass_request(trigger), Vec::new()));
            (reports, request)
        };
        let is_new = acceptor.store.count_reports(app.as_str(), &dynos, batch, count).await?;
        acceptor.written.notify_one();
        Ok(is_new)
    }

    fn pass_request(&self, trigger: Trigger) -> PassRequest {
        let arrived = self.clock.time(trigger.arrived);
        PassRequest::of(trigger, arrived, self.policy.min_age)
    }

    /// What comes of an alert that was written to the database.
    pub(crate) fn outlook(&self, app: &AppName, is_forced: bool) -> Outlook {
        self.app(app).queue.outlook(is_forced)
    }
}

/// A task that writes to this store, and the handle of it.
pub(super) fn acceptance(store: &Arc<Postgres>) -> (Acceptor, AcceptanceWriter) {
    let (sender, deliveries) = mpsc::channel(MOST_WAITING);
    let (is_away, unwritten) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let acceptor = Acceptor {
        store: Arc::clone(store),
        deliveries: sender,
        deadline: store.timing().answer,
        is_away: Arc::clone(&is_away),
        unwritten: Arc::clone(&unwritten),
        written: Arc::default(),
    };
    (acceptor, AcceptanceWriter { store: Arc::clone(store), deliveries, is_away, unwritten, waiting: Vec::new() })
}

impl Acceptor {
    /// Whether alerts are kept in memory only.
    pub(super) fn is_away(&self) -> bool {
        self.is_away.load(Ordering::Relaxed)
    }

    /// How many alerts are kept in memory only.
    pub(super) fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Where they are written.
    pub(super) fn store(&self) -> &Arc<Postgres> {
        &self.store
    }

    /// Told when an alert was written.
    pub(super) fn written(&self) -> Arc<Notify> {
        Arc::clone(&self.written)
    }

    /// Writes a delivery, and waits for the commit until the deadline.
    pub(super) async fn accept(&self, ids: Vec<DeliveryId>, asked: BTreeMap<AppName, PassRequest>) -> Kept {
        let (answer, verdict) = oneshot::channel();
        let delivery = Delivery { ids, asked, answer: Some(answer) };
        if self.deliveries.try_send(delivery).is_err() || self.is_away() {
            return Kept::InMemoryOnly;
        }
        match tokio::time::timeout(self.deadline, verdict).await {
            Ok(Ok(true)) => Kept::New,
            Ok(Ok(false)) => Kept::Repeated,
            Ok(Err(_)) | Err(_) => Kept::InMemoryOnly,
        }
    }
}

impl AcceptanceWriter {
    /// Writes until the service is asked to end, and then what is left.
    pub(super) async fn write(mut self, stop: Stop) {
        loop {
            let has_waiting = !self.waiting.is_empty();
            let mut next = Vec::new();
            tokio::select! {
                biased;
                _ = stop.requested() => break,
                _ = self.deliveries.recv_many(&mut next, MOST_AT_ONCE) => self.waiting.append(&mut next),
                () = tokio::time::sleep(RETRY), if has_waiting => {}
            }
            self.gather().await;
            self.write_waiting().await;
        }
        self.deliveries.close();
        while let Some(delivery) = self.deliveries.recv().await {
            self.waiting.push(delivery);
        }
        if !self.waiting.is_empty() {
            self.write_waiting().await;
        }
        let lost = self.unwritten.load(Ordering::Relaxed);
        if lost > 0 {
            let (are, what) = if lost == 1 { ("is", "alert") } else { ("are", "alerts") };
            warn!("the restarter is being shut down, and {lost} {what} {are} dropped that were kept in memory only");
        }
    }

    /// Takes what other tasks are about to hand over, so that alerts that arrive together are written in one commit.
    async fn gather(&mut self) {
        let mut found = true;
        while found && self.waiting.len() < MOST_AT_ONCE {
            tokio::task::yield_now().await;
            let before = self.waiting.len();
            self.waiting.extend(std::iter::from_fn(|| self.deliveries.try_recv().ok()));
            found = self.waiting.len() > before;
        }
    }

    async fn write_waiting(&mut self) {
        let ids: Vec<_> = self.waiting.iter().map(|delivery| delivery.ids.clone()).collect();
        let waiting = &self.waiting;
        match self.store.accept(&ids, |is_new| merged(waiting, is_new)).await {
            Ok(is_new) => {
                if self.is_away.swap(false, Ordering::Relaxed) {
                    info!(event = "database_back", "the database is back: alerts are kept there again");
                }
                for (delivery, is_new) in self.waiting.drain(..).zip(is_new) {
                    // The sender may have been answered already.
                    delivery.answer.and_then(|answer| answer.send(is_new).err());
                }
            }
            Err(error) => self.keep_for_later(&error),
        }
        let unwritten =
            self.waiting.iter().flat_map(|delivery| delivery.asked.values()).map(|asked| asked.alerts).sum();
        self.unwritten.store(unwritten, Ordering::Relaxed);
    }

    /// The senders are answered now, and their alerts are kept in memory.
    fn keep_for_later(&mut self, error: &Error) {
        if !self.is_away.swap(true, Ordering::Relaxed) {
            let remedy = error.remedy();
            error!(
                event = "database_away",
                "{error}. Alerts are kept in memory only until it is back: what was accepted meanwhile is lost if this \
                 process ends. {remedy}"
            );
        }
        for delivery in &mut self.waiting {
            delivery.answer = None;
        }
        if self.waiting.len() > MOST_KEPT {
            let mut asked = BTreeMap::new();
            for delivery in self.waiting.drain(..) {
                merge(&mut asked, delivery.asked);
            }
            self.waiting.push(Delivery { ids: Vec::new(), asked, answer: None });
        }
    }
}

/// What the new ones of these deliveries ask for, merged by app.
fn merged(deliveries: &[Delivery], is_new: &[bool]) -> Vec<NewRequest> {
    let mut by_app: BTreeMap<&AppName, (PassRequest, Vec<DeliveryId>)> = BTreeMap::new();
    for (delivery, _) in deliveries.iter().zip(is_new).filter(|(_, is_new)| **is_new) {
        for (app, request) in &delivery.asked {
            let (merged, ids) = by_app.entry(app).or_default();
            merged.absorb(request.clone());
            ids.extend(&delivery.ids);
        }
    }
    by_app.into_iter().filter_map(|(app, (request, ids))| new_request(app, request, ids)).collect()
}

/// A row of what alerts ask for. It consists of names, times and durations, which are always valid JSON.
pub(super) fn new_request(app: &AppName, request: PassRequest, ids: Vec<DeliveryId>) -> Option<NewRequest> {
    let PassRequest { asked, alerts, senders, .. } = request;
    Some(NewRequest {
        app: app.as_str().to_owned(),
        asked: serde_json::to_value(asked).ok()?,
        alerts: i64::try_from(alerts).unwrap_or(i64::MAX),
        senders: senders.iter().map(ToString::to_string).collect(),
        ids,
    })
}

fn merge(into: &mut BTreeMap<AppName, PassRequest>, asked: BTreeMap<AppName, PassRequest>) {
    for (app, request) in asked {
        into.entry(app).or_default().absorb(request);
    }
}
