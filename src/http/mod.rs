//! The HTTP server: the port, the routes, who may call them, and what each responds.
//!
//! - `listener`: the port; `connections`: how many connections there may be; `first_head`: waits for the first request on one;
//!   `router`: the routes;
//! - `auth`: who may ask for a restart;
//! - `path`: other spellings of a path;
//! - `params`: the query of an alert's URL;
//! - `request_body`: the body as hyper receives it; `body`: reading it, within limits;
//! - `webhook`: receives one alert; `unintended`: requests that nobody sent on purpose; `decision`: what an alert leads to;
//! - `caller`: who sent an alert, and `alert_log`: what the log says of it;
//! - `drain`: the route for Heroku's log drains;
//! - `recent`: the latest requests that led to nothing; `replica_exchange`: what replicas tell one another of requests;
//! - `page`: the page and the routes beside it; `status`: what they show; `metrics`: the same for Prometheus;
//! - `respond`: responses as text or JSON.

mod alert_log;
pub(crate) mod auth;
mod body;
mod caller;
mod connections;
mod decision;
mod drain;
mod first_head;
pub(crate) mod listener;
mod metrics;
mod page;
pub(crate) mod params;
pub(crate) mod path;
mod recent;
mod replica_exchange;
mod request_body;
mod respond;
pub(crate) mod router;
mod status;
mod unintended;
mod webhook;

pub(crate) use replica_exchange::ReplicaExchange;
pub(crate) use webhook::AlertIntake;
