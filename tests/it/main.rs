//! The service through its front door: the real router and the real client, in front of the simulated Heroku, in virtual
//! time. Each test states a fact.

mod service;

mod affected;
mod alert_semantics;
mod alerts;
mod any_order;
mod api_trouble;
mod bad_answers;
mod bad_bodies;
mod binary;
mod capacity;
mod deliveries;
mod drains;
mod endings;
mod giving_up;
mod hold;
mod in_turn;
mod keys;
mod logplex;
mod model;
mod no_harm;
mod pacing;
mod process_age;
mod senders;
mod set_up;
mod signed;
mod surprises;
