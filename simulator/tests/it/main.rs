//! Tests of the simulated Heroku. They send requests to its HTTP server, in virtual time.

mod api;
mod client;
mod drains;
mod dynos;
mod faults;
mod leaks;
mod lists;
mod logs;
mod metrics;
mod receiver;
mod settings;
mod traffic;
