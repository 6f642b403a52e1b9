//! Receives one alert: reads its body, decides what it leads to, and hands that over to the restarter.
//!
//! An accepted alert is never lost: if its body is cut off, it counts as an alert that says nothing beyond its head. And an
//! alert that is delivered several times counts once. With a database, `keeping` writes it there first.

mod keeping;

use std::collections::BTreeMap;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tracing::{dispatcher, info, warn};

use super::alert_log::{AcceptedAlert, AlertLog};
use super::auth::signature::SignatureError;
use super::auth::{Access, Authorized, Keys, Refusal};
use super::body::{BodyReader, Completeness, ReceivedBody};
use super::caller::Caller;
use super::decision::{Decision, IgnoreReason, decide};
use super::params::{ParamError, RestartParams};
use super::unintended::Unintended;
use keeping::{AlertToKeep, digest_of};

use crate::alert::{self, Alert, Condition, Handshake, UnknownState};
use crate::restart::{Accepted, AppName, Receipt, Restarter, Stopping, Trigger};
use crate::util::dedup::SeenIds;
use crate::util::log_throttle::LogThrottle;
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
    not_understood: LogThrottle<alert::ParseError>,
    misdirected: LogThrottle<String>,
    log_drains: LogThrottle<()>,
}

/// An alert whose head was accepted. Its body has not been read yet.
#[derive(Debug)]
pub(crate) struct IncomingAlert {
    pub(crate) access: Access,
    pub(crate) params: RestartParams,
    pub(crate) head: Parts,
    pub(crate) arrived: Instant,
}

/// What became of an alert.
#[derive(Debug)]
pub(crate) enum AlertOutcome {
    /// The apps whose dynos are restarted, each with what comes of the alert now.
    Triggered(Vec<AcceptedAlert>),
    /// The alert was delivered before.
    Repeated,
    /// Nothing is restarted, for this reason.
    Ignored(String),
    /// The sender asks whether this is the right address, and expects this field with this value.
    Answered(&'static str, String),
    /// The alert asks what would be restarted for it.
    DryRun(AppName, Trigger),
}

/// What comes next for an alert whose body was read.
enum Next {
    Told(AlertOutcome),
    /// It is to be written to the database.
    Keep(Box<AlertToKeep>),
}

/// Why an alert was not acted on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntakeError {
    /// Neither the URL nor the alert names one of the watched apps.
    #[error(transparent)]
    Params(#[from] ParamError),
    /// The body is not the one that was signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The service is being shut down.
    #[error("the service is being shut down")]
    Stopping,
}

impl AlertIntake {
    pub(crate) fn new(restarter: Restarter, keys: Keys) -> Self {
        Self {
            restarter,
            log: AlertLog::new(keys.recent().clone()),
            keys,
            bodies: BodyReader::default(),
            long_reads: Semaphore::new(LONG_READS),
            seen: SeenIds::default(),
            not_understood: LogThrottle::default(),
            misdirected: LogThrottle::default(),
            log_drains: LogThrottle::default(),
        }
    }

    /// Reads the body, or what arrives of it, and acts on the alert. Errors are logged.
    pub(crate) async fn receive(
        self: &Arc<Self>,
        alert: IncomingAlert,
        body: Body,
    ) -> Result<AlertOutcome, IntakeError> {
        let key = alert.access.key(&self.keys);
        let received = self.bodies.read(body).await;
        let completeness = received.completeness;
        let result = if alert::takes_long(&alert.head.headers, &received.bytes) {
            self.act_on_beside_others(alert, received).await
        } else {
            self.act_on(alert, received)
        };
        let result = match result {
            Ok(Next::Told(outcome)) => Ok(outcome),
            Ok(Next::Keep(alert)) => self.keep(*alert).await,
            Err(error) => Err(error),
        };
        match &result {
            Err(IntakeError::Params(error)) => {
                self.log_misdirected(&key, format_args!("an alert was not acted on: {error}"));
            }
            Err(IntakeError::Signature(error)) => self.keys.log_refusal(&Refusal::new(error.to_string())),
            Err(IntakeError::Stopping) if completeness == Completeness::CutOff => {
                warn!("an alert was not acted on: the service is being shut down, and its sender may be gone");
            }
            Err(IntakeError::Stopping) | Ok(_) => {}
        }
        result
    }

    /// Acts on an alert whose body takes long to read, on a thread of its own: other alerts must not wait for it.
    async fn act_on_beside_others(
        self: &Arc<Self>,
        alert: IncomingAlert,
        received: ReceivedBody,
    ) -> Result<Next, IntakeError> {
        // The semaphore is never closed.
        let _turn = self.long_reads.acquire().await;
        let intake = Arc::clone(self);
        // Both belong to a thread: where the log lines go, and the request that they are of.
        let (log, id) = (dispatcher::get_default(Clone::clone), RequestId::current());
        let act_on = move || intake.act_on(alert, received);
        let act_on = move || dispatcher::with_default(&log, || RequestId::call(id, act_on));
        let acting = tokio::task::spawn_blocking(act_on);
        task::output(acting.await).unwrap_or(Err(IntakeError::Stopping))
    }

    /// Logs why a request with a valid key was not acted on: its sender may ignore the response, but somebody set it up.
    pub(crate) fn log_misdirected(&self, key: &str, problem: fmt::Arguments<'_>) {
        let problem = problem.to_string();
        self.keys.recent().add("not acted on", None, key, &problem);
        self.misdirected.log(&problem, |problem, times| {
            warn!(count = times.count(), "{problem}{times}. Correct the URL that the sender calls");
        });
    }

    /// Logs that a log drain has the URL for alerts: Heroku ignores the response.
    pub(crate) fn log_log_drain(&self, key: &str) {
        self.keys.recent().add("not acted on", None, key, "a log drain delivers to /restart_web_dynos");
        self.log_drains.log(&(), |(), times| {
            warn!(
                count = times.count(),
                "a log drain delivers to /restart_web_dynos, and nothing is restarted for it{times}. Remove it with `heroku \
                 drains:remove` and add it with the right URL: heroku drains:add \"https://drain:KEY@HOST/drain\" -a APP"
            );
        });
    }

    fn act_on(&self, alert: IncomingAlert, received: ReceivedBody) -> Result<Next, IntakeError> {
        let IncomingAlert { access, params, head, arrived } = alert;
        let (authorized, received) = access.with_body(received, &self.keys)?;
        let caller = Caller::new(&authorized, &head.headers, self.keys.secrets());
        if self.restarter.is_stopping() && !params.dry_run {
            return Err(IntakeError::Stopping);
        }
        let alert = self.read(&head, &received, &params);
        if alert.asks_for_dry_run && !params.dry_run {
            return Err(ParamError::DryRunInBody.into());
        }
        let unmet = Condition::first_unmet(&params.only_if, &head.headers, query(&head), &received.bytes);
        let decision = match Unintended::check(&head) {
            Some(why) => Decision::Ignore(IgnoreReason::Unintended(why)),
            None => decide(&alert, unmet, &params, self.restarter.watched(), arrived, authorized.key())?,
        };
        let triggers = match decision {
            Decision::Restart(triggers) => triggers,
            Decision::Ignore(reason) => {
                let reason = reason.to_string();
                self.log.ignored(&caller, params.app.as_ref(), &reason);
                match alert.handshake {
                    Some(Handshake::Answer(field, value)) => {
                        return Ok(Next::Told(AlertOutcome::Answered(field, value)));
                    }
                    Some(Handshake::OpenUrl(url)) => warn!("to receive alerts, confirm the subscription: open {url}"),
                    None => {}
                }
                return Ok(Next::Told(AlertOutcome::Ignored(format!("Ignored: {reason}"))));
            }
        };
        if let Some(state @ UnknownState { field, word }) = &alert.unknown_state {
            let only_if = state.only_if();
            info!(
                "an alert says {word} in its field {field}, a word that is not known: it counts as trouble. To decide by \
                 this field, add {only_if} to the URL, with every word that means trouble"
            );
        }
        if params.dry_run {
            return self.dry_run(triggers, authorized, head.headers);
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
        self.hand_over(ids, triggers, &caller, params.app.as_ref()).map(Next::Told)
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
            Err(Stopping) => Err(IntakeError::Stopping),
        }
    }

    fn read(&self, head: &Parts, received: &ReceivedBody, params: &RestartParams) -> Alert {
        let incomplete = match received.completeness {
            Completeness::Complete => None,
            Completeness::TooLarge => Some(alert::ParseError::TooLarge),
            Completeness::CutOff => Some(alert::ParseError::CutOff),
        };
        let alert = Alert::read(&head.headers, query(head), &received.bytes, incomplete);
        if let Some(error) = alert.error.filter(|_| !params.dry_run) {
            self.not_understood.log(&error, |error, times| {
                let sentence = "What stands in front of the fault counts";
                warn!(count = times.count(), "the body of an alert was not understood: {error}{times}. {sentence}");
            });
        }
        alert
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
                    return self.note_dry_run(nonce, dry_run).map(Next::Told);
                }
                let ids = nonce.iter().map(digest_of).collect();
                let (app, dry_run) = (Some(dry_run.0.clone()), Some(dry_run));
                Ok(Next::Keep(Box::new(AlertToKeep { authorized, headers, app, ids, triggers, dry_run })))
            }
            _ => Err(ParamError::no_app(self.restarter.watched()).into()),
        }
    }
}

fn describe(trigger: &Trigger) -> String {
    let force = if trigger.force { " (force=true)" } else { "" };
    trigger.target.describe() + force
}

/// An ID, the query that it counts together with, and the body that it counts together with.
type Id<'a> = (&'a str, &'a str, &'a [u8]);

/// The IDs of a delivery. If one of them was seen before, the delivery is repeated.
///
/// A sender may use one ID for several of its webhooks, so an ID counts together with the query. A mere sequence number
/// may start again with each incident, so it counts together with the body, too.
fn ids<'a>(
    alert: &'a Alert,
    authorized: &'a Authorized,
    head: &'a Parts,
    body: &'a [u8],
) -> impl Iterator<Item = Id<'a>> {
    let deliveries = alert.deliveries.iter().map(move |id| {
        let body = if id.starts_with("sequence/") { body } else { &[] };
        (id.as_str(), query(head), body)
    });
    deliveries.chain(nonce_id(authorized))
}

fn nonce_id(authorized: &Authorized) -> Option<Id<'_>> {
    // The IDs of alerts begin with a name and a slash, so no nonce equals one of them.
    authorized.nonce().map(|nonce| ("nonce", nonce, &[][..]))
}

/// Whether the pass of one of these triggers could not act on it. The same alert, delivered again, is then acted on.
fn is_lost(receipts: &Arc<[Receipt]>) -> bool {
    receipts.iter().any(Receipt::was_lost)
}

fn query(head: &Parts) -> &str {
    head.uri.query().unwrap_or_default()
}
