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

/// What is new about what keeps passes from their work.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObstacleChange {
    /// There is an obstacle, and it was not there before.
    pub(super) is_new: bool,
    /// The API could not be used, and can be used again.
    pub(super) api_is_back: bool,
}

impl Composer {
    /// The text about this; `None` if nothing happened that a person should know, or if the person was told already.
    pub(super) fn news(&mut self, news: &News, drains: &Drains) -> Option<String> {
        match news {
            News::Pass { report, notes } => {
                let obstacle = match &report.end {
                    Some(End::Api(error)) => Some(Obstacle::Api(discriminant(error))),
                    Some(End::Short { .. }) => Some(Obstacle::Short),
                    _ => None,
                };
                let change = self.replace(&report.app, obstacle);
                let memory = |before: &DynoName, after: &DynoName, up_at| {
                    drains.memory_around(&report.app, before, after, up_at)
                };
                text::pass(report, notes, change, &memory)
            }
            News::Look { app, notes } => {
                // Whether enough dynos run is for the next pass to say.
                let short = self.obstacles.get(app).copied().filter(|obstacle| *obstacle == Obstacle::Short);
                let change = self.replace(app, short);
                text::look(app, notes, change)
            }
            News::CannotWatch { app, cause } => {
                let change = self.replace(app, Some(Obstacle::Api(discriminant(cause))));
                change.is_new.then(|| text::cannot_watch(app, cause))
            }
            News::Dropped { app, asked } => Some(text::dropped(app, asked)),
        }
    }

    /// Notes what keeps passes over an app from their work now.
    fn replace(&mut self, app: &AppName, obstacle: Option<Obstacle>) -> ObstacleChange {
        let before = match obstacle {
            Some(obstacle) => self.obstacles.insert(app.clone(), obstacle),
            None => self.obstacles.remove(app),
        };
        let is_api = |obstacle: Option<Obstacle>| matches!(obstacle, Some(Obstacle::Api(_)));
        ObstacleChange {
            is_new: obstacle.is_some() && before != obstacle,
            api_is_back: is_api(before) && !is_api(obstacle),
        }
    }
}
