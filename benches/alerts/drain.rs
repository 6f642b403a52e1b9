//! The log of a busy app, delivered by a drain.

use crate::load::{CONNECTIONS, Load};
use crate::log::Log;
use crate::process::{self, Process};
use crate::rivals::{Race, Rival};
use crate::{PATIENCE, Plan, grouped, megabytes};

/// How many bytes of a log are generated. The second body, which has an error in it, is sent again and again.
const LOG: usize = 1_000_000;

/// More than any app has.
const MANY_DYNOS: usize = 10_000;

/// A drain that brings the log of a busy app as fast as it can.
pub(crate) fn measure(plan: &Plan) {
    let heroku = Process::heroku();
    let service = Process::service(&heroku.url(), "127.0.0.1:0");
    let bare = Process::bare_discarding();
    let log = Log::generate(LOG);
    let body = &log.bodies[1];
    let lines = dyno_restarter::logplex::frames(body).count();
    println!("\nbatches of a log drain, {lines} lines in {} bytes each\n", grouped(body.len()));
    let batches = |address| Load::batches(address, process::KEY, body);
    let address = service.address();
    let mut race = Race {
        rivals: vec![
            Rival::new("log drain, 204", &service, batches(address)),
            Rival::new("route that discards", &bare, batches(bare.address())),
        ],
        references: [1, 0],
        goals: vec![(0, 0.8, 1)],
    };
    race.run(plan.rounds, plan.round, plan.warm_up);
    println!("{race}");
    let memory = || megabytes(service.resident_memory());
    println!("memory (VmRSS)      {} after {} lines", memory(), grouped(race.rivals[0].answered() * lines));
    for _ in 0..4 {
        // Of another time in each round, so that the dynos are in trouble from the third on.
        let reports: Vec<Vec<u8>> = (1..=MANY_DYNOS).map(report).collect();
        for thousand in reports.chunks(1_000) {
            Load::batches(address, process::KEY, &thousand.concat()).run(CONNECTIONS * plan.rounds, PATIENCE);
        }
        let count = CONNECTIONS * plan.rounds;
        println!("                    {} after {count} reports of each of {} dynos", memory(), grouped(MANY_DYNOS));
    }
}

/// The frame in which a dyno is over its quota.
fn report(dyno: usize) -> Vec<u8> {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00");
    let message = format!("<134>1 {now} host heroku web.{dyno} - Error R14 (Memory quota exceeded)\n");
    format!("{} {message}", message.len()).into_bytes()
}
