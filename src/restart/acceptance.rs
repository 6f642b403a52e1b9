//! Writes accepted alerts to the database before their senders are answered: many in one commit.
//!
//! A sender never waits longer than [`Timing::answer`](crate::store::Timing). When the database is away, alerts are kept in
//! memory only, as without a database, and written when it is back. An alert may then be acted on twice, which does no harm:
//! a process that began after the alert arrived is never restarted for it (rule 2).

mod writer;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use super::outlook::Outlook;
use super::queue::PassRequest;
use super::target::Trigger;
use super::{Restarter, Stopping};
use crate::heroku::AppName;
use crate::store::{DeliveryId, Error, NewRequest, Postgres, StoredReports};
use crate::util::ordered::CollectOrdered;
pub(super) use writer::AcceptanceWriter;

/// How many deliveries may wait to be written. An answer waits for a place among them.
const MOST_WAITING: usize = 10_000;

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
    overflow: Arc<Overflow>,
    /// How long an answer waits for the commit.
    deadline: Duration,
    /// Why alerts are kept in memory only.
    away: Arc<Away>,
    /// How many alerts are kept in memory only.
    unwritten: Arc<AtomicU64>,
    /// Notified when an alert was written.
    written: Arc<Notify>,
}

/// What deliveries ask for that found no place. It is merged, and written later.
type Overflow = Mutex<BTreeMap<AppName, PassRequest>>;

/// Why alerts cannot be written, if so.
type Away = Mutex<Option<Error>>;

#[derive(Debug)]
struct Delivery {
    ids: Vec<DeliveryId>,
    asked: BTreeMap<AppName, PassRequest>,
    /// Told whether the delivery is new. Dropped when it cannot be written now.
    answer: Option<oneshot::Sender<bool>>,
}

impl Delivery {
    /// What several deliveries ask for. Their ids are forgotten, and their senders were answered.
    fn merged(asked: BTreeMap<AppName, PassRequest>) -> Self {
        Self { ids: Vec::new(), asked, answer: None }
    }
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
        let kept = acceptor.accept(ids, triggers.iter().map(request).collect_ordered()).await;
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
    let (away, unwritten) = (Arc::<Away>::default(), Arc::<AtomicU64>::default());
    let overflow = Arc::<Overflow>::default();
    let acceptor = Acceptor {
        store: Arc::clone(store),
        deliveries: sender,
        overflow: Arc::clone(&overflow),
        deadline: store.timing().answer,
        away: Arc::clone(&away),
        unwritten: Arc::clone(&unwritten),
        written: Arc::default(),
    };
    let (store, waiting) = (Arc::clone(store), Vec::new());
    (acceptor, AcceptanceWriter { store, deliveries, overflow, away, unwritten, waiting })
}

impl Acceptor {
    /// Whether alerts are kept in memory only.
    pub(super) fn is_away(&self) -> bool {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Why alerts are kept in memory only, if they are.
    pub(super) fn away(&self) -> Option<Error> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many alerts are kept in memory only.
    pub(super) fn unwritten(&self) -> u64 {
        self.unwritten.load(Ordering::Relaxed)
    }

    /// Where they are written.
    pub(super) fn store(&self) -> &Arc<Postgres> {
        &self.store
    }

    /// Notified when an alert was written.
    pub(super) fn written(&self) -> Arc<Notify> {
        Arc::clone(&self.written)
    }

    /// Writes a delivery, and waits for the commit until the deadline.
    pub(super) async fn accept(&self, ids: Vec<DeliveryId>, asked: BTreeMap<AppName, PassRequest>) -> Kept {
        let deadline = if self.is_away() { Duration::ZERO } else { self.deadline };
        let deadline = Instant::now() + deadline;
        let Ok(Ok(place)) = tokio::time::timeout_at(deadline, self.deliveries.reserve()).await else {
            merge(&mut self.overflow.lock().unwrap_or_else(PoisonError::into_inner), asked);
            return Kept::InMemoryOnly;
        };
        let (answer, verdict) = oneshot::channel();
        place.send(Delivery { ids, asked, answer: Some(answer) });
        match tokio::time::timeout_at(deadline, verdict).await {
            Ok(Ok(true)) => Kept::New,
            Ok(Ok(false)) => Kept::Repeated,
            Ok(Err(_)) | Err(_) => Kept::InMemoryOnly,
        }
    }
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
