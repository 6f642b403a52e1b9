//! Start-up only: read the environment, bind the port, run until SIGTERM.

use std::process::ExitCode;

use dyno_restarter::config::{Config, Faults};
use dyno_restarter::http::listener;
use dyno_restarter::{run, shutdown, telemetry};
use tracing::{error, info};

/// `EX_CONFIG` of sysexits.h: something is wrong with the environment.
const EXIT_CONFIG: u8 = 78;

#[tokio::main]
async fn main() -> ExitCode {
    match start().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(code) => code,
    }
}

async fn start() -> Result<(), ExitCode> {
    let config = Config::from_lookup(std::env::var_os).map_err(|faults| report(&faults))?;
    telemetry::init(&config.log);
    // Before the port is open: whoever can send an alert can also end the service in good order.
    let signal = shutdown::signal().map_err(|error| fail(&format!("cannot listen for signals: {error}")))?;
    let listener = listener::bind(config.listen).map_err(|error| {
        fail(&format!(
            "cannot listen on {}: {error}; stop what listens there, or set PORT to another one",
            config.listen
        ))
    })?;
    if let Ok(address) = listener.local_addr() {
        info!("dyno-restarter {} is listening on {address}", env!("CARGO_PKG_VERSION"));
    }
    let end = async {
        let name = signal.await;
        info!("received {name}");
    };
    run(config, listener, end).await.map_err(|error| fail(&error.to_string()))
}

#[expect(clippy::print_stderr, reason = "how to log is part of what could not be read")]
fn report(faults: &Faults) -> ExitCode {
    eprintln!("{faults}");
    ExitCode::from(EXIT_CONFIG)
}

fn fail(why: &str) -> ExitCode {
    error!("dyno-restarter ends: {why}");
    ExitCode::FAILURE
}
