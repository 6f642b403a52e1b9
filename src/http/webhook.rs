//! An alert, from its head to what comes of it. It is never lost: when its sender goes away before all of it has come, it
//! counts as an alert that says nothing more. And it counts once, however often it is delivered.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use tracing::{debug, info, warn};

use crate::alert::{self, Alert};
use crate::http::auth::signature::Signed;
use crate::http::decision::Verdict;
use crate::http::params::{self, Request};
use crate::restart::{AppName, Restarter, Stopping, Trigger};
use crate::util::dedup::Recent;
use crate::util::log_throttle::{Sparing, since_last_told};
use crate::util::text::list;

/// Hears alerts, and knows which have come before.
#[derive(Debug)]
pub struct Hearings {
    restarter: Restarter,
    /// Each counts once.
    deliveries: Recent,
    nonces: Recent,
    not_understood: Sparing,
}

/// An alert that is being heard.
#[derive(Debug)]
pub struct Hearing<'a> {
    hearings: &'a Hearings,
    head: &'a Parts,
    request: Request,
    signed: Option<Signed>,
    is_open: bool,
}

/// What has come of an alert.
#[derive(Debug)]
pub enum Conclusion {
    /// Dynos of these apps are restarted.
    Restarting(String),
    /// It came before.
    Repeated,
    /// Nothing is restarted, and why.
    Ignoring(String),
    /// Somebody wants to know what would be restarted.
    DryRun(AppName, Trigger),
}

/// Why nothing has come of an alert.
#[derive(Debug)]
pub enum NotHeard {
    /// Neither the URL nor the alert says which app.
    Fault(params::Fault),
    /// The service is being shut down.
    Stopping,
}

impl Hearings {
    /// For the apps of this restarter.
    #[must_use]
    pub fn new(restarter: Restarter) -> Self {
        Self { restarter, deliveries: Recent::default(), nonces: Recent::default(), not_understood: Sparing::default() }
    }

    /// Begins with what is known before the body has come. From here on the alert cannot be lost.
    #[must_use]
    pub fn open<'a>(&'a self, head: &'a Parts, request: Request, signed: Option<Signed>) -> Hearing<'a> {
        Hearing { hearings: self, head, request, signed, is_open: true }
    }
}

impl Hearing<'_> {
    /// Whether this is the body that was signed, if anything was.
    #[must_use]
    pub fn is_of_the_signer(&self, body: &[u8]) -> bool {
        self.signed.as_ref().is_none_or(|signed| signed.vouches_for(body))
    }

    /// It is no alert of anybody who may send one.
    pub fn dismiss(mut self) {
        self.is_open = false;
    }

    /// Reads the body, or what there is of it, and does what follows; does not wait.
    ///
    /// # Errors
    /// When it is not clear which app is meant, or the service is being shut down.
    pub fn conclude(mut self, body: &[u8], incomplete: Option<alert::Fault>) -> Result<Conclusion, NotHeard> {
        self.draw(body, incomplete)
    }

    fn draw(&mut self, body: &[u8], incomplete: Option<alert::Fault>) -> Result<Conclusion, NotHeard> {
        self.is_open = false;
        let Hearings { restarter, deliveries, nonces, not_understood } = self.hearings;
        if restarter.is_stopping() && !self.request.dry_run {
            return Err(NotHeard::Stopping);
        }
        if !nonces.are_new(self.signed.take().map(|signed| signed.nonce)) {
            return Ok(Conclusion::Repeated);
        }
        let query = self.head.uri.query().unwrap_or_default();
        let alert = Alert::read(&self.head.headers, query, body, incomplete);
        if let Some(fault) = alert.fault.filter(|_| !self.request.dry_run)
            && let Some(count) = not_understood.count()
        {
            let such = since_last_told(count);
            warn!(
                "the body of an alert was not understood: {fault}{such}. It counts as an alert that says no more than its URL"
            );
        }
        let triggers = match Verdict::on(&alert, &self.request, restarter).map_err(NotHeard::Fault)? {
            Verdict::Restart(triggers) => triggers,
            Verdict::Ignore(ignored) => {
                let about = self.request.app.as_ref().map(|app| format!(" for {app}")).unwrap_or_default();
                info!("an alert{about} was ignored: {ignored}");
                return Ok(Conclusion::Ignoring(format!("Ignored: {ignored}")));
            }
        };
        if self.request.dry_run {
            return self.rehearsal(triggers);
        }
        if !deliveries.are_new(alert.deliveries.iter().map(|delivery| format!("{delivery}?{query}"))) {
            debug!("an alert was delivered once more");
            return Ok(Conclusion::Repeated);
        }
        let apps = list(triggers.keys());
        for (app, trigger) in triggers {
            debug!(%app, "alert for {app}");
            restarter.trigger(&app, trigger).map_err(|Stopping| NotHeard::Stopping)?;
        }
        Ok(Conclusion::Restarting(apps))
    }

    /// Of one app; who watches several says which.
    fn rehearsal(&self, mut triggers: BTreeMap<AppName, Trigger>) -> Result<Conclusion, NotHeard> {
        match triggers.pop_first() {
            Some((app, trigger)) if triggers.is_empty() => Ok(Conclusion::DryRun(app, trigger)),
            _ => Err(NotHeard::Fault(params::Fault::no_app(&self.hearings.restarter))),
        }
    }
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        if self.is_open && !self.request.dry_run {
            match self.draw(&[], Some(alert::Fault::CutOff)) {
                Ok(_) => {}
                // Nobody is left to be answered.
                Err(NotHeard::Fault(fault)) => warn!("an alert whose sender went away was not acted on: {fault}"),
                Err(NotHeard::Stopping) => warn!("an alert whose sender went away came too late to be acted on"),
            }
        }
    }
}
