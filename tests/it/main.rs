//! The service through its front door: the real router and the real client, in front of the simulated Heroku, in virtual
//! time. Each test states a fact.

mod service;

// Requests: keys, alerts, log drains.
mod affected;
mod alert_log;
mod alerts;
mod bad_bodies;
mod deliveries;
mod drains;
mod dry_run;
mod force;
mod keys;
mod large_bodies;
mod late_alerts;
mod logplex;
mod messages;
mod refusals;
mod signed;
mod unintended;
mod urls;

// The rules of restarting.
mod api_answers;
mod api_trouble;
mod capacity;
mod deploys;
mod failures;
mod fir;
mod give_up;
mod hold;
mod in_turn;
mod model;
mod pacing;
mod process_age;
mod random_sequences;
mod scaling;
mod triggers;

// The process: settings, log, shutdown.
mod app_json;
mod binary;
mod check;
mod command_line;
mod dependencies;
mod docs;
mod health;
mod log;
mod metrics;
mod notify;
mod page;
mod secrets;
mod set_up;
mod shutdown;
mod status;
