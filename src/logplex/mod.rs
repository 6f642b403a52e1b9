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
//!
//! It does not know of requests, keys or restarts, and remembers nothing from one body to the next.
//!
//! The format is described at <https://devcenter.heroku.com/articles/log-drains> and, more closely, in
//! <https://github.com/heroku/logplex/blob/master/README.md>.

mod frames;
mod line;

pub use frames::{Fault, Frames, frames};
pub use line::Line;
