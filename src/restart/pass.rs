//! The driver of a pass: does what the rollout says, and tells it what came of it. All waiting of a pass is here.

use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::event::{Action, Event, Note};
use super::pass_in_hand::{MayRestart, PassInHand};
use super::pass_log::PassLog;
use super::report::Report;
use super::rollout::Rollout;
use super::status::WhatHappened;
use super::worker::SharedApp;
use crate::heroku::{AppName, Client, DynoName, Error};
use crate::shutdown::Stop;
use crate::util::clock::Clock;

/// What a pass needs.
pub(super) struct Driver<'a> {
    pub(super) app: &'a AppName,
    pub(super) client: &'a Client,
    pub(super) clock: Clock,
    pub(super) stop: &'a Stop,
    pub(super) shared: &'a SharedApp,
    /// Where the pass is written down, if there is a database.
    pub(super) in_hand: Option<PassInHand<'a>>,
}

/// How a pass ended here.
pub(super) enum Ended {
    /// It is over. The notes are those that still matter.
    Over(Box<Report>, Vec<Note>),
    /// Another restarter goes on with it.
    LeftToAnother,
}

/// How long to wait before it is asked again whether a dyno may be restarted. Each time costs a look: twelve calls a minute.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// A person is told when this many restarts in a row came too late after a look. That takes 30 s.
const MOST_LATE: u32 = 10;

impl Driver<'_> {
    /// Makes the pass, from this event on, which happened at this time.
    pub(super) async fn run(&self, rollout: &mut Rollout, first: (Event, Timestamp), log: &mut PassLog) -> Ended {
        let ((mut event, mut at), mut notes, mut late) = (first, Vec::new(), 0);
        loop {
            if self.is_left_to_another(&event, rollout).await {
                return Ended::LeftToAnother;
            }
            if self.in_hand.is_some() {
                rollout.know_restarts(self.shared.view().latest_restarts());
            }
            let action = rollout.step(event, at);
            for note in rollout.take_notes() {
                match &note {
                    Note::Hold(dyno, _) => self.shared.view().happened(dyno, WhatHappened::Failed, self.clock.now()),
                    Note::Retry(error @ Error::TooLate { .. }, _) => self.shared.view().failed(error, self.clock.now()),
                    _ => {}
                }
                notes.extend(note.outlasts_pass().then(|| note.clone()));
                log.write(self.app, note);
            }
            let next = if let Action::WaitUntil(time) = &action { Some(*time) } else { None };
            self.shared.view().stepped(rollout, next);
            let deadline = rollout.deadline();
            event = match action {
                Action::Done(report) => {
                    self.shared.view().note_refusal(&report, self.clock.now());
                    return Ended::Over(Box::new(report), notes);
                }
                // Never abandoned half-way: nobody would know whether it took effect.
                Action::Restart(dyno) => match self.write_ahead(rollout).await {
                    MayRestart::Yes if rollout.is_look_recent(self.clock.now()) => {
                        late = 0;
                        self.restart(&dyno).await
                    }
                    MayRestart::Yes | MayRestart::LookAgain => {
                        late += 1;
                        if late == MOST_LATE {
                            self.warn_that_it_is_slow();
                        }
                        Event::Postponed(Duration::ZERO)
                    }
                    MayRestart::NotNow => Event::Postponed(ASK_AGAIN),
                    MayRestart::Lost => return Ended::LeftToAnother,
                },
                Action::Look => {
                    self.interruptible(deadline, async {
                        Event::Looked(self.shared.look(self.app, self.client, self.clock).await)
                    })
                    .await
                }
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
            at = self.clock.now();
        }
    }

    async fn restart(&self, dyno: &DynoName) -> Event {
        let answer = self.client.restart(self.app, dyno).await;
        if answer.is_ok() {
            let by = self.shared.turn.as_ref().map(|turn| turn.store.id());
            self.shared.view().restarted(dyno, by, self.clock.now());
        }
        Event::Restarted(answer)
    }

    fn warn_that_it_is_slow(&self) {
        let app = self.app;
        warn!(
            event = "slow", %app,
            "no dyno of {app} was restarted in the last {MOST_LATE} attempts: what the last look showed was too old when the \
             restart was written to the database. The database is slow (see `heroku pg:info`), or this process has too little \
             time to run; it keeps trying"
        );
    }

    /// Whether another restarter goes on with the pass: because it has the turn, or because this one is asked to end.
    async fn is_left_to_another(&self, event: &Event, rollout: &Rollout) -> bool {
        let Some(in_hand) = &self.in_hand else { return false };
        in_hand.is_lost() || matches!(event, Event::StopRequested(_)) && in_hand.hand_over(rollout, self.clock).await
    }

    /// Whether this process was alone when the pass began and has the turn now, and the last holder restarted a dyno of which the
    /// pass does not know: that dyno may be down.
    fn must_take_over_first(&self, in_hand: &PassInHand<'_>, rollout: &Rollout) -> bool {
        let left = in_hand.held.is_none().then(|| self.shared.queue.left_history()).flatten();
        left.is_some_and(|left| !rollout.history().knows_all_of(&left))
    }

    async fn write_ahead(&self, rollout: &Rollout) -> MayRestart {
        match &self.in_hand {
            Some(in_hand) if self.must_take_over_first(in_hand, rollout) => MayRestart::Lost,
            Some(in_hand) => in_hand.write_ahead(rollout, || self.shared.holder_status(), self.clock).await,
            None => MayRestart::Yes,
        }
    }

    /// Work that ends early when the service is asked to end or, once that is known, at the deadline.
    async fn interruptible(&self, deadline: Option<Timestamp>, work: impl Future<Output = Event>) -> Event {
        let interrupted = async {
            match deadline {
                None => Event::StopRequested(self.clock.time(self.stop.requested().await)),
                Some(deadline) => {
                    tokio::time::sleep_until(self.clock.instant(deadline)).await;
                    Event::Time
                }
            }
        };
        let lost = async {
            match &self.in_hand {
                Some(in_hand) => in_hand.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = interrupted => event,
            () = lost => Event::Time,
            event = work => event,
        }
    }
}
