//! Which events are told. An alert may come every few seconds: what lasts is told once.

use std::collections::BTreeMap;
use std::mem::{Discriminant, discriminant};

use super::text;
use crate::drain::Drains;
use crate::heroku::{AppName, DynoName, Error};
use crate::restart::{End, News};

/// Remembers what was told.
#[derive(Debug, Default)]
pub(super) struct Composer {
    /// What kept the latest pass over each app from its work.
    obstacles: BTreeMap<AppName, Obstacle>,
}

/// What keeps a pass from its work, and the next ones, too, until somebody does something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// The API cannot be used.
    Api(Discriminant<Error>),
    /// Too few dynos run.
    Short,
}

impl Composer {
    /// The text that tells this; `None` if nothing happened that a person should know, or if it was told.
    pub(super) fn news(&mut self, news: &News, drains: &Drains) -> Option<String> {
        match news {
            News::Pass { report, notes } => {
                let obstacle = match &report.end {
                    Some(End::Api(error)) => Some(Obstacle::Api(discriminant(error))),
                    Some(End::Short { .. }) => Some(Obstacle::Short),
                    _ => None,
                };
                let is_new = self.is_new(&report.app, obstacle);
                let memory = |before: &DynoName, after: &DynoName, up_at| {
                    drains.memory_around(&report.app, before, after, up_at)
                };
                text::pass(report, notes, is_new, &memory)
            }
            News::CannotWatch { app, cause } => {
                let is_new = self.is_new(app, Some(Obstacle::Api(discriminant(cause))));
                is_new.then(|| text::cannot_watch(app, cause))
            }
            News::Dropped { app, asked } => Some(text::dropped(app, asked)),
        }
    }

    /// Whether this obstacle was not there before.
    fn is_new(&mut self, app: &AppName, obstacle: Option<Obstacle>) -> bool {
        let before = match obstacle {
            Some(obstacle) => self.obstacles.insert(app.clone(), obstacle),
            None => self.obstacles.remove(app),
        };
        obstacle.is_some() && before != obstacle
    }
}
