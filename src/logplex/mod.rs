//! What matters of the log that a drain brings.
//!
//! Heroku posts every line that an app writes, and every line about it, in bodies of about 100 KB
//! (`application/logplex-1`). Of a busy app that is thousands of lines a second, of which one in an hour matters. So a body
//! is read once and in place: from frame to frame by their counts, no further into each than to see who wrote it, and
//! into the text only of what Heroku itself wrote.
//!
//! Nothing here fails. Whatever the bytes: what can be read is read, and the rest is passed over.
//!
//! - [`frames()`] tells the messages of a body apart.
//! - [`Line`] is one message, as a line of the log.
//! - [`events()`] are the few lines that matter, with what they say.
//! - [`Pieces`] finds them in a body that arrives piece by piece, and keeps none of it.
//!
//! It does not know of requests, keys or restarts, and remembers nothing from one body to the next.
//!
//! The format is described at <https://devcenter.heroku.com/articles/log-drains> and, more closely, in
//! <https://github.com/heroku/logplex/blob/master/README.md>.

mod code;
mod event;
mod frames;
mod line;
mod pairs;
mod pieces;

use line::Envelope;

pub use code::Code;
pub use event::{Event, Interest, MEGABYTE};
pub use frames::{FrameError, Frames, frames};
pub use line::Line;
pub use pieces::Pieces;

/// The lines of a body that matter. See [`events()`].
#[derive(Clone, Debug)]
pub struct Events<'a> {
    frames: Frames<'a>,
    interest: &'a Interest,
}

/// The lines of `body` that say what is asked for, each with what it says. Only Heroku's own lines can: an app may write
/// whatever it likes.
///
/// Ends at the first broken frame; [`Events::error`] then says what is wrong with it.
#[must_use]
pub fn events<'a>(body: &'a [u8], interest: &'a Interest) -> Events<'a> {
    Events { frames: frames(body), interest }
}

impl<'a> Events<'a> {
    /// After the end: what was not read because of a error.
    fn unread(&self) -> &'a [u8] {
        self.frames.unread()
    }

    /// After the end: what made the rest of the body unreadable, if anything did.
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
            let envelope = Envelope::open(message).filter(|envelope| !event::is_dull(envelope.content))?;
            let line = envelope.line()?;
            Some((line, interest.event(&line)?))
        })
    }
}
