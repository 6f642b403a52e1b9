//! Log lines, as the log shows them and as a drain carries them.

use jiff::Timestamp;

/// One line of an app's log.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) at: Timestamp,
    /// `heroku` for the platform, `app` for what the app and the API say.
    pub(crate) source: &'static str,
    /// The dyno, or `api`, or `logplex`.
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
        // local0.info for the platform, local7.info for the app, local5.warning for logplex.
        let priority = match (*source, process.as_str()) {
            ("heroku", "logplex") => 172,
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
