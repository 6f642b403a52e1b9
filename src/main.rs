//! The command line: reads the environment, binds the port, and runs the service until SIGTERM; or prints how to use it.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use dyno_restarter::config::Config;
use dyno_restarter::{bind, run, shutdown, telemetry};
use tokio::runtime;
use tracing::{error, info};

/// `EX_CONFIG` of sysexits.h: the configuration is invalid.
const EXIT_CONFIG: u8 = 78;

/// `EX_USAGE` of sysexits.h: the arguments are invalid.
const EXIT_USAGE: u8 = 64;

const USAGE: &str = "usage: dyno-restarter [--help | --version]";

/// The variables are described where they are set.
const ENVIRONMENT: &str = include_str!("../.env.example");

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_str()).collect();
    match arguments[..] {
        [] => run_service(),
        [Some("--help" | "-h" | "help")] => print(&help()),
        [Some("--version" | "-V")] => print(concat!("dyno-restarter ", env!("CARGO_PKG_VERSION"), "\n")),
        // The arguments are not repeated: somebody may have put a secret there.
        _ => {
            complain(&format!("{USAGE}\nSettings are read from the environment; --help lists them."));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn help() -> String {
    let sentence = "Restarts the running web dynos of a Heroku app, one after the other, when an alert arrives.";
    let urls = "  POST or GET /restart_web_dynos   an alert, with the key: Authorization: Bearer KEY, HTTP Basic, or ?key=KEY
                                   parameters: app, dyno, scope=all|affected, only_if=FIELD:VALUE, force=true, dry_run=true
  POST /drain                      Heroku's log drain: https://drain:KEY@HOST/drain
  GET /                            the page, with the key as the password; GET /status is the same as JSON
  GET /metrics                     metrics for Prometheus, with the key
  GET /ready                       200, or 503 when a restart could not be made now; needs no key
  GET /health                      200 while the service runs; needs no key";
    let codes = "0 after SIGTERM, 1 after a failure, 64 for invalid arguments, 78 for invalid variables";
    format!("{sentence}\n\n{USAGE}\n\nURLs:\n{urls}\n\nExit codes: {codes}.\n\nVariables:\n\n{ENVIRONMENT}")
}

/// Prints to stdout. Whoever reads it may stop early, as `head` does.
fn print(text: &str) -> ExitCode {
    io::stdout().write_all(text.as_bytes()).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

fn run_service() -> ExitCode {
    let config = match Config::from_lookup(std::env::var_os) {
        Ok(config) => config,
        Err(errors) => {
            complain(&errors.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let log = telemetry::init(&config.log);
    let result = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(async {
                tokio::select! {
                    result = serve(config) => result,
                    never = log.tell_losses() => match never {},
                }
            });
            // The lookup of a host name cannot be interrupted, and the system gives up on it only after many seconds.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(format!("cannot start threads: {error}")),
    };
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            error!("dyno-restarter exits: {problem}");
            ExitCode::FAILURE
        }
    };
    log.flush();
    code
}

/// Runs the service until SIGTERM. The error says what went wrong and what to do.
async fn serve(config: Config) -> Result<(), String> {
    // Before the port is open, so that a service that takes alerts can always be shut down in an orderly way.
    let signal = shutdown::signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
    let listener = bind(config.listen).map_err(|error| {
        let listen = config.listen;
        format!("cannot listen on {listen}: {error}; stop the process that uses the port, or change PORT")
    })?;
    if let Ok(address) = listener.local_addr() {
        info!("dyno-restarter {} is listening on {address}", env!("CARGO_PKG_VERSION"));
    }
    let shutdown = async {
        let name = signal.await;
        info!("received {name}");
    };
    run(config, listener, shutdown).await.map_err(|error| with_causes(&error))
}

/// An error and what caused it.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Prints to stderr. The settings of the log are a part of the configuration, so there is no log yet.
fn complain(text: &str) {
    // Nobody may read it.
    writeln!(io::stderr(), "{text}").ok();
}
