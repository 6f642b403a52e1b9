//! The credentials that a request carries, wherever it carries them.

use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::signature::{Signature, SignatureError};
use crate::util::query::{KEY, own_parameters, strict_parameters};

/// The keys that a request carries.
#[derive(Default)]
pub(super) struct Presented {
    /// The token of `Bearer`, or user name and password of `Basic`: some senders put the key in one, some in the other.
    pub(super) header: Option<(String, String)>,
    /// `?key=`.
    pub(super) query: Option<String>,
    /// The same including the text behind a second question mark, which may be a part of the key.
    pub(super) long_query: Option<String>,
    pub(super) signature: Option<Result<Signature, SignatureError>>,
    /// There is more than one key in the same place; nobody sends that in good faith.
    pub(super) is_repeated: bool,
}

impl Presented {
    pub(super) fn in_request(request: &Parts) -> Self {
        let mut presented = Self { signature: Signature::in_request(request), ..Self::default() };
        for header in request.headers.get_all(AUTHORIZATION) {
            let credentials = header.to_str().map_or_else(|_| Some(Default::default()), credentials);
            if let Some(credentials) = credentials {
                presented.is_repeated |= presented.header.replace(credentials).is_some();
            }
        }
        let query = request.uri.query().unwrap_or_default();
        // No key contains a space, so a space here is a `+` that should have been encoded as `%2B`.
        for (_, key) in own_parameters(query).filter(|(name, _)| name == KEY) {
            presented.is_repeated |= presented.query.replace(key.replace(' ', "+")).is_some();
        }
        if query.contains('?') {
            let mut keys = strict_parameters(query).filter(|(name, _)| name == KEY);
            presented.long_query = keys.next().map(|(_, key)| key.replace(' ', "+"));
        }
        presented
    }

    /// Why the request is refused, given that it is refused. Only for the log.
    pub(super) fn problem(&self) -> &'static str {
        match self {
            Self { is_repeated: true, .. } => "it has more than one key in the same place",
            Self { header: None, query: None, .. } => {
                "its Authorization header has none of the schemes Bearer, Basic and LE: send `Authorization: Bearer KEY`"
            }
            Self { header: Some(_), query: Some(_), .. } => {
                "it has a key in its Authorization header and one in its URL, and at least one of them is wrong"
            }
            Self { header: Some(_), .. } => "the key in its Authorization header is not one of RESTART_WEBHOOK_KEY",
            Self { .. } => "the key in its URL is not one of RESTART_WEBHOOK_KEY",
        }
    }
}

/// User name and password of a header. `None` for another scheme, such as that of a signature.
fn credentials(header: &str) -> Option<(String, String)> {
    let (scheme, rest) = header.split_once(' ').unwrap_or((header, ""));
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((rest.to_owned(), String::new()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = BASE64_STANDARD.decode(rest).unwrap_or_default();
    let decoded = String::from_utf8_lossy(&decoded);
    let (user, password) = decoded.split_once(':').unwrap_or((&decoded, ""));
    Some((user.to_owned(), password.to_owned()))
}
