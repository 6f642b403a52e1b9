//! What the demo prints: a table that goes on all the time, and between its rows what happens. Lines have fewer than 100
//! columns, and no colours, so that they can be read in a terminal and in a log.

use std::fmt;
use std::io;

use dyno_restarter::telemetry::text_fields;
use simulator::{App, RequestCounts};
use tokio::time::Instant;
use tracing_subscriber::fmt::MakeWriter;

/// The width of a line; longer ones are wrapped.
const COLUMNS: usize = 98;

/// What stands in front of each line: the seconds since the start.
const MARGIN: usize = 8;

/// The memory of a Standard-1X dyno, in megabytes: over this Heroku reports R14, and the dyno swaps.
const QUOTA: f64 = 512.0;

/// One app in the table: a column for each of these dynos, and what became of the requests.
pub(crate) struct Panel {
    title: &'static str,
    app: App,
    dynos: &'static [&'static str],
    /// At the latest row.
    requests: RequestCounts,
}

impl Panel {
    pub(crate) fn new(title: &'static str, app: &App, dynos: &'static [&'static str]) -> Self {
        Self { title, app: app.clone(), dynos, requests: app.request_counts() }
    }

    fn head(&self) -> String {
        self.cells(str::to_owned) + "served failed answer"
    }

    /// The memory of each dyno that is up, the state of the others, the requests so far, and how long the dynos took to answer
    /// those since the row before.
    fn row(&mut self) -> String {
        let dynos = self.cells(|dyno| state_of(&self.app, dyno));
        let (now, before) = (self.app.request_counts(), self.requests);
        self.requests = now;
        let served = u32::try_from(now.served - before.served).unwrap_or(u32::MAX);
        let answer = match now.service_time.saturating_sub(before.service_time).checked_div(served) {
            None => "-".to_owned(),
            Some(time) if time.as_millis() < 1000 => format!("{}ms", time.as_millis()),
            Some(time) => format!("{:.1}s", time.as_secs_f64()),
        };
        format!("{dynos}{:>6} {:>6} {answer:>6}", now.served, now.failed)
    }

    fn cells(&self, text: impl Fn(&str) -> String) -> String {
        // `1024M*` has six columns.
        let cell = |&dyno: &&str| format!("{:<1$} ", text(dyno), dyno.len().max(6));
        self.dynos.iter().map(cell).collect::<Vec<_>>().concat()
    }
}

/// `440M`, `531M*` over the quota, or why it has no memory.
pub(crate) fn state_of(app: &App, dyno: &str) -> String {
    match (app.memory(dyno), app.state(dyno).as_str()) {
        (Some(memory), _) if memory > QUOTA => format!("{memory:.0}M*"),
        (Some(memory), _) => format!("{memory:.0}M"),
        (None, "starting") => "boots".to_owned(),
        (None, "crashed") => "crash".to_owned(),
        (None, state) => state.to_owned(),
    }
}

/// The table, one app beside the other.
pub(crate) struct Screen {
    started: Instant,
    panels: Vec<Panel>,
}

impl Screen {
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
        say(self.started, rows.join(" | "));
    }
}

/// Prints something that happened, with its time.
pub(crate) fn say(started: Instant, what: impl fmt::Display) {
    let time = format!("{:>5.1}s  ", started.elapsed().as_secs_f64());
    println!("{time}{}", wrap(&what.to_string(), COLUMNS - MARGIN).join(&format!("\n{:MARGIN$}    ", "")));
}

/// Breaks a line at spaces. All parts but the first are indented by four columns.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    for word in text.split(' ') {
        let room = if parts.len() == 1 { width } else { width - 4 };
        match parts.last_mut() {
            Some(part) if part.is_empty() || part.chars().count() + 1 + word.chars().count() <= room => {
                let space = if part.is_empty() { "" } else { " " };
                part.push_str(space);
                part.push_str(word);
            }
            _ => parts.push(word.to_owned()),
        }
    }
    parts
}

/// Prints the log of the service between the rows.
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

/// One line, printed when it is complete.
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
        // The id of a request has a use only where there are many.
        let text = text.trim().split_once("}: ").map_or(text.trim(), |(_, text)| text);
        say(self.started, format_args!("restarter: {text}"));
    }
}
