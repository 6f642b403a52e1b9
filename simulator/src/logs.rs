//! The log of an app, and the formats of its lines.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// How many lines a log keeps. Heroku keeps 1500, but tests may need more.
const MAX_LINES: usize = 10_000;

/// The latest lines of an app, in the order of their arrival.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: VecDeque<Line>,
    latest_time: Timestamp,
}

impl Log {
    /// Returns a unique time for a line that is written now. Unique times keep the lines in order when they are sorted.
    pub(crate) fn unique_time(&mut self, now: Timestamp) -> Timestamp {
        self.latest_time = now.max(self.latest_time + Duration::from_micros(1));
        self.latest_time
    }

    pub(crate) fn push(&mut self, line: Line) {
        if self.lines.len() == MAX_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// A line of the log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    /// `heroku` for lines of the platform, `app` for lines of the app and of the API.
    pub(crate) source: &'static str,
    /// The name of a dyno, or `api`, `logplex` or `router`.
    pub(crate) process: String,
    pub(crate) text: String,
}

impl Line {
    /// Returns the line in the format of `heroku logs`.
    pub(crate) fn to_log_text(&self) -> String {
        let Line { source, process, text, .. } = self;
        format!("{} {source}[{process}]: {text}", microseconds_text(self.at))
    }

    /// Returns the line as a frame of a log drain: its length in bytes, and a syslog message without structured data.
    pub(crate) fn to_frame(&self) -> String {
        let Line { source, process, text, .. } = self;
        // local5.warning for logplex, local3.info for the router, local0.info for the platform, local7.info for the app
        let priority = match (*source, process.as_str()) {
            ("heroku", "logplex") => 172,
            ("heroku", "router") => 158,
            ("heroku", _) => 134,
            _ => 190,
        };
        let at = microseconds_text(self.at);
        let message = format!("<{priority}>1 {at} host {source} {process} - {text}\n");
        format!("{} {message}", message.len())
    }
}

/// Formats a time with microseconds and a numeric offset, as in the log.
pub(crate) fn microseconds_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Formats a time in whole seconds with a `Z`, as in the API.
pub(crate) fn seconds_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
