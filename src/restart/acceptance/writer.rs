//! The task that writes deliveries to the database: as many in one commit as there are.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::{error, info, warn};

use super::{Away, Delivery, Overflow, merge, new_request};
use crate::heroku::AppName;
use crate::restart::queue::PassRequest;
use crate::shutdown::Stop;
use crate::store::{DeliveryId, Error, NewRequest, Postgres};

/// How many are written in one commit.
const MOST_AT_ONCE: usize = 1_000;

/// How long to wait before writing is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How many deliveries are kept one by one while the database is away. From then on they are merged, and their ids forgotten.
const MOST_KEPT: usize = 1_000;

/// The task that writes deliveries.
pub(in crate::restart) struct AcceptanceWriter {
    pub(super) store: Arc<Postgres>,
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    pub(super) overflow: Arc<Overflow>,
    pub(super) away: Arc<Away>,
    pub(super) unwritten: Arc<AtomicU64>,
    /// What is not written yet.
    pub(super) waiting: Vec<Delivery>,
}

impl AcceptanceWriter {
    /// Writes until the service is asked to end, and then what is left.
    pub(in crate::restart) async fn write(mut self, stop: Stop) {
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
            self.take_overflow();
            self.write_waiting().await;
        }
        self.deliveries.close();
        while let Some(delivery) = self.deliveries.recv().await {
            self.waiting.push(delivery);
        }
        self.take_overflow();
        if !self.waiting.is_empty() {
            self.write_waiting().await;
        }
        let lost = self.unwritten.load(Ordering::Relaxed);
        if lost > 0 {
            warn!("the restarter is being shut down, and alerts that are in memory only are dropped: {lost}");
        }
    }

    /// Takes what other tasks are about to hand over, so that alerts that arrive together are written in one commit.
    async fn gather(&mut self) {
        let mut found = true;
        while found && self.waiting.len() < MOST_AT_ONCE {
            tokio::task::yield_now().await;
            let before = self.waiting.len();
            let more = std::iter::from_fn(|| self.deliveries.try_recv().ok());
            self.waiting.extend(more.take(MOST_AT_ONCE.saturating_sub(before)));
            found = self.waiting.len() > before;
        }
    }

    /// Takes what found no place among the deliveries.
    fn take_overflow(&mut self) {
        let asked = std::mem::take(&mut *self.overflow.lock().unwrap_or_else(PoisonError::into_inner));
        if !asked.is_empty() {
            self.waiting.push(Delivery::merged(asked));
        }
    }

    async fn write_waiting(&mut self) {
        let ids: Vec<_> = self.waiting.iter().map(|delivery| delivery.ids.clone()).collect();
        let waiting = &self.waiting;
        match self.store.accept(&ids, |is_new| merged(waiting, is_new)).await {
            Ok(is_new) => {
                if self.set_away(None).is_some() {
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

    /// Notes why alerts cannot be written, if so. Returns what was noted before.
    fn set_away(&self, error: Option<Error>) -> Option<Error> {
        std::mem::replace(&mut *self.away.lock().unwrap_or_else(PoisonError::into_inner), error)
    }

    /// The senders are answered now, and their alerts are kept in memory.
    fn keep_for_later(&mut self, error: &Error) {
        if self.set_away(Some(error.clone())).is_none() {
            let remedy = error.remedy();
            error!(
                event = "database_away",
                "{error}. Alerts are kept in memory only until it is back, and are lost if this process ends \
                 before. {remedy}"
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
            self.waiting.push(Delivery::merged(asked));
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
