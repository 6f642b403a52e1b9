//! Who sent an alert, as far as the request says.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, USER_AGENT};

use super::auth::Authorized;
use crate::util::secrets::Secrets;
use crate::util::text::printable;

/// Heroku's router appends the address that called it. What stands in front of that is the caller's word.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// How much of a text of the sender is logged.
const MAX_LEN: usize = 80;

/// Who sent an alert. The texts are made only for the alerts that are logged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller<'a> {
    authorized: &'a Authorized,
    headers: &'a HeaderMap,
    secrets: &'a Secrets,
}

impl<'a> Caller<'a> {
    pub(super) fn new(authorized: &'a Authorized, headers: &'a HeaderMap, secrets: &'a Secrets) -> Self {
        Self { authorized, headers, secrets }
    }

    /// The name of the key, or its place in `RESTART_WEBHOOK_KEY`.
    pub(super) fn key(&self) -> &'a Arc<str> {
        self.authorized.key()
    }

    /// The user name beside the key.
    pub(super) fn user(&self) -> Option<String> {
        self.authorized.user().map(|user| self.shown(user))
    }

    /// The program.
    pub(super) fn agent(&self) -> Option<String> {
        self.header(USER_AGENT).map(|agent| self.shown(agent))
    }

    /// The address from which Heroku's router was called.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.header(FORWARDED_FOR)?.rsplit(',').next()?.trim().parse().ok()
    }

    /// A secret is concealed before the text is cut: a part of it would not be recognised.
    fn shown(&self, text: &str) -> String {
        printable(&self.secrets.conceal(text), MAX_LEN)
    }

    /// The last header of this name.
    fn header(&self, name: HeaderName) -> Option<&'a str> {
        self.headers.get_all(name).iter().next_back()?.to_str().ok()
    }
}

impl fmt::Display for Caller<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.key())?;
        self.user().iter().try_for_each(|user| write!(f, ", user {user}"))?;
        self.agent().iter().try_for_each(|agent| write!(f, ", {agent}"))?;
        self.address().iter().try_for_each(|address| write!(f, ", from {address}"))
    }
}
