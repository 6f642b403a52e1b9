//! The log: one line per event, to standard output, where Heroku collects it. Lines have no time, because Heroku adds it.

use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::{FormatFields, format};

/// What to log, and in which format.
#[derive(Debug)]
pub struct Settings {
    /// The format of a line.
    pub(crate) format: Format,
    /// Which lines, in the syntax of `RUST_LOG`.
    pub(crate) filter: String,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text, for a person.
    Text,
    /// One object per line, for a log service.
    Json,
}

/// Fields that the message repeats in words. Text lines omit them; JSON has them.
const FIELDS_IN_MESSAGE: [&str; 4] = ["app", "batches", "dyno", "refused"];

/// Sends the log to standard output from now on, panics included. To be called once.
pub fn init(settings: &Settings) {
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(&settings.filter)).with_target(false).with_ansi(false);
    // If standard output is closed, the service goes on.
    let log = log.log_internal_errors(false);
    match settings.format {
        Format::Text => log.without_time().fmt_fields(text_fields()).init(),
        Format::Json => log.json().flatten_event(true).without_time().init(),
    }
    std::panic::set_hook(Box::new(|panic| error!("{}", panic.to_string().replace('\n', " "))));
}

/// Formats the message and the fields that the message does not repeat.
#[must_use]
pub fn text_fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| match field.name() {
        "message" => write!(writer, "{value:?}"),
        name if FIELDS_IN_MESSAGE.contains(&name) => Ok(()),
        name => write!(writer, " {name}={value:?}"),
    })
}
