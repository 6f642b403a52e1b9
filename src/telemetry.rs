//! The log: one line an event, to standard output, where Heroku picks it up. Without the time, for Heroku adds it.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// What to log and how.
#[derive(Debug)]
pub struct Settings {
    /// The form of a line.
    pub format: Format,
    /// Which lines: the syntax of `RUST_LOG`.
    pub filter: String,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For a person.
    Text,
    /// For a log service: one object a line.
    Json,
}

/// Sends the log to standard output from here on; to be called once.
pub fn init(settings: &Settings) {
    let log = fmt().with_env_filter(EnvFilter::new(&settings.filter)).with_target(false).with_ansi(false);
    match settings.format {
        Format::Text => log.without_time().init(),
        Format::Json => log.json().flatten_event(true).without_time().init(),
    }
}
