//! The log: one line per event, to standard output, where Heroku collects it. Lines have no time, because Heroku adds it.
//!
//! A thread of its own writes them. A reader of standard output that stands still costs lines, not alerts.

use std::convert::Infallible;
use std::fmt;
use std::io::stdout;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, error, warn};
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::util::request_id::RequestId;
use crate::util::secrets::{ConcealingWriter, Secrets};
use crate::util::text::printable;

/// How many lines may wait to be written. At 200 bytes a line, that is less than 1 MB.
const QUEUE: usize = 4096;

/// How often the log says how many lines were lost.
const LOSS_INTERVAL: Duration = Duration::from_secs(2);

/// How long the last lines may take to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest message of a panic that is logged, in characters.
const LONGEST_PANIC: usize = 1000;

/// Fields that the message repeats in words. Text lines omit them; JSON has them.
const FIELDS_IN_MESSAGE: [&str; 15] = [
    "address",
    "agent",
    "alerts",
    "app",
    "count",
    "dyno",
    "ended_early",
    "event",
    "failed",
    "key",
    "outcome",
    "restarted",
    "skipped",
    "took_s",
    "user",
];

/// What to log, and in which format.
#[derive(Debug)]
pub struct Settings {
    /// The format of a line.
    pub(crate) format: Format,
    /// Which lines.
    pub(crate) filter: Targets,
    /// What no line may show.
    pub(crate) secrets: Secrets,
}

/// The format of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Text, for a person.
    Text,
    /// One object per line, for a log service.
    Json,
}

/// Counts the lines that are lost. There is one log in a process, as there is one subscriber.
static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// The thread that writes the log.
#[derive(Debug)]
#[must_use = "the last lines are written by `flush`"]
pub struct LogThread {
    /// How many of the lost lines the log has reported.
    reported: AtomicU64,
    worker: WorkerGuard,
}

/// Sends the log to standard output from now on, panics included. To be called once.
pub fn init(settings: &Settings) -> LogThread {
    let queue = NonBlockingBuilder::default().buffered_lines_limit(QUEUE).thread_name("log");
    let (writer, worker) = queue.finish(stdout());
    // It is set once, because this is called once.
    LOST.set(writer.error_counter()).ok();
    let secrets = settings.secrets.clone();
    let writer = move || ConcealingWriter { writer: writer.clone(), secrets: secrets.clone() };
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(writer);
    match settings.format {
        Format::Text => {
            let log = log.fmt_fields(text_fields()).event_format(TextLine { names_module: false });
            log.finish().with(settings.filter.clone()).init();
        }
        Format::Json => {
            let log = log.event_format(JsonLine);
            log.finish().with(settings.filter.clone()).init();
        }
    }
    std::panic::set_hook(Box::new(|panic| error!("{}", printable(&panic.to_string(), LONGEST_PANIC))));
    LogThread { reported: AtomicU64::new(0), worker }
}

/// How many lines were lost since the start, because standard output was not read in time.
pub(crate) fn lost_lines() -> u64 {
    LOST.get().map_or(0, |lost| u64::try_from(lost.dropped_lines()).unwrap_or(u64::MAX))
}

impl LogThread {
    /// Says now and then how many lines were lost. It never ends.
    pub async fn tell_losses(&self) -> Infallible {
        loop {
            tokio::time::sleep(LOSS_INTERVAL).await;
            self.tell_loss();
        }
    }

    fn tell_loss(&self) {
        let (lost, reported) = (lost_lines(), self.reported.load(Ordering::Relaxed));
        if lost > reported {
            warn!("{} log lines were lost, because standard output was not read in time", lost - reported);
            // If this line was lost as well, it is reported again.
            if lost_lines() == lost {
                self.reported.store(lost, Ordering::Relaxed);
            }
        }
    }

    /// Waits until the last lines are written, and no longer than a reader may take.
    pub fn flush(self) {
        self.tell_loss();
        let (done, is_done) = mpsc::channel::<()>();
        // Dropping the guard waits for the thread, which may wait for a reader that stands still.
        std::thread::spawn(move || {
            drop(self.worker);
            drop(done);
        });
        // An error means that it is done, or that the time is over: the process ends in both cases.
        is_done.recv_timeout(FLUSH_TIMEOUT).ok();
    }
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

/// The level, the ID of the request, the message and the fields of the event.
#[derive(Clone, Copy, Debug)]
pub struct TextLine {
    /// Whether the line names the module that wrote it.
    pub names_module: bool,
}

impl<S, N> FormatEvent<S, N> for TextLine
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write!(writer, "{:>5} ", event.metadata().level())?;
        if let Some(id) = RequestId::current() {
            write!(writer, "request_id={id}: ")?;
        }
        if self.names_module {
            write!(writer, "{}: ", event.metadata().target())?;
        }
        context.format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}

/// The same as an object.
struct JsonLine;

impl<S, N> FormatEvent<S, N> for JsonLine
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = JsonObject::default();
        line.0.insert("level".to_owned(), event.metadata().level().as_str().into());
        if let Some(id) = RequestId::current() {
            line.0.insert("request_id".to_owned(), id.to_string().into());
        }
        event.record(&mut line);
        let line = serde_json::to_string(&line.0).map_err(|_| fmt::Error)?;
        writeln!(writer, "{line}")
    }
}

#[derive(Default)]
struct JsonObject(Map<String, Value>);

impl JsonObject {
    fn insert(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for JsonObject {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.insert(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field, format!("{value:?}"));
    }
}
