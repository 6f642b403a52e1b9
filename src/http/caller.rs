//! Who sent an alert, as far as the request tells.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, USER_AGENT};

use super::auth::Authorized;
use crate::util::text::printable;

/// Heroku's router appends the address that called it. What stands in front of that is the caller's word.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How much of a text of the sender is logged.
const MAX_LEN: usize = 80;

/// Who sent an alert.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    /// The name of the key, or its place in `RESTART_WEBHOOK_KEY`.
    pub(super) key: &'a Arc<str>,
    /// The user name beside the key.
    pub(super) user: Option<String>,
    /// The program.
    pub(super) agent: Option<String>,
    /// The address from which Heroku's router was called.
    pub(super) address: Option<IpAddr>,
}

impl<'a> Caller<'a> {
    pub(super) fn new(authorized: &'a Authorized, headers: &HeaderMap) -> Self {
        let text = |name| headers.get_all(name).iter().next_back().and_then(|value| value.to_str().ok());
        let address = text(FORWARDED_FOR).and_then(|addresses| addresses.rsplit(',').next()?.trim().parse().ok());
        Self {
            key: authorized.key(),
            user: authorized.user().map(|user| printable(user, MAX_LEN)),
            agent: text(USER_AGENT).map(|agent| printable(agent, MAX_LEN)),
            address,
        }
    }
}

impl fmt::Display for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.key)?;
        self.user.iter().try_for_each(|user| write!(f, ", user {user}"))?;
        self.agent.iter().try_for_each(|agent| write!(f, ", {agent}"))?;
        self.address.iter().try_for_each(|address| write!(f, ", from {address}"))
    }
}
