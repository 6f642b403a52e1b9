//! A key, and how the key of a request is compared with it.

use std::fmt;
use std::sync::Arc;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use ring::hmac;
use subtle::{Choice, ConstantTimeEq};

use super::signature;

/// A key as `RESTART_WEBHOOK_KEY` gives it.
#[derive(Debug)]
pub(crate) struct NamedKey<'a> {
    /// The name by which the log calls the key.
    pub(crate) name: Option<&'a str>,
    /// The secret itself.
    pub(crate) secret: &'a str,
}

/// A key that is accepted.
#[derive(Debug)]
pub(super) struct Key {
    /// What the log calls it: its name, or its place in `RESTART_WEBHOOK_KEY`, counted from 1.
    pub(super) name: Arc<str>,
    /// What the key of a request is compared with.
    pub(super) padded: PaddedKey,
    /// Verifies signatures that were made with it.
    pub(super) signing: hmac::Key,
}

/// A key, padded with zeros to a fixed size: comparing takes the same time whatever key was sent, and however long it is. As
/// in HMAC (RFC 2104), a key that is longer than that is replaced by its digest.
pub(super) struct PaddedKey {
    words: [u64; PaddedKey::LEN / 8],
    /// The length of the key, so that padding makes no two keys equal.
    key_length: u64,
}

impl Key {
    /// The key at this place in `RESTART_WEBHOOK_KEY`, counted from 1.
    pub(super) fn new(number: usize, NamedKey { name, secret }: &NamedKey<'_>) -> Self {
        Self {
            name: name.map_or_else(|| number.to_string().into(), Arc::from),
            padded: PaddedKey::of(secret),
            signing: signature::key(secret),
        }
    }
}

impl PaddedKey {
    /// In bytes. The key that the README has people make fits.
    const LEN: usize = 64;

    pub(super) fn of(key: &str) -> Self {
        let mut bytes = [0; Self::LEN];
        match bytes.get_mut(..key.len()) {
            Some(place) => place.copy_from_slice(key.as_bytes()),
            None => bytes[..SHA256_OUTPUT_LEN].copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref()),
        }
        let (eights, _) = bytes.as_chunks();
        let words = std::array::from_fn(|at| u64::from_ne_bytes(eights[at]));
        Self { words, key_length: u64::try_from(key.len()).unwrap_or(u64::MAX) }
    }
}

impl ConstantTimeEq for PaddedKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.words.ct_eq(&other.words) & self.key_length.ct_eq(&other.key_length)
    }
}

/// Shows nothing of the key.
impl fmt::Debug for PaddedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PaddedKey(..)")
    }
}
