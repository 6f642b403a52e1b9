//! Requests that are signed with a key instead of carrying it, in the scheme `LE`. A log service signs like this when the
//! URL of its webhook contains credentials (<https://docs.logentries.com/docs/webhookalert>).
//!
//! ```text
//! Authorization: LE user:signature
//! signature = base64( HMAC-SHA1( key, method \n Content-Type \n Content-Md5 \n Date \n path \n X-Le-Nonce ) )
//! ```
//!
//! The signed head contains the MD5 of the body, so the signature is checked before the body is read: a sender without a
//! key cannot make the service keep a body. The weaknesses of SHA-1 do not affect HMAC. A forged body would need a second
//! preimage of a given MD5, which nobody can compute.

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use axum::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::http::path::SentUri;

const SCHEME: &str = "LE ";
const CONTENT_MD5: &str = "content-md5";
const NONCE: &str = "x-le-nonce";

/// How far the date of a signature may be from our clock, in both directions.
const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// The signature of a request, not yet checked.
#[derive(Debug)]
pub struct Signature {
    tag: Vec<u8>,
    /// The texts that may have been signed: it is not documented whether the path includes the query.
    texts: [String; 2],
    body_md5: Vec<u8>,
    date: Option<Timestamp>,
    nonce: String,
}

/// A head that was signed with a key within the last minutes. Its body has not been compared yet.
#[derive(Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// Which of the keys, counted from 1.
    key_number: u64,
    body_md5: Vec<u8>,
    nonce: String,
}

/// What is wrong with a signature. The texts are for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or malformed.
    #[error("its signature is incomplete: the headers Content-Md5, Date and X-Le-Nonce are required")]
    Incomplete,
    /// It was not made with one of the keys.
    #[error("it is not signed with one of RESTART_WEBHOOK_KEY (the password in the URL), or was changed on the way")]
    Invalid,
    /// Its date is too old, or in the future.
    #[error("its signature is valid, but its Date is more than five minutes off")]
    Expired,
    /// The body is not the one that was signed.
    #[error("the body of a signed request is not the one that was signed")]
    BodyMismatch,
}

impl Signature {
    /// The signature of a request; `None` when the request is not signed.
    #[must_use]
    pub fn in_request(request: &Parts) -> Option<Result<Self, SignatureError>> {
        let header = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, credentials) = header.split_at_checked(SCHEME.len())?;
        let parse = || Self::parse(request, credentials).ok_or(SignatureError::Incomplete);
        scheme.eq_ignore_ascii_case(SCHEME).then(parse)
    }

    fn parse(request: &Parts, credentials: &str) -> Option<Self> {
        let header = |name: &str| request.headers.get(name)?.to_str().ok();
        let (_, tag) = credentials.trim().rsplit_once(':')?;
        let (body_md5, date, nonce) = (header(CONTENT_MD5)?, header(DATE.as_str())?, header(NONCE)?);
        let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
        // A path that is spelt differently was signed as it was sent.
        let uri = request.extensions.get().map_or(&request.uri, |SentUri(sent)| sent);
        let path = uri.path();
        let with_query = uri.path_and_query().map_or(path, |both| both.as_str());
        let text = |path| format!("{}\n{content_type}\n{body_md5}\n{date}\n{path}\n{nonce}", request.method);
        Some(Self {
            tag: BASE64_STANDARD.decode(tag).ok()?,
            texts: [text(path), text(with_query)],
            body_md5: BASE64_STANDARD.decode(body_md5).ok()?,
            date: rfc2822::DateTimeParser::new().parse_timestamp(date).ok(),
            nonce: nonce.to_owned(),
        })
    }

    /// Checks that the signature was made with one of these keys, within five minutes of `now`.
    ///
    /// # Errors
    /// When it was not. All keys are tried, so that the time does not tell which one matched.
    pub fn verify<'a>(
        self,
        keys: impl IntoIterator<Item = &'a hmac::Key>,
        now: Timestamp,
    ) -> Result<SignedHead, SignatureError> {
        let is_made_with = |key: &hmac::Key| {
            self.texts.iter().fold(Choice::from(0), |is_valid, text| {
                let expected = hmac::sign(key, text.as_bytes());
                is_valid | expected.as_ref().ct_eq(&self.tag)
            })
        };
        let numbered = (1..).zip(keys);
        let key_number =
            numbered.fold(0, |found, (number, key)| u64::conditional_select(&found, &number, is_made_with(key)));
        if key_number == 0 {
            return Err(SignatureError::Invalid);
        }
        let is_recent = self.date.is_some_and(|date| now.duration_since(date).abs() <= TOLERANCE);
        if !is_recent {
            return Err(SignatureError::Expired);
        }
        Ok(SignedHead { key_number, body_md5: self.body_md5, nonce: self.nonce })
    }
}

impl SignedHead {
    /// Checks that the body is the one that was signed.
    pub(super) fn verify_body(&self, body: &[u8]) -> Result<(), SignatureError> {
        let is_signed: bool = md5::compute(body).0.as_slice().ct_eq(&self.body_md5).into();
        if is_signed { Ok(()) } else { Err(SignatureError::BodyMismatch) }
    }

    /// Which of the keys it was signed with, counted from 1.
    #[must_use]
    pub fn key_number(&self) -> u64 {
        self.key_number
    }

    /// A text that is different in each signed request.
    #[must_use]
    pub fn into_nonce(self) -> String {
        self.nonce
    }
}

/// A key to check signatures with.
#[must_use]
pub fn key(key: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes())
}
