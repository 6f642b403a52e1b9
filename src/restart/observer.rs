//! Looking at an app's dynos while the API may be in trouble and the service may be told to end.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tracing::warn;

use super::report::End;
use super::retry::{Patience, poll_interval};
use crate::heroku::{AppName, Client, Dyno, DynoName, Error, ProcessType};
use crate::shutdown::Stop;
use crate::util::text::human;

/// One app, as last seen. Whatever takes time ends with [`End::Stopped`] when the service is to end.
pub(super) struct Lookout<'a> {
    pub(super) app: &'a AppName,
    pub(super) client: &'a Client,
    stop: &'a Stop,
    pub(super) patience: Patience,
    /// What the last look showed, one record a name, in order of the names.
    pub(super) dynos: Vec<Dyno>,
    /// Nothing that takes time has happened since that look.
    pub(super) fresh: bool,
    /// How many records of that look could not be read.
    pub(super) unreadable: usize,
    /// A dyno is being seen through: then the end is put off by the grace.
    pub(super) seeing_through: bool,
}

impl<'a> Lookout<'a> {
    pub(super) fn new(app: &'a AppName, client: &'a Client, stop: &'a Stop, patience: Patience) -> Self {
        Self { app, client, stop, patience, dynos: Vec::new(), fresh: false, unreadable: 0, seeing_through: false }
    }

    /// Lists the dynos, again and again while the API is in trouble; returns the platform's time.
    pub(super) async fn look(&mut self) -> Result<Timestamp, End> {
        loop {
            match self.unless_stopped(self.client.dynos(self.app)).await? {
                Ok(listing) => {
                    self.patience.trouble_is_over();
                    self.unreadable = listing.unreadable;
                    self.dynos = one_record_a_name(listing.dynos);
                    self.fresh = true;
                    return Ok(listing.at);
                }
                Err(error) => self.bear(error).await?,
            }
        }
    }

    /// Looks after a while: the usual pause, or this one.
    pub(super) async fn look_after(&mut self, pause: Option<Duration>) -> Result<(), End> {
        self.pause(pause.unwrap_or_else(|| poll_interval(self.client.remaining()))).await?;
        self.look().await?;
        Ok(())
    }

    /// How many dynos the app is scaled to now. `None` when the API does not tell.
    pub(super) async fn quantity(&mut self, process_type: &ProcessType) -> Option<usize> {
        self.fresh = false;
        self.unless_stopped(self.client.quantity(self.app, process_type)).await.ok()?.ok()
    }

    /// Waits as long as an error is worth, or ends the pass.
    pub(super) async fn bear(&mut self, error: Error) -> Result<(), End> {
        let app = self.app;
        let Some(pause) = self.patience.pause_after(&error) else { return Err(End::Api(error)) };
        warn!(%app, "{error}; trying {app} again in {}", human(pause.max(Duration::from_secs(1))));
        self.pause(pause).await
    }

    async fn pause(&mut self, time: Duration) -> Result<(), End> {
        self.fresh = false;
        self.unless_stopped(tokio::time::sleep(time)).await
    }

    /// Whether the service is to end.
    pub(super) fn is_to_end(&self) -> bool {
        self.stop.is_requested()
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, End> {
        let stopped = async {
            if self.seeing_through {
                self.stop.grace_is_over().await;
            } else {
                self.stop.requested().await;
            }
        };
        tokio::select! {
            biased;
            () = stopped => Err(End::Stopped { waiting: None }),
            done = work => Ok(done),
        }
    }
}

/// Says that there are records that nobody can read, if there are.
pub(super) fn warn_of_unreadable(app: &AppName, unreadable: usize) {
    if unreadable > 0 {
        warn!(%app, "{unreadable} records in Heroku's list of {app} cannot be read; those dynos are left alone");
    }
}

/// While an old and a new instance overlap (preboot) a name may be listed twice: the later one counts.
fn one_record_a_name(dynos: Vec<Dyno>) -> Vec<Dyno> {
    let mut by_name: BTreeMap<DynoName, Dyno> = BTreeMap::new();
    for dyno in dynos {
        let is_later = by_name.get(&dyno.name).is_none_or(|known| !known.replaces(&dyno));
        if is_later {
            by_name.insert(dyno.name.clone(), dyno);
        }
    }
    by_name.into_values().collect()
}
