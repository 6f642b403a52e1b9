//! The simulated Heroku through its front door, in virtual time.

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
