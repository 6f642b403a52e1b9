//! What the apps' tasks tell whoever listens.

use super::event::Note;
use super::report::Report;
use crate::heroku::{AppName, Error};

/// Something that happened to an app.
#[derive(Clone, Debug)]
pub enum News {
    /// A pass has ended.
    Pass {
        /// What it did.
        report: Report,
        /// Why it was made, and what alerts lead to from now on: dynos given up on, holds, and the ends of both.
        notes: Vec<Note>,
    },
    /// The dynos were listed apart from a pass, and that changes what alerts lead to: dynos that are down, the ends of holds,
    /// or that Heroku answers again.
    Look {
        /// The app.
        app: AppName,
        /// What alerts lead to from now on.
        notes: Vec<Note>,
    },
    /// Heroku refused to list the dynos, at the start of the service or when nobody had asked for ten minutes.
    CannotWatch {
        /// The app.
        app: AppName,
        /// What Heroku said.
        cause: Error,
    },
    /// The service is being shut down, and alerts that waited for a pass are dropped.
    Dropped {
        /// The app.
        app: AppName,
        /// What the alerts asked for together.
        asked: String,
    },
}
