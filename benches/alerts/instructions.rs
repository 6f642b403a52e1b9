//! The instructions that a server runs for each request. Unlike seconds, they are nearly the same on a busy machine.
//!
//! valgrind counts those of the process, not those of the kernel. A second run with more requests takes away the start.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use crate::load::Load;
use crate::process::Process;
use crate::{PATIENCE, Plan, grouped, verdict};

/// How many times the instructions of a route that parses the same JSON an accepted alert may take.
const GOAL: f64 = 1.25;

/// Prints them for an accepted alert and for the route that parses the same JSON.
pub(crate) fn measure(&Plan { counted, .. }: &Plan) {
    let heroku = Process::heroku();
    let url = heroku.url();
    let service = per_request(counted, || Process::service_command(&url, "127.0.0.1:0"));
    let route = per_request(counted, Process::bare_parsing_command);
    let (Some(service), Some(route)) = (service, route) else {
        println!("instructions        not measured: there is no valgrind");
        return;
    };
    let as_float = |count: usize| u32::try_from(count).map_or(f64::NAN, f64::from);
    let ratio = as_float(service) / as_float(route);
    println!(
        "instructions        {} for an accepted alert, {} for the route that parses",
        grouped(service),
        grouped(route)
    );
    println!("                    ratio {ratio:.2}  (goal: at most {GOAL}: {})", verdict(Some(ratio <= GOAL)));
}

fn per_request([few, many]: [usize; 2], command: impl Fn() -> Command) -> Option<usize> {
    let (by_few, by_many) = (count(&command(), few)?, count(&command(), many)?);
    Some(by_many.saturating_sub(by_few) / (many - few))
}

/// All instructions of a process that gets this number of alerts.
fn count(command: &Command, alerts: usize) -> Option<usize> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(command.get_program());
    valgrind.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let process = Process::try_start(valgrind.stderr(Stdio::piped()))?;
    Load::alerts(process.address(), crate::process::KEY, 202).run(alerts, PATIENCE);
    let mut told = String::new();
    process.terminate(|child: &mut Child| child.stderr.take()?.read_to_string(&mut told).ok());
    let (_, rest) = told.split_once("Collected : ")?;
    rest.split_whitespace().next()?.parse().ok()
}
