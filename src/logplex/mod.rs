//! Finds the few lines that matter in the log that a drain delivers.
//!
//! Heroku posts every line that an app writes, and every line about the app, in bodies of about 100 KB
//! (`application/logplex-1`). A busy app has thousands of lines a second, and perhaps one in an hour matters. So a
//! body is parsed once and in place: the parser jumps from frame to frame by their lengths, looks at the beginning of
//! each line to see who wrote it, and reads the text only of lines that Heroku itself wrote.
//!
//! Parsing never fails as a whole: invalid lines are skipped, and what precedes an invalid frame counts.
//!
//! - [`frames()`] splits a body into its messages.
//! - [`Line`] is one message, as a line of the log.
//! - [`events()`] finds the lines that matter, and what each reports.
//! - [`Pieces`] does the same for a body that arrives piece by piece, without keeping the body.
//!
//! This module does not know about requests, keys or restarts, and remembers nothing from one body to the next.
//!
//! The format is described at <https://devcenter.heroku.com/articles/log-drains> and, in more detail, in
//! <https://github.com/heroku/logplex/blob/master/README.md>.

mod code;
mod event;
mod frames;
mod line;
mod pairs;
mod pieces;

pub use code::Code;
pub use event::{Event, Interest, MEGABYTE};
pub use frames::{FrameError, Frames, frames};
pub use line::Line;
pub use pieces::Pieces;

/// Iterates over the events of a body. See [`events()`].
#[derive(Clone, Debug)]
pub struct Events<'a> {
    frames: Frames<'a>,
    interest: &'a Interest,
}

/// Finds the events of `interest` in `body`, each with its line. Only Heroku's own lines are considered: an app may
/// write anything.
///
/// Ends at the first invalid frame; [`Events::error`] then says what is wrong with it.
#[must_use]
pub fn events<'a>(body: &'a [u8], interest: &'a Interest) -> Events<'a> {
    Events { frames: frames(body), interest }
}

impl<'a> Events<'a> {
    /// How many lines were read so far, whoever wrote them.
    fn lines(&self) -> u64 {
        self.frames.count_so_far()
    }

    /// After the end: the rest of the body that was not read because of an error.
    fn unread(&self) -> &'a [u8] {
        self.frames.unread()
    }

    /// After the end: why the rest of the body cannot be read, if there is a rest.
    #[must_use]
    pub fn error(&self) -> Option<FrameError> {
        self.frames.error()
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = (Line<'a>, Event<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let interest = self.interest;
        self.frames.find_map(|message| {
            if event::is_routine(message) {
                return None;
            }
            let line = Line::parse(message)?;
            Some((line, interest.event(&line)?))
        })
    }
}
