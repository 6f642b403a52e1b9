//! The driver of a pass: does what the rollout says, and tells it what came of it.

use jiff::Timestamp;

use super::event::{Action, Event, Note};
use super::pass_in_hand::{MayRestart, PassInHand};
use super::pass_log::PassLog;
use super::report::Report;
use super::rollout::Rollout;
use super::worker::SharedApp;
use crate::heroku::{AppName, Client, DynoName, ProcessType};
use crate::shutdown::Stop;
use crate::util::clock::Clock;

/// What a pass needs.
pub(super) struct Driver<'a> {
    pub(super) app: &'a AppName,
    pub(super) client: &'a Client,
    pub(super) clock: Clock,
    pub(super) stop: &'a Stop,
    pub(super) shared: &'a SharedApp,
    pub(super) in_hand: PassInHand<'a>,
}

/// How a pass ended here.
pub(super) enum Ended {
    /// It is over. The notes are those that still matter.
    Over(Box<Report>, Vec<Note>),
    /// Another restarter goes on with it.
    LeftToAnother,
}

impl Driver<'_> {
    /// Makes the pass, from this event on, which happened at this time.
    pub(super) async fn run(mut self, rollout: &mut Rollout, first: (Event, Timestamp), log: &mut PassLog) -> Ended {
        let ((mut event, mut at), mut notes) = (first, Vec::new());
        loop {
            if self.in_hand.is_left_to_another(&event, rollout).await {
                return Ended::LeftToAnother;
            }
            rollout.know_restarts(self.shared.view().latest_restarts());
            let action = rollout.step(event, at);
            let new_notes = rollout.take_notes();
            self.shared.view().stepped(rollout, &new_notes, &action, self.clock.now());
            log.write(self.app, &new_notes);
            notes.extend(new_notes.into_iter().filter(Note::outlasts_pass));
            event = match action {
                Action::Done(report) => return Ended::Over(Box::new(report), notes),
                // Never abandoned half-way: nobody would know whether it took effect.
                Action::Restart(dyno) => match self.in_hand.may_restart(rollout).await {
                    MayRestart::Yes => self.restart(&dyno).await,
                    MayRestart::After(pause) => Event::Postponed(pause),
                    MayRestart::Never => return Ended::LeftToAnother,
                },
                Action::Look => self.interruptible(rollout.deadline(), self.look()).await,
                Action::AskFormation(of) => self.interruptible(rollout.deadline(), self.ask_formation(of)).await,
                Action::WaitUntil(time) => self.interruptible(rollout.deadline(), self.wait_until(time)).await,
            };
            at = self.clock.now();
        }
    }

    async fn restart(&self, dyno: &DynoName) -> Event {
        let answer = self.client.restart(self.app, dyno).await;
        if answer.is_ok() {
            self.shared.restarted(dyno, self.clock.now());
        }
        Event::Restarted(answer)
    }

    async fn look(&self) -> Event {
        Event::Looked(self.shared.look(self.app, self.client, self.clock).await)
    }

    async fn ask_formation(&self, of: ProcessType) -> Event {
        Event::Formation(of.clone(), self.client.quantity(self.app, &of).await)
    }

    async fn wait_until(&self, time: Timestamp) -> Event {
        tokio::time::sleep_until(self.clock.instant(time)).await;
        Event::Time
    }

    /// Work that ends early when the service is asked to end or, once that is known, at the deadline.
    async fn interruptible(&self, deadline: Option<Timestamp>, work: impl Future<Output = Event>) -> Event {
        let interrupted = async {
            match deadline {
                None => Event::StopRequested(self.clock.time(self.stop.requested().await)),
                Some(deadline) => self.wait_until(deadline).await,
            }
        };
        tokio::select! {
            biased;
            event = interrupted => event,
            () = self.in_hand.lost() => Event::Time,
            event = work => event,
        }
    }
}
