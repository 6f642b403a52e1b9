//! Who may ask for a restart: everybody who knows one of the keys.
//!
//! [`Access`] among the arguments of a handler is the check of the request's head, which runs before the body is read. A
//! request that carries a key is then [`Authorized`]; a signed one ([`signature`]) only once its body has been compared
//! with what was signed, see [`Access::with_body`].

mod key;
mod presented;
pub mod signature;

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequestParts, OptionalFromRequestParts};
use axum::http::header::{AUTHORIZATION, HOST, HeaderName, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use key::{Key, PaddedKey};
use presented::Presented;
use ring::hmac;
use signature::{SignatureError, SignedHead};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tracing::warn;

pub(crate) use key::NamedKey;

use super::body::{Completeness, ReceivedBody};
use super::recent::RecentAlerts;
use super::respond::ResponseFormat;
use crate::util::log_throttle::LogThrottle;
use crate::util::own_url::OwnUrl;
use crate::util::secrets::Secrets;

/// The configured keys, and what is remembered of the requests that carry them. Each request makes a clone, which is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    all: Vec<Key>,
    refusals: LogThrottle,
    recent: RecentAlerts,
    own_url: OwnUrl,
    secrets: Secrets,
}

/// Proof that a request may ask for a restart. Only this module can make one.
#[derive(Debug)]
pub(crate) struct Authorized {
    key: Arc<str>,
    user: Option<String>,
    nonce: Option<String>,
}

/// Why a request is not authorised.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// For the log.
    pub(crate) problem: Cow<'static, str>,
    /// Whether the request has no credentials at all. Some clients send them only when they are asked to.
    pub(crate) is_anonymous: bool,
}

/// A request whose head was accepted.
#[derive(Debug)]
pub(crate) enum Access {
    /// It carries a key.
    Key(Authorized),
    /// Its head is signed with a key. Its body has not been compared with the signature yet.
    Signature(SignedHead),
}

/// Asks a client for a user name and a password, of which one is the key (RFC 7617).
pub(crate) const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="dyno-restarter", charset="UTF-8""#);

/// Heroku's router says by which scheme it was called.
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

impl Keys {
    /// Accepts any of these keys, so that a key can be rotated without a gap. `secrets` are what the log,
    /// the page and the responses never show.
    #[must_use]
    pub(crate) fn new<'a>(keys: impl IntoIterator<Item = NamedKey<'a>>, secrets: Secrets) -> Self {
        Self(Arc::new(Shared {
            all: (1..).zip(keys).map(|(number, key)| Key::new(number, &key)).collect(),
            refusals: LogThrottle::default(),
            recent: RecentAlerts::new(secrets.clone()),
            own_url: OwnUrl::default(),
            secrets,
        }))
    }

    /// Checks the head of a request.
    ///
    /// # Errors
    /// When the request carries no key or a wrong one.
    pub(crate) fn check(&self, request: &Parts) -> Result<Access, Refusal> {
        let access = self.access(request)?;
        if let Some(host) = request.headers.get(HOST).and_then(|host| host.to_str().ok()) {
            let is_https = request.headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
            self.0.own_url.note(is_https, host);
        }
        Ok(access)
    }

    fn access(&self, request: &Parts) -> Result<Access, Refusal> {
        let mut presented = Presented::in_request(request);
        let has_key = presented.header.is_some() || presented.query.is_some() || presented.is_repeated;
        match presented.signature.take() {
            Some(signature) if !has_key => {
                let keys = self.0.all.iter().map(|key| &key.signing);
                let signed = signature.and_then(|signature| signature.verify(keys, Timestamp::now()));
                signed.map(Access::Signature).map_err(|error| Refusal::new(error.to_string()))
            }
            _ => match self.accepted(&presented) {
                Some((key, user)) => Ok(Access::Key(Authorized { key, user, nonce: None })),
                None if !has_key && !request.headers.contains_key(AUTHORIZATION) => Err(Refusal::anonymous()),
                None => Err(Refusal::new(presented.problem())),
            },
        }
    }

    /// The name of the key, and the user name beside it, if there is a key and every key is right.
    fn accepted(&self, presented: &Presented) -> Option<(Arc<str>, Option<String>)> {
        // An absent key takes no time to check. That tells a sender of no key only that it sent none.
        let number = |key: Option<&String>| key.map_or(0, |key| self.number(key));
        let (user, password) = presented.header.as_ref().map(|(user, password)| (user, password)).unzip();
        let (by_user, by_password) = (number(user), number(password.filter(|password| !password.is_empty())));
        let (by_query, by_long_query) = (number(presented.query.as_ref()), number(presented.long_query.as_ref()));
        let (header, query) = (by_user | by_password, by_query | by_long_query);
        let no_header = Choice::from(u8::from(presented.header.is_none()));
        let no_query = Choice::from(u8::from(presented.query.is_none()));
        let is_right = (no_header | !header.ct_eq(&0)) & (no_query | !query.ct_eq(&0)) & !(no_header & no_query);
        if !bool::from(is_right & !Choice::from(u8::from(presented.is_repeated))) {
            return None;
        }
        let number = [by_password, by_user, by_query, by_long_query].into_iter().find(|number| *number > 0)?;
        let user = user.filter(|user| by_user == 0 && by_password > 0 && !user.is_empty()).cloned();
        Some((self.name(number), user))
    }

    /// The number of this key, counted from 1; 0 for any other text. It takes the same time for every text.
    fn number(&self, key: &str) -> u64 {
        let given = PaddedKey::of(key);
        let numbered = (1..).zip(self.0.all.iter());
        numbered.fold(0, |known, (number, key)| u64::conditional_select(&known, &number, key.padded.ct_eq(&given)))
    }

    fn name(&self, number: u64) -> Arc<str> {
        let at = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        at.and_then(|at| self.0.all.get(at)).map(|key| Arc::clone(&key.name)).unwrap_or_default()
    }

    /// The latest requests that led to nothing.
    pub(crate) fn recent(&self) -> &RecentAlerts {
        &self.0.recent
    }

    /// What the log, the page and the responses never show.
    pub(crate) fn secrets(&self) -> &Secrets {
        &self.0.secrets
    }

    /// The URL of the page, as requests with a valid key name it.
    pub(crate) fn own_url(&self) -> &OwnUrl {
        &self.0.own_url
    }

    /// A token that only somebody who knows the first key can know, for the forms of the page. It stays the same for as long
    /// as the key does.
    pub(crate) fn form_token(&self) -> String {
        let signed = self.0.all.first().map(|key| hmac::sign(&key.signing, b"the forms of the page"));
        signed.map(|tag| BASE64_URL_SAFE_NO_PAD.encode(tag.as_ref())).unwrap_or_default()
    }

    /// Writes the log lines that wait for the end of their minute. The process is about to end.
    pub(super) fn flush_log(&self) {
        self.0.refusals.flush();
    }

    /// Logs why a request was refused, at most twice a minute for each reason.
    pub(crate) fn log_refusal(&self, Refusal { problem, .. }: &Refusal) {
        self.0.recent.add("refused", None, "", problem);
        self.0.refusals.log_with(problem, || {
            let problem = problem.clone();
            move |times| warn!(count = times.count(), "refused a request: {problem}{times}")
        });
    }
}

impl Access {
    /// What the log calls the key of the request.
    pub(crate) fn key(&self, keys: &Keys) -> Arc<str> {
        match self {
            Self::Key(authorized) => Arc::clone(&authorized.key),
            Self::Signature(signed) => keys.name(signed.key_number()),
        }
    }

    /// Completes the check and returns the body that may be used. Of a signed request, a body that did not arrive completely
    /// cannot be compared, so nothing of that body is returned; the request itself is authorised by its head.
    ///
    /// # Errors
    /// When the body is not the one that was signed.
    pub(crate) fn with_body(
        self,
        body: ReceivedBody,
        keys: &Keys,
    ) -> Result<(Authorized, ReceivedBody), SignatureError> {
        match self {
            Self::Key(authorized) => Ok((authorized, body)),
            Self::Signature(signed) => {
                let body = match body.completeness {
                    Completeness::Complete => {
                        signed.verify_body(&body.bytes)?;
                        body
                    }
                    Completeness::TooLarge | Completeness::CutOff => body.with_bytes(Bytes::new()),
                };
                let key = keys.name(signed.key_number());
                Ok((Authorized { key, user: None, nonce: Some(signed.into_nonce()) }, body))
            }
        }
    }
}

impl Authorized {
    /// What the log calls the key of the request.
    pub(crate) fn key(&self) -> &Arc<str> {
        &self.key
    }

    /// The user name of HTTP Basic, where the password is the key. Only the sender chooses it.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

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
        keys.check(parts).map_err(|refusal| {
            keys.log_refusal(&refusal);
            refusal.response(ResponseFormat::requested(&parts.headers))
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

impl Refusal {
    pub(crate) fn new(problem: impl Into<Cow<'static, str>>) -> Self {
        Self { problem: problem.into(), is_anonymous: false }
    }

    fn anonymous() -> Self {
        let problem = "it has no key: send `Authorization: Bearer KEY`, or ?key=KEY in the URL";
        Self { problem: problem.into(), is_anonymous: true }
    }

    /// The response to the request. It asks for credentials where none came: clients such as wget send them only then.
    pub(crate) fn response(&self, format: ResponseFormat) -> Response {
        let text = "You are not allowed to restart the dynos";
        if self.is_anonymous {
            ([(WWW_AUTHENTICATE, CHALLENGE)], format.error(StatusCode::UNAUTHORIZED, text)).into_response()
        } else {
            format.error(StatusCode::FORBIDDEN, text)
        }
    }
}
