//! The URL by which this service is reached. Nothing in the environment says it, so requests do.

use std::sync::{Arc, Mutex, PoisonError};

/// The longest host name of DNS has 253 characters. A message to a chat has no room for such a one.
const LONGEST_HOST: usize = 80;

/// The URL of the page, as the latest request names it that carried a valid key. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnUrl(Arc<Mutex<Option<(bool, String)>>>);

impl OwnUrl {
    /// A request with a valid key named this host, over HTTPS or not. Anything but a plain host and port is ignored.
    pub(crate) fn note(&self, is_https: bool, host: &str) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = known.as_ref().is_some_and(|(was_https, known)| *was_https == is_https && known == host);
        if !is_known && is_host(host) {
            *known = Some((is_https, host.to_owned()));
        }
    }

    /// The URL of the page, if a request told it.
    pub(crate) fn page(&self) -> Option<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(is_https, host)| format!("{}://{host}/", if *is_https { "https" } else { "http" }))
    }
}

fn is_host(host: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    (1..=LONGEST_HOST).contains(&host.len()) && host.bytes().all(is_plain)
}
