//! Start-up: reads the environment, binds the port, and runs the service until SIGTERM.

use std::process::ExitCode;

use dyno_restarter::config::{Config, ConfigErrors};
use dyno_restarter::{bind, run, shutdown, telemetry};
use tracing::{error, info};

/// `EX_CONFIG` of sysexits.h: the configuration is invalid.
const EXIT_CONFIG: u8 = 78;

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

async fn start() -> Result<(), ExitCode> {
    let config = Config::from_lookup(std::env::var_os).map_err(|errors| report(&errors))?;
    telemetry::init(&config.log);
    // Before the port is open, so that a service that takes alerts can always be shut down in an orderly way.
    let signal = shutdown::signal().map_err(|error| fail(&format!("cannot listen for signals: {error}")))?;
    let listener = bind(config.listen).map_err(|error| {
        let listen = config.listen;
        fail(&format!("cannot listen on {listen}: {error}; stop the process that uses the port, or change PORT"))
    })?;
    if let Ok(address) = listener.local_addr() {
        info!("dyno-restarter {} is listening on {address}", env!("CARGO_PKG_VERSION"));
    }
    let shutdown = async {
        let name = signal.await;
        info!("received {name}");
    };
    run(config, listener, shutdown).await.map_err(|error| fail(&error.to_string()))
}

#[expect(clippy::print_stderr, reason = "the settings of the log are a part of the configuration")]
fn report(errors: &ConfigErrors) -> ExitCode {
    eprintln!("{errors}");
    ExitCode::from(EXIT_CONFIG)
}

fn fail(problem: &str) -> ExitCode {
    error!("dyno-restarter exits: {problem}");
    ExitCode::FAILURE
}
