//! Receives one alert: reads its body, decides what it leads to, and hands that over to the restarter.
//!
//! An accepted alert is never lost: if its body is cut off, it counts as an alert that says nothing beyond its head. And an
//! alert that is delivered several times counts once: `delivery` tells one from another. With a database, `keeping` writes it
//! there first. `outcome` is what becomes of it, or why it was not acted on.

mod delivery;
mod keeping;
mod outcome;

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::dispatcher;

use super::alert_log::{AcceptedAlert, AlertLog};
use super::auth::{Access, Authorized, Keys, Refusal};
use super::body::{BodyReader, Completeness, ReceivedBody};
use super::caller::Caller;
use super::decision::{Decision, IgnoreReason, decide};
use super::drain::is_log_drain;
use super::params::{ParamError, RestartParams};
use super::unintended::Unintended;
use delivery::{Id, digest_of, ids, nonce_id, query};
use keeping::AlertToKeep;
pub(crate) use outcome::{AlertOutcome, IntakeError};

use crate::alert::{self, Alert, Condition, Handshake, ParseError};
use crate::restart::{Accepted, AppName, Receipt, Restarter, Stopping, Trigger};
use crate::shutdown::PanicAlarm;
use crate::util::dedup::SeenIds;
use crate::util::request_id::RequestId;
use crate::util::task;

/// How many bodies that take long are read at the same time: two, so that one sender does not hold up all others.
const LONG_READS: usize = 2;

/// Receives alerts and recognises those that were delivered before.
#[derive(Debug)]
pub(crate) struct AlertIntake {
    restarter: Restarter,
    keys: Keys,
    bodies: BodyReader,
    long_reads: Semaphore,
    /// The IDs of the alerts that were handed over, each with the receipts of its triggers.
    seen: SeenIds<Arc<[Receipt]>>,
    log: AlertLog,
    panics: PanicAlarm,
}

/// An alert whose head was accepted. Its body has not been read yet.
#[derive(Debug)]
pub(crate) struct IncomingAlert {
    access: Access,
    params: RestartParams,
    head: Parts,
    body: Body,
    arrived: Instant,
}

/// What comes next for an alert whose body was read.
enum Next {
    Done(AlertOutcome),
    /// It is to be written to the database.
    Keep(Box<AlertToKeep>),
    /// The app is asked what would be restarted.
    DryRun(AppName, Trigger),
}

impl AlertIntake {
    pub(crate) fn new(restarter: Restarter, keys: Keys, panics: PanicAlarm) -> Self {
        Self {
            log: AlertLog::new(keys.recent().clone()),
            keys,
            bodies: BodyReader::new(restarter.stop().clone()),
            long_reads: Semaphore::new(LONG_READS),
            seen: SeenIds::default(),
            panics,
            restarter,
        }
    }

    /// What alerts are handed over to.
    pub(crate) fn restarter(&self) -> &Restarter {
        &self.restarter
    }

    /// The keys with which alerts are sent.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Reads the head of an alert. Errors are logged.
    pub(crate) fn open(&self, access: Access, request: Request) -> Result<Box<IncomingAlert>, IntakeError> {
        let arrived = Instant::now();
        let (head, body) = request.into_parts();
        if is_log_drain(&head.headers) {
            self.log.log_drain(&access.key(&self.keys));
            return Err(IntakeError::LogDrain);
        }
        let params = RestartParams::parse(query(&head), self.restarter.watched());
        let params = params.inspect_err(|error| self.log.not_acted_on(&access.key(&self.keys), error))?;
        Ok(Box::new(IncomingAlert { access, params, head, body, arrived }))
    }

    /// Reads the body, or what arrives of it, and acts on the alert. Errors are logged.
    ///
    /// What only a few alerts wait for is boxed, so that the future of every request is small: it is allocated and moved faster.
    pub(crate) async fn receive(self: Arc<Self>, mut alert: Box<IncomingAlert>) -> Result<AlertOutcome, IntakeError> {
        let _guard = self.panics.guard();
        let received = self.bodies.read(&mut alert.body).await;
        let mut next = if alert::takes_long(&alert.head.headers, &received.bytes) {
            Box::pin(self.act_on_beside_others(alert, received)).await
        } else {
            self.act_on(*alert, received)
        };
        loop {
            next = match next? {
                Next::Done(outcome) => return Ok(outcome),
                Next::Keep(alert) => Box::pin(self.keep(*alert)).await,
                Next::DryRun(app, trigger) => {
                    let result = Box::pin(self.restarter.dry_run(&app, trigger)).await;
                    return Ok(AlertOutcome::DryRun(app, result));
                }
            };
        }
    }

    /// Writes the log lines that wait for the end of their minute. The process is about to end.
    pub(crate) fn flush_log(&self) {
        self.log.flush();
        self.keys.flush_log();
    }

    /// Acts on an alert whose body takes long to read, on a thread of its own: other alerts must not wait for it.
    async fn act_on_beside_others(
        self: &Arc<Self>,
        alert: Box<IncomingAlert>,
        received: ReceivedBody,
    ) -> Result<Next, IntakeError> {
        // The semaphore is never closed. Alerts that wait when the service is asked to end are not read.
        let _turn = tokio::select! {
            turn = self.long_reads.acquire() => turn.ok(),
            _ = self.restarter.stop().requested() => None,
        };
        let intake = Arc::clone(self);
        // Both belong to a thread: where the log lines go, and the request that they are of.
        let (log, id) = (dispatcher::get_default(Clone::clone), RequestId::current());
        let act_on = move || intake.act_on(*alert, received);
        let act_on = move || dispatcher::with_default(&log, || RequestId::call(id, act_on));
        let acting = tokio::task::spawn_blocking(act_on);
        task::output(acting.await).unwrap_or(Err(IntakeError::Stopping))
    }

    /// Logs why a request with a valid key was not acted on.
    pub(crate) fn log_misdirected(&self, access: &Access, problem: &str) {
        self.log.misdirected(&access.key(&self.keys), problem);
    }

    fn act_on(&self, alert: IncomingAlert, received: ReceivedBody) -> Result<Next, IntakeError> {
        let IncomingAlert { access, params, head, arrived, .. } = alert;
        let (authorized, received) = access.with_body(received, &self.keys).inspect_err(|error| {
            self.keys.log_refusal(&Refusal::new(error.to_string()));
        })?;
        let caller = Caller::new(&authorized, &head.headers, self.keys.secrets());
        if self.restarter.is_stopping() {
            self.log.stopping(authorized.key());
            return Err(IntakeError::Stopping);
        }
        let incomplete = match received.completeness {
            Completeness::Complete => None,
            Completeness::TooLarge => Some(ParseError::TooLarge),
            Completeness::CutOff => Some(ParseError::CutOff),
        };
        let mut alert = Alert::read(&head.headers, query(&head), &received.bytes, incomplete);
        if let Some(error) = alert.error {
            self.log.not_understood(error, authorized.nonce().is_some());
        }
        let unmet = Condition::first_unmet(&params.only_if, &head.headers, query(&head), &received.bytes, incomplete);
        let decision = match Unintended::check(&head) {
            Some(why) => Decision::Ignore(IgnoreReason::Unintended(why)),
            None => decide(&alert, unmet, &params, self.restarter.watched(), arrived, authorized.key())
                .inspect_err(|error| self.log.not_acted_on(authorized.key(), error))?,
        };
        let triggers = match decision {
            Decision::Restart(triggers) => triggers,
            Decision::Ignore(reason) => {
                self.log.ignored(&caller, params.app.as_ref(), &reason.to_string());
                return Ok(Next::Done(self.ignored(&reason, alert.handshake)));
            }
        };
        if let Some(state) = &alert.unknown_state {
            self.log.unknown_state(state);
        }
        if params.dry_run {
            return self.dry_run(triggers, authorized, head.headers);
        }
        if received.completeness == Completeness::CutOff && !alert.deliveries.is_empty() {
            if self.is_repeated(ids(&alert, &authorized, &head, &received.bytes)) {
                self.log.repeated(&caller, params.app.as_ref());
                return Ok(Next::Done(AlertOutcome::Repeated));
            }
            // The sender knows that it did not arrive as a whole, and may deliver it again.
            alert.deliveries.clear();
        }
        if self.restarter.has_database() {
            let ids = ids(&alert, &authorized, &head, &received.bytes).map(|id| digest_of(&id)).collect();
            let app = params.app;
            return Ok(Next::Keep(Box::new(AlertToKeep {
                authorized,
                headers: head.headers,
                app,
                ids,
                triggers,
                dry_run: None,
            })));
        }
        let ids = ids(&alert, &authorized, &head, &received.bytes);
        self.hand_over(ids, triggers, &caller, params.app.as_ref()).map(Next::Done)
    }

    /// Whether this process knows that a delivery with one of these IDs was handed over.
    fn is_repeated<'a>(&self, mut ids: impl Iterator<Item = Id<'a>>) -> bool {
        if self.restarter.has_database() {
            ids.any(|id| self.seen.is_known(digest_of(&id), is_lost))
        } else {
            ids.any(|id| self.seen.is_known(id, is_lost))
        }
    }

    /// Hands over the triggers, unless the alert was delivered before.
    fn hand_over(
        &self,
        ids: impl IntoIterator<Item = impl Hash>,
        triggers: BTreeMap<AppName, Trigger>,
        caller: &Caller<'_>,
        app: Option<&AppName>,
    ) -> Result<AlertOutcome, IntakeError> {
        let mut accepted = Vec::new();
        let is_new = self.seen.insert_new_with(ids, is_lost, || self.trigger(triggers, &mut accepted));
        match is_new {
            Ok(true) => {
                for alert in &accepted {
                    self.log.accepted(caller, alert);
                }
                Ok(AlertOutcome::Triggered(accepted))
            }
            Ok(false) => {
                self.log.repeated(caller, app);
                Ok(AlertOutcome::Repeated)
            }
            Err(Stopping) => {
                self.log.stopping(caller.key());
                Err(IntakeError::Stopping)
            }
        }
    }

    /// Hands over the triggers, and adds to `accepted` what comes of each.
    fn trigger(
        &self,
        triggers: BTreeMap<AppName, Trigger>,
        accepted: &mut Vec<AcceptedAlert>,
    ) -> Result<Arc<[Receipt]>, Stopping> {
        let trigger = |(app, trigger): (AppName, Trigger)| {
            let asked = describe(&trigger);
            let Accepted { receipt, outlook } = self.restarter.trigger(&app, trigger)?;
            accepted.push(AcceptedAlert { app, asked, outlook });
            Ok(receipt)
        };
        triggers.into_iter().map(trigger).collect()
    }

    /// A dry run is of one app. A signed dry run uses up its nonce: the signature need not cover the query, so somebody could
    /// replay the request without `dry_run`.
    fn dry_run(
        &self,
        mut triggers: BTreeMap<AppName, Trigger>,
        authorized: Authorized,
        headers: HeaderMap,
    ) -> Result<Next, IntakeError> {
        match triggers.pop_first() {
            Some((app, trigger)) if triggers.is_empty() => {
                self.log.dry_run(&Caller::new(&authorized, &headers, self.keys.secrets()), &app, &describe(&trigger));
                let nonce = nonce_id(&authorized);
                let dry_run = (app, trigger);
                if nonce.is_none() || !self.restarter.has_database() {
                    return self.note_dry_run(nonce, dry_run);
                }
                let ids = nonce.iter().map(digest_of).collect();
                let (app, dry_run) = (Some(dry_run.0.clone()), Some(dry_run));
                Ok(Next::Keep(Box::new(AlertToKeep { authorized, headers, app, ids, triggers, dry_run })))
            }
            _ => {
                let error = ParamError::no_app(self.restarter.watched());
                self.log.not_acted_on(authorized.key(), &error);
                Err(error.into())
            }
        }
    }

    fn ignored(&self, reason: &IgnoreReason, handshake: Option<Handshake>) -> AlertOutcome {
        match handshake {
            Some(Handshake::Answer(field, value)) => return AlertOutcome::Answered(field, value),
            Some(Handshake::OpenUrl(url)) => self.log.unconfirmed(url),
            None => {}
        }
        AlertOutcome::Ignored(format!("Ignored: {reason}"))
    }
}

fn describe(trigger: &Trigger) -> String {
    let force = if trigger.force { " (force=true)" } else { "" };
    trigger.target.describe() + force
}

/// Whether the pass of one of these triggers could not act on it. The same alert, delivered again, is then acted on.
fn is_lost(receipts: &Arc<[Receipt]>) -> bool {
    receipts.iter().any(Receipt::was_lost)
}
