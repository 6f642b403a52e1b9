//! Log lines, as the log shows them and as a drain carries them.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

/// How many lines a log keeps. Heroku keeps 1500; tests may want to look back further.
const KEPT: usize = 10_000;

/// The latest lines of an app, in the order in which they were logged.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) lines: VecDeque<Line>,
    latest: Timestamp,
}

impl Log {
    /// The time of a line that is written now. No two lines have the same, so that their order
    /// survives whatever sorts them.
    pub(crate) fn stamp(&mut self, now: Timestamp) -> Timestamp {
        self.latest = now.max(self.latest + Duration::from_micros(1));
        self.latest
    }

    pub(crate) fn keep(&mut self, line: Line) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// One line of an app's log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    /// `heroku` for the platform, `app` for what the app and the API say.
    pub(crate) source: &'static str,
    /// The dyno, or `api`, or `logplex`, or `router`.
    pub(crate) process: String,
    pub(crate) text: String,
}

impl Line {
    /// As `heroku logs` shows it.
    pub(crate) fn shown(&self) -> String {
        let Line { source, process, text, .. } = self;
        format!("{} {source}[{process}]: {text}", precise(self.at))
    }

    /// As a frame of a log drain: counted in octets, its syslog message without structured data.
    pub(crate) fn frame(&self) -> String {
        let Line { source, process, text, .. } = self;
        // local0.info for the platform, local3.info for its router, local5.warning for logplex,
        // local7.info for the app.
        let priority = match (*source, process.as_str()) {
            ("heroku", "logplex") => 172,
            ("heroku", "router") => 158,
            ("heroku", _) => 134,
            _ => 190,
        };
        let at = precise(self.at);
        let message = format!("<{priority}>1 {at} host {source} {process} - {text}\n");
        format!("{} {message}", message.len())
    }
}

/// Microseconds and a numeric offset, as the log has them.
pub(crate) fn precise(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string()
}

/// Whole seconds and a `Z`, as the API has them.
pub(crate) fn whole_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
