//! The way in: the port, the routes, who may call them, and what each is answered.
//!
//! - `listener`: the port and its connections; `router`: the routes;
//! - `auth`: who may ask for a restart;
//! - `params`: the query of an alert's URL; `body`: its body, within limits;
//! - `webhook`: the intake of one alert, and `decision`: what follows from it;
//! - `respond`: answers as text or JSON.

pub mod auth;
pub mod body;
pub mod decision;
pub mod listener;
pub mod params;
pub mod respond;
pub mod router;
pub mod webhook;
