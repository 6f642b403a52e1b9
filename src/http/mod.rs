//! The HTTP server: the port, the routes, who may call them, and what each responds.
//!
//! - `listener`: the port and its connections; `router`: the routes;
//! - `auth`: who may ask for a restart;
//! - `params`: the query of an alert's URL; `body`: reading a body, within limits;
//! - `webhook`: receives one alert, and `decision`: what it leads to;
//! - `drain`: the route for Heroku's log drains;
//! - `respond`: responses as text or JSON.

pub(crate) mod auth;
mod body;
mod decision;
mod drain;
pub(crate) mod listener;
mod params;
mod respond;
pub(crate) mod router;
mod webhook;
