//! Looks at an app apart from passes: at the start, for a dry run, and when nobody has looked for long.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use super::Worker;
use crate::heroku::{Error, Listing, TokenScope};
use crate::restart::event::{Action, Event, Note};
use crate::restart::fleet::{Look, elapsed};
use crate::restart::news::News;
use crate::restart::pass_log::warn_of_unreadable;
use crate::restart::queue::DryRunRequest;
use crate::restart::report::{DryRun, End, Report};
use crate::restart::rollout::Rollout;
use crate::restart::target::MergedTarget;
use crate::util::ordered::CollectOrdered;
use crate::util::text::list;

/// When nobody has looked at an app for this long, its task does so by itself.
const LONGEST_WITHOUT_LOOK: Duration = Duration::from_secs(10 * 60);

/// The same while alerts cannot lead to restarts: a person waits for the news that they can again.
const LONGEST_WITHOUT_LOOK_IN_TROUBLE: Duration = Duration::from_secs(60);

/// While the allowance of idle calls is used up, a dry run stands on the last list, if that is no older than this.
const RECENT: Duration = Duration::from_secs(60);

impl Worker {
    /// Looks once, so that a mistake in the set-up shows at the start and not at the first alert.
    pub(super) async fn introduce(&mut self) {
        let app = &self.name.clone();
        let asked = self.clock.now();
        let listing = self.client.dynos(app).await;
        if let Err(cause) = &listing {
            self.app.view().failed(cause, asked);
        }
        match listing {
            Ok(listing) => {
                self.tell_what_is_watched(&listing);
                self.keep_unjudged(Look::new(listing, asked, self.clock.now(), self.client.remaining()));
            }
            Err(cause) if !cause.is_transient() => {
                error!(%app, "cannot watch {app}: {}", End::Api(cause.clone()));
                self.publish(|| News::CannotWatch { app: app.clone(), cause });
            }
            Err(cause) => warn!(%app, "cannot list the dynos of {app} yet: {cause}; alerts are accepted all the same"),
        }
    }

    fn tell_what_is_watched(&self, listing: &Listing) {
        let (app, dynos) = (&self.name, &listing.dynos);
        let up = self.policy.process_types.iter().map(|process_type| {
            let up = dynos.iter().filter(|dyno| dyno.process_type == *process_type && dyno.is_up()).count();
            format!("{up} {process_type} {} up", if up == 1 { "dyno" } else { "dynos" })
        });
        info!(%app, "watching {app}: {}", list(up));
        let there: BTreeSet<_> = dynos.iter().map(|dyno| &dyno.process_type).collect_ordered();
        for process_type in self.policy.process_types.iter().filter(|process_type| !there.contains(process_type)) {
            let there = if there.is_empty() { "none at all".to_owned() } else { list(&there) };
            warn!(%app, "{app} has no {process_type} dynos (it has: {there}); check PROCESS_TYPES");
        }
        warn_of_unreadable(app, listing.unreadable);
        if let Some(scope) = &listing.scope {
            self.check_scope(scope);
        }
    }

    /// `write` is needed, and nothing more.
    fn check_scope(&self, scope: &str) {
        let app = &self.name;
        match TokenScope::of(scope) {
            TokenScope::Global => {
                warn!(%app, "RESTART_API_KEY has the scope global, which reaches far more than restarts; write is enough");
            }
            TokenScope::Write => {}
            TokenScope::TooSmall => error!(
                %app,
                "RESTART_API_KEY can list the dynos of {app} but not restart them: its scope is {scope}; make a new token with \
                 `heroku authorizations:create -s write -S`"
            ),
        }
    }

    /// When to look although nobody asks, unless something else happens.
    pub(super) fn look_at(&self) -> Instant {
        let is_on_hold = self.may_judge() && self.state.history.hold().is_some();
        let is_in_trouble = is_on_hold || self.app.view().trouble().is_some();
        let pause = if is_in_trouble { LONGEST_WITHOUT_LOOK_IN_TROUBLE } else { LONGEST_WITHOUT_LOOK };
        let at = Instant::now() + pause;
        self.state.pace.ready_at().map_or(at, |ready_at| ready_at.max(at))
    }

    /// Looks apart from a pass, and logs what that changes: a revoked token or a renamed app shows before the night in which
    /// it matters, and the end of a hold without another alert. `None` if the service is asked to end meanwhile.
    pub(super) async fn look(&mut self) -> Option<Result<(), Error>> {
        let app = self.name.clone();
        let trouble = self.app.view().trouble().cloned();
        let is_known =
            |cause: &Error| trouble.as_ref().is_some_and(|trouble| trouble.remedy.as_deref() == cause.remedy());
        let stop = self.stop.clone();
        let looked = tokio::select! {
            biased;
            _ = stop.requested() => return None,
            looked = self.observe() => looked,
        };
        match &looked {
            // A call that failed before for another reason does not hide this one.
            Err(cause) if is_known(cause) => debug!(%app, "still cannot list the dynos of {app}: {cause}"),
            Err(cause) if !cause.is_transient() => {
                error!(event = "not_ready", %app, "cannot restart dynos of {app}: {}", End::Api(cause.clone()));
                self.publish(|| News::CannotWatch { app, cause: cause.clone() });
            }
            Err(cause) => warn!(event = "not_ready", %app, "cannot list the dynos of {app}: {cause}"),
            Ok(notes) => {
                if trouble.is_some() {
                    info!(event = "ready", %app, "the dynos of {app} can be listed again");
                }
                if trouble.is_some() || !notes.is_empty() {
                    self.publish(|| News::Look { app, notes: notes.clone() });
                }
            }
        }
        Some(looked.map(drop))
    }

    /// Lists the dynos, and concludes from the list what a pass concludes before its first restart. Returns what alerts lead
    /// to from now on. Only a process that may make passes concludes anything.
    async fn observe(&mut self) -> Result<Vec<Note>, Error> {
        let turn = self.app.turn.clone();
        let held = turn.as_ref().and_then(|turn| turn.held());
        if !self.may_judge() {
            let look = self.list().await?;
            self.keep_unjudged(look);
            return Ok(Vec::new());
        }
        self.adopt_learned();
        let before = self.state.history.clone();
        let nothing = MergedTarget::default();
        let mut rollout =
            Rollout::new(self.name.clone(), self.policy.clone(), nothing, 0, before.clone(), self.clock.now());
        let mut event = Event::Time;
        loop {
            event = match rollout.step(event, self.clock.now()) {
                Action::Look => Event::Looked(Ok(self.list().await?)),
                Action::AskFormation(process_type) => {
                    self.state.pace.count(1, Instant::now());
                    match self.client.quantity(&self.name, &process_type).await {
                        Err(error) if !matches!(error, Error::NotFound(_)) => {
                            self.app.view().failed(&error, self.clock.now());
                            return Err(error);
                        }
                        quantity => Event::Formation(process_type, quantity),
                    }
                }
                Action::WaitUntil(time) => {
                    tokio::time::sleep_until(self.clock.instant(time)).await;
                    Event::Time
                }
                // Nothing is due, so nothing is restarted.
                Action::Done(_) | Action::Restart(_) => break,
            };
        }
        let notes: Vec<Note> = rollout.take_notes().into_iter().filter(Note::outlasts_pass).collect();
        self.app.view().noted(&notes, self.clock.now());
        self.state.log.write(&self.name, &notes);
        let look = rollout.last_look().cloned();
        self.state.history = rollout.into_history();
        if let Some(look) = look {
            self.keep_look(look);
        }
        self.state.is_history_unwritten |= self.state.history.differs_from(&before);
        if let Some(turn) = turn.filter(|_| self.state.is_history_unwritten) {
            if let Some(held) = held {
                let is_written = turn.keep_history(&held, &self.state.history, &self.app.holder_status()).await;
                self.state.is_history_unwritten = !is_written;
            } else {
                self.state.was_alone = true;
            }
        }
        Ok(notes)
    }

    /// Whether this process may conclude anything from a look: with a database, only if it may make passes.
    fn may_judge(&self) -> bool {
        self.app.turn.as_ref().is_none_or(|turn| turn.may_begin())
    }

    /// Lists the dynos, within the allowance of idle calls.
    async fn list(&mut self) -> Result<Look, Error> {
        let began = Instant::now();
        let look = self.app.look(&self.name, &self.client, self.clock).await;
        self.state.pace.count(look.as_ref().map_or(1, |look| look.calls), began);
        look
    }

    /// Remembers a look without drawing conclusions from it.
    fn keep_unjudged(&mut self, mut look: Look) {
        self.state.history.remember(&mut look);
        self.keep_look(look);
    }

    fn keep_look(&mut self, look: Look) {
        let history = Some(&self.state.history).filter(|_| self.may_judge());
        self.app.view().looked(&look, history);
        self.state.last_look = Some(look);
    }

    pub(super) async fn dry_run(&mut self, requests: Vec<DryRunRequest>) {
        self.adopt_learned();
        let began_at = self.clock.now();
        let end = self.look_for_dry_run().await.err().map(|error| End::Api(*error));
        let now = self.clock.now();
        for DryRunRequest { asked, answer } in requests {
            let look = self.state.last_look.as_ref().filter(|_| end.is_none());
            let judge = |look| self.policy.judge_all(look, &asked, &self.state.history);
            let report = Report {
                app: self.name.clone(),
                began_at,
                took: elapsed(began_at, now),
                alerts: 1,
                senders: BTreeSet::new(),
                calls: 0,
                restarts: 0,
                dynos: look.map(judge).unwrap_or_default(),
                end: end.clone(),
            };
            let age = look.map(|look| elapsed(look.answered, now)).unwrap_or_default();
            // The caller may have gone.
            drop(answer.send(DryRun { report, age }));
        }
    }

    /// Looks, unless the allowance of idle calls is used up: then a dry run stands on the last look, a few seconds old.
    async fn look_for_dry_run(&mut self) -> Result<(), Box<Error>> {
        let is_recent = |look: &Look| elapsed(look.answered, self.clock.now()) < RECENT;
        if !self.state.pace.is_ready() && self.state.last_look.as_ref().is_some_and(is_recent) {
            return Ok(());
        }
        self.look().await.unwrap_or(Ok(())).map_err(Box::new)
    }
}
