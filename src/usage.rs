//! What `--help` and `--version` print. The variables come from `.env.example`, so they are described in the same words everywhere.

use std::fmt::Write;

const VARIABLES: &str = include_str!("../.env.example");

const USAGE: &str = "\
Usage: dyno-restarter            serve until SIGTERM
       dyno-restarter check      say what works and what to fix; restarts nothing.
                                 With --notify, it also sends a test message to NOTIFY_URL
       dyno-restarter health     say whether the service on this machine answers, at PORT; for a container's health check
       dyno-restarter --help     print this
       dyno-restarter --version  print name and version
";

const URLS: &str = "\
URLs:
  POST or GET /restart_web_dynos  an alert: restarts the dynos that are due. Parameters: app, dyno, scope, force,
                                  dry_run, only_if
  POST /drain                     the log drain of an app at Heroku
  GET /                           the page; GET /status is the same as JSON, GET /metrics is for Prometheus
  GET /ready                      200, or 503 when a restart could not be made now; takes no key
  GET /health                     says ok while the service runs; takes no key

  The key is sent as `Authorization: Bearer KEY`, as the password of HTTP Basic, or as ?key=KEY.
";

const EXIT_CODES: &str = "\
Exit codes:
  0   the service was stopped by SIGTERM; check: nothing must be mended
  1   the service could not go on, and the log says why; check: something must be mended; health: no healthy
      service answered
  64  unknown argument
  74  standard output could not be written
  78  the environment is invalid
";

/// What `--help` prints.
pub(crate) fn help() -> String {
    let mut text = format!("{}\n{}.\n\n{USAGE}\n", version(), env!("CARGO_PKG_DESCRIPTION"));
    text.push_str("Variables of the environment, and their defaults (secrets are not taken from arguments):\n");
    for (meaning, variable) in variables() {
        let (name, default) = variable.trim_start_matches("# ").split_once('=').unwrap_or((variable, ""));
        // In the example, the variables that need not be set are comments.
        let default = match default {
            "" if variable.starts_with("# ") => "optional".to_owned(),
            "" => "required".to_owned(),
            default => format!("default: {default}"),
        };
        // Writing to a string cannot fail.
        writeln!(text, "  {name} ({default})\n      {meaning}").ok();
    }
    text + "\n" + URLS + "\n" + EXIT_CODES
}

/// What `--version` prints.
pub(crate) fn version() -> String {
    format!("{} {}\n", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}

/// The message about an unknown argument. The argument is not repeated: it may be a secret.
pub(crate) fn of_unknown_argument() -> String {
    format!(
        "dyno-restarter: unknown argument; settings and secrets are variables of the environment, see --help\n{USAGE}"
    )
}

/// The meaning of each variable, and `NAME=default`. Each has a comment with its meaning above it.
fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines: Vec<&str> = VARIABLES.lines().filter(|line| !line.is_empty()).collect();
    let pairs = lines.chunks(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect::<Vec<_>>();
    pairs.into_iter().map(|(meaning, variable)| (meaning.trim_start_matches("# "), variable))
}
