//! Who may ask for a restart: everybody who knows one of the keys.
//!
//! [`Access`] among the arguments of a handler is the check of the request's head, which runs before the body is read. A
//! request that carries a key is then [`Authorized`]; a signed one ([`signature`]) only once its body has been compared
//! with what was signed, see [`Access::with_body`].

pub mod signature;

use std::convert::Infallible;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use aws_lc_rs::hmac;
use axum::body::Bytes;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use signature::{Signature, SignatureError, SignedHead};
use subtle::{Choice, ConstantTimeEq};
use tracing::warn;

use super::body::{Completeness, ReceivedBody};
use super::respond::ResponseFormat;
use crate::util::log_throttle::LogThrottle;
use crate::util::query::{KEY, own_parameters};

/// The configured keys.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    keys: Arc<[Key]>,
    refusals: LogThrottle,
}

#[derive(Debug)]
struct Key {
    /// Comparing digests takes the same time whatever key was sent, and however long it is.
    digest: Digest,
    signing: hmac::Key,
}

/// Proof that a request may ask for a restart. Only this module can make one.
#[derive(Debug)]
pub(crate) struct Authorized {
    nonce: Option<String>,
}

/// A request whose head was accepted.
#[derive(Debug)]
pub(crate) enum Access {
    /// It carries a key.
    Key(Authorized),
    /// Its head is signed with a key. Its body has not been compared with the signature yet.
    Signature(SignedHead),
}

type Digest = [u8; SHA256_OUTPUT_LEN];

/// The keys that a request carries.
#[derive(Default)]
struct Presented {
    /// The token of `Bearer`, or user name and password of `Basic`: some senders put the key in one, some in the other.
    header: Option<(String, String)>,
    /// `?key=`.
    query: Option<String>,
    /// The same including the text behind a second question mark, which may be a part of the key.
    long_query: Option<String>,
    signature: Option<Result<Signature, SignatureError>>,
    /// There is more than one key in the same place; nobody sends that in good faith.
    is_repeated: bool,
}

impl Keys {
    /// Accepts any of these keys, so that a key can be rotated without a gap.
    #[must_use]
    pub(crate) fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Self {
        let key = |key: K| Key { digest: sha256(key.as_ref()), signing: signature::key(key.as_ref()) };
        Self { keys: keys.into_iter().map(key).collect(), refusals: LogThrottle::default() }
    }

    /// Checks the head of a request.
    ///
    /// # Errors
    /// When the request carries no key or a wrong one. The text says which; it is meant for the log.
    pub(crate) fn check(&self, request: &Parts) -> Result<Access, String> {
        let mut presented = Presented::in_request(request);
        let has_key = presented.header.is_some() || presented.query.is_some() || presented.is_repeated;
        match presented.signature.take() {
            Some(signature) if !has_key => {
                let keys = self.keys.iter().map(|key| &key.signing);
                let signed = signature.and_then(|signature| signature.verify(keys, Timestamp::now()));
                signed.map(Access::Signature).map_err(|error| error.to_string())
            }
            _ if self.accepts(&presented) => Ok(Access::Key(Authorized { nonce: None })),
            _ => Err(presented.problem().to_owned()),
        }
    }

    /// Whether there is a key and every key is right.
    fn accepts(&self, presented: &Presented) -> bool {
        // An absent key takes no time to check. That tells a sender of no key only that it sent none.
        let knows = |key: Option<&String>| key.map_or(Choice::from(0), |key| self.knows(key));
        let (user, password) = presented.header.as_ref().map(|(user, password)| (user, password)).unzip();
        let header_is_right = knows(user) | knows(password.filter(|password| !password.is_empty()));
        let query_is_right = knows(presented.query.as_ref()) | knows(presented.long_query.as_ref());
        let no_header = Choice::from(u8::from(presented.header.is_none()));
        let no_query = Choice::from(u8::from(presented.query.is_none()));
        let is_right = (no_header | header_is_right) & (no_query | query_is_right) & !(no_header & no_query);
        (is_right & !Choice::from(u8::from(presented.is_repeated))).into()
    }

    fn knows(&self, key: &str) -> Choice {
        let given = sha256(key);
        self.keys.iter().fold(Choice::from(0), |known, key| known | key.digest.ct_eq(&given))
    }

    /// Counts a refused request and logs the reason, at most once a minute.
    pub(crate) fn log_refusal(&self, problem: &str) {
        if let Some(refused) = self.refusals.should_log() {
            let requests =
                if refused == 1 { "a request:".to_owned() } else { format!("{refused} requests, the last one:") };
            warn!(refused, "refused {requests} {problem}");
        }
    }
}

impl Access {
    /// Completes the check and returns the body that may be used. Of a signed request, a body that did not arrive completely
    /// cannot be compared, so nothing of that body is returned; the request itself is authorised by its head.
    ///
    /// # Errors
    /// When the body is not the one that was signed.
    pub(crate) fn with_body(self, body: ReceivedBody) -> Result<(Authorized, ReceivedBody), SignatureError> {
        match self {
            Self::Key(authorized) => Ok((authorized, body)),
            Self::Signature(signed) => {
                let body = match body.completeness {
                    Completeness::Complete => ReceivedBody { bytes: signed.verify_body(body.bytes)?, ..body },
                    Completeness::TooLarge | Completeness::CutOff => ReceivedBody { bytes: Bytes::new(), ..body },
                };
                Ok((Authorized { nonce: Some(signed.into_nonce()) }, body))
            }
        }
    }
}

impl Authorized {
    /// The nonce of a signed request, which must not be accepted twice.
    pub(crate) fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

impl<S> FromRequestParts<S> for Access
where
    S: Send + Sync,
    Keys: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let keys = Keys::from_ref(state);
        keys.check(parts).map_err(|problem| {
            keys.log_refusal(&problem);
            refusal(ResponseFormat::requested(&parts.headers))
        })
    }
}

/// For a handler that refuses nobody but treats requests with a key differently. Nothing is logged.
impl<S> OptionalFromRequestParts<S> for Access
where
    S: Send + Sync,
    Keys: FromRef<S>,
{
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Infallible> {
        Ok(Keys::from_ref(state).check(parts).ok())
    }
}

/// The response to a request that is not authorised.
pub(crate) fn refusal(format: ResponseFormat) -> Response {
    format.error(StatusCode::FORBIDDEN, "You are not allowed to restart the dynos")
}

impl Presented {
    fn in_request(request: &Parts) -> Self {
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
            let mut keys = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == KEY);
            presented.long_query = keys.next().map(|(_, key)| key.replace(' ', "+"));
        }
        presented
    }

    /// Why the request is refused, given that it is refused. Only for the log.
    fn problem(&self) -> &'static str {
        match self {
            Self { is_repeated: true, .. } => "it has more than one key in the same place",
            Self { header: None, query: None, .. } => {
                "it has no key: send `Authorization: Bearer KEY`, or ?key=KEY in the URL"
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

fn sha256(key: &str) -> Digest {
    let mut bytes = Digest::default();
    bytes.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
    bytes
}
