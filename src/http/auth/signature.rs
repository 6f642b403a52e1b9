//! Requests that are signed with a key instead of carrying it: the scheme `LE`, in which a log service signs when there
//! are credentials in the URL of its webhook (<https://docs.logentries.com/docs/webhookalert>).
//!
//! ```text
//! Authorization: LE user:signature
//! signature = base64( HMAC-SHA1( key, method \n Content-Type \n Content-Md5 \n Date \n path \n X-Le-Nonce ) )
//! ```
//!
//! The head vouches for the body by its MD5, so that the signature is checked before the body is read: nobody without a
//! key makes the service keep one. SHA-1 is as good as ever inside of an HMAC; the body rests on nobody finding a second
//! text of a given MD5, which nobody can.

use aws_lc_rs::hmac;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, DATE};
use axum::http::request::Parts;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use subtle::{Choice, ConstantTimeEq};

const SCHEME: &str = "LE ";
const CONTENT_MD5: &str = "content-md5";
const NONCE: &str = "x-le-nonce";

/// How far the time of a signature may be from ours, in both directions.
pub const TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// A signed head, as it arrived. Nothing of it is checked yet.
#[derive(Debug)]
pub struct Signature {
    tag: Vec<u8>,
    /// What may have been signed. Whether the query belongs to the path is not documented, so both are tried.
    texts: [String; 2],
    body_md5: Vec<u8>,
    at: Option<Timestamp>,
    nonce: String,
}

/// A head that was signed with a key, lately. Its body is yet to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    body_md5: Vec<u8>,
    /// Is used once.
    pub nonce: String,
}

/// What is wrong with a signature. The texts are for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A header is missing.
    #[error("its signature is not whole: Content-Md5, Date and X-Le-Nonce belong to it")]
    Incomplete,
    /// No key gives this signature.
    #[error("it is not signed with one of RESTART_WEBHOOK_KEY (the password in the URL), or was changed on the way")]
    Wrong,
    /// It is too old, or of the future.
    #[error("its signature is right, but its Date is more than five minutes off")]
    Untimely,
}

impl Signature {
    /// `None` when the request is not signed.
    #[must_use]
    pub fn in_request(request: &Parts) -> Option<Result<Self, Fault>> {
        let header = request.headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, credentials) = header.split_at_checked(SCHEME.len())?;
        scheme.eq_ignore_ascii_case(SCHEME).then(|| Self::parse(request, credentials).ok_or(Fault::Incomplete))
    }

    fn parse(request: &Parts, credentials: &str) -> Option<Self> {
        let header = |name: &str| request.headers.get(name)?.to_str().ok();
        let (_, tag) = credentials.trim().rsplit_once(':')?;
        let (body_md5, date, nonce) = (header(CONTENT_MD5)?, header(DATE.as_str())?, header(NONCE)?);
        let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
        let path = request.uri.path();
        let with_query = request.uri.path_and_query().map_or(path, |both| both.as_str());
        let text = |path| format!("{}\n{content_type}\n{body_md5}\n{date}\n{path}\n{nonce}", request.method);
        Some(Self {
            tag: BASE64_STANDARD.decode(tag).ok()?,
            texts: [text(path), text(with_query)],
            body_md5: BASE64_STANDARD.decode(body_md5).ok()?,
            at: rfc2822::DateTimeParser::new().parse_timestamp(date).ok(),
            nonce: nonce.to_owned(),
        })
    }

    /// Whether it was made with one of these keys, and lately.
    ///
    /// # Errors
    /// When it was not. All keys are tried whatever comes of the first.
    pub fn verify<'a>(self, keys: impl IntoIterator<Item = &'a hmac::Key>, now: Timestamp) -> Result<Signed, Fault> {
        let is_made_with = |key: &hmac::Key| {
            self.texts.iter().fold(Choice::from(0), |is_right, text| {
                let right = hmac::sign(key, text.as_bytes());
                is_right | right.as_ref().ct_eq(&self.tag)
            })
        };
        let is_right = keys.into_iter().fold(Choice::from(0), |is_right, key| is_right | is_made_with(key));
        if !bool::from(is_right) {
            return Err(Fault::Wrong);
        }
        let is_timely = self.at.is_some_and(|at| now.duration_since(at).abs() <= TOLERANCE);
        if !is_timely {
            return Err(Fault::Untimely);
        }
        Ok(Signed { body_md5: self.body_md5, nonce: self.nonce })
    }
}

impl Signed {
    /// Whether this is the body that was signed.
    #[must_use]
    pub fn vouches_for(&self, body: &[u8]) -> bool {
        md5::compute(body).0.as_slice().ct_eq(&self.body_md5).into()
    }
}

/// A key to check signatures with.
#[must_use]
pub fn key(key: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes())
}
