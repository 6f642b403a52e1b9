//! The driver of a pass: does what the rollout says, and tells it what came of it. All waiting of a pass is here.

use super::event::{Action, Event, Note};
use super::fleet::Look;
use super::pass_log::PassLog;
use super::report::Report;
use super::rollout::Rollout;
use super::status::WhatHappened;
use super::worker::SharedApp;
use crate::heroku::{AppName, Client, Error};
use crate::shutdown::Stop;
use crate::util::clock::Clock;

/// What a pass needs.
pub(super) struct Driver<'a> {
    pub(super) app: &'a AppName,
    pub(super) client: &'a Client,
    pub(super) clock: Clock,
    pub(super) stop: &'a Stop,
    pub(super) shared: &'a SharedApp,
}

impl Driver<'_> {
    /// Makes the pass. The notes are those that still matter when it has ended.
    pub(super) async fn run(&self, rollout: &mut Rollout, log: &mut PassLog) -> (Report, Vec<Note>) {
        let (mut event, mut notes) = (Event::Time, Vec::new());
        loop {
            let action = rollout.step(event, self.clock.now());
            for note in rollout.take_notes() {
                if let Note::Hold(dyno, _) = &note {
                    self.shared.view().happened(dyno, WhatHappened::Failed, self.clock.now());
                }
                notes.extend(note.outlasts_pass().then(|| note.clone()));
                log.write(self.app, note);
            }
            let next = if let Action::WaitUntil(time) = &action { Some(*time) } else { None };
            self.shared.view().stepped(rollout, next);
            let deadline = rollout.deadline();
            event = match action {
                Action::Done(report) => return (report, notes),
                // Never abandoned half-way: nobody would know whether it took effect.
                Action::Restart(dyno) => {
                    let answer = self.client.restart(self.app, &dyno).await;
                    if answer.is_ok() {
                        self.shared.view().happened(&dyno, WhatHappened::Restarted, self.clock.now());
                    }
                    Event::Restarted(answer)
                }
                Action::Look => self.interruptible(deadline, async { Event::Looked(self.look().await) }).await,
                Action::AskFormation(process_type) => {
                    let ask = async {
                        let quantity = self.client.quantity(self.app, &process_type).await;
                        Event::Formation(process_type, quantity)
                    };
                    self.interruptible(deadline, ask).await
                }
                Action::WaitUntil(time) => {
                    let wait = async {
                        tokio::time::sleep_until(self.clock.instant(time)).await;
                        Event::Time
                    };
                    self.interruptible(deadline, wait).await
                }
            };
        }
    }

    /// Lists the dynos.
    pub(super) async fn look(&self) -> Result<Look, Error> {
        let asked = self.clock.now();
        let listing = self.client.dynos(self.app).await;
        match &listing {
            Ok(_) => self.shared.view().answered(),
            Err(error) => self.shared.view().failed(error, asked),
        }
        Ok(Look::new(listing?, asked, self.clock.now(), self.client.remaining()))
    }

    /// Work that ends early when the service is asked to end or, once that is known, at the deadline.
    async fn interruptible(&self, deadline: Option<jiff::Timestamp>, work: impl Future<Output = Event>) -> Event {
        let interrupted = async {
            match deadline {
                None => Event::StopRequested(self.clock.time(self.stop.requested().await)),
                Some(deadline) => {
                    tokio::time::sleep_until(self.clock.instant(deadline)).await;
                    Event::Time
                }
            }
        };
        tokio::select! {
            biased;
            event = interrupted => event,
            event = work => event,
        }
    }
}
