//! The command line: without an argument it serves until SIGTERM; `check` says what works and what to fix, and `health` whether
//! the service on this machine answers.
//!
//! Secrets are never taken from arguments, which everybody on the machine can see, and no argument is ever repeated in a
//! message, because somebody may have put a secret there.

mod usage;

use std::ffi::OsString;
use std::io::{ErrorKind, Write, stderr, stdout};
use std::process::ExitCode;

use dyno_restarter::config::Config;
use dyno_restarter::{HealthError, bind, run, shutdown, telemetry, with_causes};
use tokio::runtime;
use tracing::{error, info};

/// `EX_CONFIG` of sysexits.h: the configuration is invalid.
const EXIT_CONFIG: u8 = 78;

/// `EX_USAGE`: an unknown argument.
const EXIT_USAGE: u8 = 64;

/// `EX_IOERR`: standard output cannot be written, for example because a disk is full.
const EXIT_OUTPUT: u8 = 74;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(|argument| argument.to_str().unwrap_or_default()).collect();
    match arguments[..] {
        [] => serve(),
        ["check"] => check(false),
        ["check", "--notify"] => check(true),
        ["health"] => health(),
        ["--help" | "-h" | "help"] => print(&usage::help(), ExitCode::SUCCESS),
        ["--version" | "-V"] => print(&usage::version(), ExitCode::SUCCESS),
        _ => {
            complain(&usage::of_unknown_argument());
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// Runs the service until SIGTERM.
fn serve() -> ExitCode {
    let config = match Config::from_lookup(std::env::var_os) {
        Ok(config) => config,
        Err(errors) => {
            // The settings of the log are a part of the configuration.
            complain(&format!("{errors}\n"));
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    let log = telemetry::init(&config.log);
    let result = match runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(async {
                tokio::select! {
                    result = listen(config) => result,
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

/// Serves until SIGTERM. The error says what went wrong and what to do.
async fn listen(config: Config) -> Result<(), String> {
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

/// Checks the environment and what it names at Heroku, and prints what it finds. Nothing is logged. `sends_test` asks for a
/// test message to the chat.
fn check(sends_test: bool) -> ExitCode {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("cannot start: {error}\n"));
            return ExitCode::FAILURE;
        }
    };
    let results = runtime.block_on(dyno_restarter::check(std::env::var_os, sends_test));
    runtime.shutdown_background();
    print(&results.to_string(), ExitCode::from(results.exit_code()))
}

/// Asks the service on this machine whether it serves, and says so.
fn health() -> ExitCode {
    match dyno_restarter::health(std::env::var_os) {
        Ok(()) => print("ok\n", ExitCode::SUCCESS),
        Err(error) => {
            complain(&format!("{error}\n"));
            match error {
                HealthError::Config(_) => ExitCode::from(EXIT_CONFIG),
                HealthError::Unhealthy(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Prints a text to standard output, and returns `code`. A reader that has seen enough, such as `head`, is no error.
fn print(text: &str, code: ExitCode) -> ExitCode {
    let mut output = stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(EXIT_OUTPUT),
        _ => code,
    }
}

/// Prints a text to standard error. When that cannot be written, nobody can be told.
fn complain(text: &str) {
    stderr().lock().write_all(text.as_bytes()).ok();
}
