//! With a database: an alert is written there before it is answered.

use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::Arc;

use axum::http::HeaderMap;

use super::{AlertIntake, AlertOutcome, IntakeError, Next, describe, is_lost};
use crate::http::alert_log::AcceptedAlert;
use crate::http::auth::Authorized;
use crate::http::caller::Caller;
use crate::restart::{AppName, Kept, Trigger};
use crate::store::DeliveryId;

/// An alert that is to be written to the database.
pub(super) struct AlertToKeep {
    pub(super) authorized: Authorized,
    pub(super) headers: HeaderMap,
    /// The app that the URL names.
    pub(super) app: Option<AppName>,
    pub(super) ids: Vec<DeliveryId>,
    pub(super) triggers: BTreeMap<AppName, Trigger>,
    /// What a dry run asks for. Then only the ids are written.
    pub(super) dry_run: Option<(AppName, Trigger)>,
}

impl AlertIntake {
    /// Writes what an alert asks for to the database. Where that is away, the alert is handed over as without a database.
    pub(super) async fn keep(&self, alert: AlertToKeep) -> Result<Next, IntakeError> {
        let AlertToKeep { authorized, headers, app, ids, triggers, dry_run } = alert;
        let kept = self.restarter.keep(ids.clone(), &triggers).await;
        let caller = Caller::new(&authorized, &headers, self.keys.secrets());
        match (kept, dry_run) {
            (Kept::New, Some((app, trigger))) => Ok(Next::DryRun(app, trigger)),
            (Kept::InMemoryOnly, Some(dry_run)) => self.note_dry_run(ids, dry_run),
            (kept, _) => self.kept(kept, ids, triggers, &caller, app.as_ref()).map(Next::Done),
        }
    }

    fn kept(
        &self,
        kept: Kept,
        ids: Vec<DeliveryId>,
        triggers: BTreeMap<AppName, Trigger>,
        caller: &Caller<'_>,
        app: Option<&AppName>,
    ) -> Result<AlertOutcome, IntakeError> {
        match kept {
            Kept::New => {
                // For the time when the database is away.
                let act = || Ok::<_, std::convert::Infallible>(Arc::default());
                self.seen.insert_new_with(ids, |_| false, act).ok();
                let accept = |(app, trigger): (AppName, Trigger)| {
                    let outlook = self.restarter.outlook(&app, trigger.force);
                    let alert = AcceptedAlert { app, asked: describe(&trigger), outlook };
                    self.log.accepted(caller, &alert);
                    alert
                };
                Ok(AlertOutcome::Triggered(triggers.into_iter().map(accept).collect()))
            }
            Kept::Repeated => {
                self.log.repeated(caller, app);
                Ok(AlertOutcome::Repeated)
            }
            Kept::InMemoryOnly => self.hand_over(ids, triggers, caller, app),
        }
    }

    /// A dry run uses up its nonce.
    pub(super) fn note_dry_run(
        &self,
        ids: impl IntoIterator<Item = impl Hash>,
        (app, trigger): (AppName, Trigger),
    ) -> Result<Next, IntakeError> {
        let act = || Ok::<_, IntakeError>(Arc::default());
        let is_new = self.seen.insert_new_with(ids, is_lost, act)?;
        Ok(if is_new { Next::DryRun(app, trigger) } else { Next::Done(AlertOutcome::Repeated) })
    }
}
