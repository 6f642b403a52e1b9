//! Start-up: reads the environment, binds the port, and runs the service until SIGTERM.

use std::error::Error;
use std::process::ExitCode;

use dyno_restarter::config::{Config, ConfigErrors};
use dyno_restarter::{bind, run, shutdown, telemetry};
use tokio::runtime;
use tracing::{error, info};

/// `EX_CONFIG` of sysexits.h: the configuration is invalid.
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let config = match Config::from_lookup(std::env::var_os) {
        Ok(config) => config,
        Err(errors) => return report(&errors),
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

#[expect(clippy::print_stderr, reason = "the settings of the log are a part of the configuration")]
fn report(errors: &ConfigErrors) -> ExitCode {
    eprintln!("{errors}");
    ExitCode::from(EXIT_CONFIG)
}
