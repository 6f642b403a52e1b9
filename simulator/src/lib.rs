//! A simulated Heroku: the Platform API, and dynos that boot, crash, leak memory and write logs.
//!
//! It is made for tests, a demo and a benchmark. It counts the dynos that are up at every moment, records every
//! request, and injects faults on request. It does not build or route anything: its router only logs requests, and no
//! client sends them.
//!
//! It uses tokio's clock. When the clock is paused, time is virtual, and every run of a test is the same:
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
    reason = "the methods of handles take effect at once, so their results may be ignored"
)]

mod app;
mod dyno_control;
mod heroku;

mod app_settings;
mod app_state;
mod clock;
mod drain;
mod dyno;
mod event_queue;
mod ids;
mod lifecycle;
mod logs;
mod memory;
mod metrics;
mod platform;
mod simulation;
mod traffic;

mod account;
mod api;
mod faults;
mod pagination;
mod record;
mod responses;
mod server;
mod shipping;

pub use app::App;
pub use dyno_control::DynoControl;
pub use faults::{Fault, On};
pub use heroku::Heroku;
pub use record::Call;
pub use traffic::RequestCounts;

/// The OAuth token of the account that owns all apps.
const TOKEN: &str = "HRKU-01234567-89ab-cdef-0123-456789abcdef";
