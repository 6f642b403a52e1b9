//! The log: one line an event, to standard output, where Heroku picks it up. Without the time, for Heroku adds it.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::{FormatFields, format};

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

/// Fields that a sentence says already. A text line leaves them out; JSON has them.
const SAID_IN_WORDS: [&str; 4] = ["app", "batches", "dyno", "refused"];

/// Sends the log to standard output from here on; to be called once.
pub fn init(settings: &Settings) {
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&settings.filter)).with_target(false).with_ansi(false);
    // When nobody reads the output any more, the alerts are still to be acted on.
    let log = log.log_internal_errors(false);
    match settings.format {
        Format::Text => log.without_time().fmt_fields(text_fields()).init(),
        Format::Json => log.json().flatten_event(true).without_time().init(),
    }
}

/// The message and the fields that say more than it.
#[must_use]
pub fn text_fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        name if SAID_IN_WORDS.contains(&name) => Ok(()),
        name => write!(writer, " {name}={value:?}"),
    })
}
