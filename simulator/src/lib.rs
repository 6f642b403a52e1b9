//! A simulated Heroku: the Platform API in front of dynos that boot, crash, leak and log.
//!
//! It serves tests, a demo and a benchmark. It knows at every moment how many dynos are up,
//! keeps a record of every request, and misbehaves when it is told to. It is no model of what
//! Heroku costs, builds or routes: its router logs requests that nobody sent.
//!
//! Time is tokio's. With the clock paused everything is virtual and each run is the same:
//!
//! ```
//! use simulator::{Fault, Heroku, On};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! tokio::time::pause();
//! let heroku = Heroku::start().await;
//! let shop = heroku.create_app("shop").with("web", 4).with("worker", 1);
//! shop.dyno("web.2").never_boots();
//! heroku.misbehave(On::List, Fault::Status(503), 2);
//! // ... run what is to be tested against `heroku.url()` ...
//! assert_eq!(shop.fewest_up("web"), 4);
//! assert!(heroku.calls().is_empty());
//! # }
//! ```

#![expect(
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    reason = "the handles act at once; what they return may be dropped"
)]

mod app;
mod dyno_control;
mod heroku;

mod agenda;
mod app_settings;
mod app_state;
mod clock;
mod drain;
mod dyno;
mod lifecycle;
mod logs;
mod memory;
mod metrics;
mod simulation;
mod traffic;
mod world;

mod account;
mod answers;
mod api;
mod faults;
mod page;
mod record;
mod server;
mod shipping;

pub use app::App;
pub use dyno_control::DynoControl;
pub use faults::{Fault, On};
pub use heroku::Heroku;
pub use record::Call;
pub use traffic::Requests;

/// The OAuth token of the account that owns all apps.
const TOKEN: &str = "HRKU-01234567-89ab-cdef-0123-456789abcdef";
