//! Who may ask for a restart: whoever knows one of the keys. [`Authorized`] in a handler's arguments *is* the check; it
//! runs before the body is read. Only the body of a signed request is yet to be compared with what was signed
//! ([`signature`]).

pub mod signature;

use std::convert::Infallible;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::hmac;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use signature::{Signature, Signed};
use subtle::{Choice, ConstantTimeEq};
use tracing::warn;

use crate::http::respond::Format;
use crate::util::log_throttle::Sparing;
use crate::util::query::{KEY, own_parameters};

/// The keys that open the door.
#[derive(Clone, Debug)]
pub struct Keys {
    keys: Arc<[Key]>,
    refusals: Sparing,
}

#[derive(Debug)]
struct Key {
    /// Comparing digests takes the same time whatever was sent, and however long.
    digest: Digest,
    signing: hmac::Key,
}

/// Proof that a request carries a key, or is signed with one.
#[derive(Debug)]
pub struct Authorized {
    /// What its body must be, if it is signed.
    pub signed: Option<Signed>,
}

type Digest = [u8; SHA256_OUTPUT_LEN];

/// A key as a request presents it.
#[derive(Default)]
struct Presented {
    /// The token of `Bearer`, or user name and password of `Basic`: some senders put the key in one, some in the other.
    header: Option<(String, String)>,
    /// `?key=`.
    query: Option<String>,
    /// The same with what stands behind a second question mark, which may be a part of the key.
    long_query: Option<String>,
    signature: Option<Result<Signature, signature::Fault>>,
    /// A key is there more than once in the same place; nobody sends that in good faith.
    repeated: bool,
}

impl Keys {
    /// Any of these keys will do, so that a key can be rotated without a gap.
    #[must_use]
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        let key = |key: K| Key { digest: sha256(key.as_ref()), signing: signature::key(key.as_ref()) };
        Self { keys: keys.into_iter().map(key).collect(), refusals: Sparing::default() }
    }

    /// Whether a request may ask for a restart; if not, why, for the log.
    ///
    /// # Errors
    /// When it has no key, or a wrong one.
    pub fn check(&self, request: &Parts) -> Result<Authorized, String> {
        self.admit(&mut Presented::in_request(request))
    }

    /// Every key presented must be right, and there must be one; a signature counts where there is none.
    fn admit(&self, presented: &mut Presented) -> Result<Authorized, String> {
        let is_signed = presented.header.is_none() && presented.query.is_none() && !presented.repeated;
        if is_signed && let Some(signature) = presented.signature.take() {
            let keys = self.keys.iter().map(|key| &key.signing);
            let signed = signature.and_then(|signature| signature.verify(keys, Timestamp::now()));
            return signed.map(|signed| Authorized { signed: Some(signed) }).map_err(|fault| fault.to_string());
        }
        // What is absent takes no time, which tells whoever sent nothing that they sent nothing.
        let knows = |key: Option<&String>| key.map_or(Choice::from(0), |key| self.knows(key));
        let (user, password) = presented.header.as_ref().map(|(user, password)| (user, password)).unzip();
        let header_is_right = knows(user) | knows(password.filter(|password| !password.is_empty()));
        let query_is_right = knows(presented.query.as_ref()) | knows(presented.long_query.as_ref());
        let no_header = Choice::from(u8::from(presented.header.is_none()));
        let no_query = Choice::from(u8::from(presented.query.is_none()));
        let allowed = (no_header | header_is_right) & (no_query | query_is_right) & !(no_header & no_query);
        let is_allowed = allowed & !Choice::from(u8::from(presented.repeated));
        if is_allowed.into() { Ok(Authorized { signed: None }) } else { Err(presented.fault().to_owned()) }
    }

    fn knows(&self, key: &str) -> Choice {
        let given = sha256(key);
        self.keys.iter().fold(Choice::from(0), |known, key| known | key.digest.ct_eq(&given))
    }

    /// Counts a refusal, and tells of it now and then.
    pub fn note_refusal(&self, fault: &str) {
        if let Some(refused) = self.refusals.count() {
            let requests =
                if refused == 1 { "a request:".to_owned() } else { format!("{refused} requests, the last one:") };
            warn!(refused, "refused {requests} {fault}");
        }
    }
}

impl<S> FromRequestParts<S> for Authorized
where
    S: Send + Sync,
    Keys: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let keys = Keys::from_ref(state);
        keys.check(parts).map_err(|fault| {
            keys.note_refusal(&fault);
            refusal(Format::asked_for(&parts.headers))
        })
    }
}

/// What whoever knows no key is answered.
#[must_use]
pub fn refusal(format: Format) -> Response {
    format.error(StatusCode::FORBIDDEN, "You are not allowed to restart the dynos")
}

/// Where a key is not asked for but makes a difference. Nobody is refused, so nothing is told.
impl<S> OptionalFromRequestParts<S> for Authorized
where
    S: Send + Sync,
    Keys: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Infallible> {
        Ok(Keys::from_ref(state).check(parts).ok())
    }
}

impl Presented {
    fn in_request(request: &Parts) -> Self {
        let mut presented = Self { signature: Signature::in_request(request), ..Self::default() };
        for header in request.headers.get_all(AUTHORIZATION) {
            let credentials = header.to_str().map_or_else(|_| Some(Default::default()), credentials);
            if let Some(credentials) = credentials {
                presented.repeated |= presented.header.replace(credentials).is_some();
            }
        }
        let query = request.uri.query().unwrap_or_default();
        // No key has a space in it, so one here was a `+` that should have been written `%2B`.
        for (_, key) in own_parameters(query).filter(|(name, _)| name == KEY) {
            presented.repeated |= presented.query.replace(key.replace(' ', "+")).is_some();
        }
        if query.contains('?') {
            let mut keys = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == KEY);
            presented.long_query = keys.next().map(|(_, key)| key.replace(' ', "+"));
        }
        presented
    }

    /// What is wrong with it, given that something is. For the log alone.
    fn fault(&self) -> &'static str {
        match self {
            Self { repeated: true, .. } => "it has its key twice",
            Self { header: None, query: None, .. } => {
                "it has no key: send `Authorization: Bearer KEY`, or ?key=KEY in the URL"
            }
            Self { header: Some(_), query: Some(_), .. } => "of its keys, in the header and in the URL, one is wrong",
            Self { header: Some(_), .. } => "the key in its Authorization header is not one of RESTART_WEBHOOK_KEY",
            Self { .. } => "the key in its URL is not one of RESTART_WEBHOOK_KEY",
        }
    }
}

/// `None` for another scheme; signatures have one.
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

fn sha256(key: &str) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    bytes
}
