//! The output of the demo: a table, and messages between its rows. Lines have fewer than 100 columns and no colours, so
//! that they are readable in a terminal and in a log.

use std::fmt;
use std::io;

use dyno_restarter::telemetry::text_fields;
use simulator::{App, RequestCounts};
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// The width at which lines are wrapped.
const COLUMNS: usize = 98;

/// The width of the time at the beginning of each line.
const MARGIN: usize = 8;

/// The memory quota of a Standard-1X dyno, in megabytes. Over its quota, a dyno swaps, and Heroku logs R14.
const QUOTA: f64 = 512.0;

/// The columns of an app in the table: one for each of these dynos, and three for the requests.
pub(crate) struct Panel {
    title: &'static str,
    app: App,
    dynos: &'static [&'static str],
    previous_counts: RequestCounts,
}

impl Panel {
    pub(crate) fn new(title: &'static str, app: &App, dynos: &'static [&'static str]) -> Self {
        Self { title, app: app.clone(), dynos, previous_counts: app.request_counts() }
    }

    fn head(&self) -> String {
        self.cells(str::to_owned) + "served failed answer"
    }

    /// Returns the memory or the state of each dyno, the numbers of requests so far, and the average response time
    /// since the previous row.
    fn row(&mut self) -> String {
        let dynos = self.cells(|dyno| memory_or_state(&self.app, dyno));
        let (counts, previous) = (self.app.request_counts(), self.previous_counts);
        self.previous_counts = counts;
        let served = u32::try_from(counts.served - previous.served).unwrap_or(u32::MAX);
        let answer = match counts.service_time.saturating_sub(previous.service_time).checked_div(served) {
            None => "-".to_owned(),
            Some(time) if time.as_millis() < 1000 => format!("{}ms", time.as_millis()),
            Some(time) => format!("{:.1}s", time.as_secs_f64()),
        };
        format!("{dynos}{:>6} {:>6} {answer:>6}", counts.served, counts.failed)
    }

    fn cells(&self, text: impl Fn(&str) -> String) -> String {
        // The longest text is `1024M*`.
        let cell = |&dyno: &&str| format!("{:<1$} ", text(dyno), dyno.len().max(6));
        self.dynos.iter().map(cell).collect::<Vec<_>>().concat()
    }
}

/// Returns the memory of a dyno that is up, such as `440M`, or `531M*` over the quota. Otherwise, returns its state.
pub(crate) fn memory_or_state(app: &App, dyno: &str) -> String {
    match (app.memory(dyno), app.state(dyno).as_str()) {
        (Some(memory), _) if memory > QUOTA => format!("{memory:.0}M*"),
        (Some(memory), _) => format!("{memory:.0}M"),
        (None, "starting") => "boots".to_owned(),
        (None, "crashed") => "crash".to_owned(),
        (None, state) => state.to_owned(),
    }
}

/// The table, which shows the apps side by side.
pub(crate) struct Table {
    started: Instant,
    panels: Vec<Panel>,
}

impl Table {
    pub(crate) fn new(started: Instant, panels: Vec<Panel>) -> Self {
        Self { started, panels }
    }

    pub(crate) fn print_head(&self) {
        let titles: Vec<String> =
            self.panels.iter().map(|panel| format!("{:<1$}", panel.title, panel.head().len())).collect();
        let heads: Vec<String> = self.panels.iter().map(Panel::head).collect();
        for cells in [titles, heads] {
            println!("{:MARGIN$}{}", "", cells.join(" | ").trim_end());
        }
    }

    pub(crate) fn print_row(&mut self) {
        let rows: Vec<String> = self.panels.iter_mut().map(Panel::row).collect();
        print_message(self.started, rows.join(" | "));
    }
}

/// Prints a message with the time since the start.
pub(crate) fn print_message(started: Instant, message: impl fmt::Display) {
    let time = format!("{:>5.1}s  ", started.elapsed().as_secs_f64());
    println!("{time}{}", wrap(&message.to_string(), COLUMNS - MARGIN).join(&format!("\n{:MARGIN$}    ", "")));
}

/// Wraps a text at spaces. The lines after the first are four columns shorter, because the caller indents them.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let room = if lines.len() == 1 { width } else { width - 4 };
        match lines.last_mut() {
            Some(line) if line.is_empty() || line.chars().count() + 1 + word.chars().count() <= room => {
                let space = if line.is_empty() { "" } else { " " };
                line.push_str(space);
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Makes the service print its log between the rows.
pub(crate) fn print_log(started: Instant) {
    tracing_subscriber::fmt()
        .with_writer(LogLines { started })
        .without_time()
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .fmt_fields(text_fields())
        .init();
}

struct LogLines {
    started: Instant,
}

impl<'a> MakeWriter<'a> for LogLines {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine { started: self.started, text: Vec::new() }
    }
}

/// A line of the log, which is printed when it is complete.
struct LogLine {
    started: Instant,
    text: Vec<u8>,
}

impl io::Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        print_message(self.started, format_args!("restarter: {}", text.trim()));
    }
}
