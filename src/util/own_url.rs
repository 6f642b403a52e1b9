//! The URL by which this service is reached. Nothing in the environment says it, so requests do.

use std::sync::{Arc, PoisonError, RwLock};

/// The longest host name of DNS has 253 characters. A message to a chat has no room for a name that long.
const LONGEST_HOST: usize = 80;

/// The URL of the page, as the latest request names it that carried a valid key. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct OwnUrl(Arc<RwLock<Option<(bool, String)>>>);

impl OwnUrl {
    /// A request with a valid key named this host, over HTTPS or not. Anything but a plain host and port is ignored.
    pub(crate) fn note(&self, is_https: bool, host: &str) {
        let is_known = |known: &Option<(bool, String)>| {
            known.as_ref().is_some_and(|(was_https, known)| *was_https == is_https && known == host)
        };
        if !is_known(&self.0.read().unwrap_or_else(PoisonError::into_inner)) && is_host(host) {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some((is_https, host.to_owned()));
        }
    }

    /// The URL of the page, if a request named it.
    pub(crate) fn page(&self) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(is_https, host)| format!("{}://{host}/", if *is_https { "https" } else { "http" }))
    }
}

/// Whether this is the name of a host and perhaps a port. A person does not open a page by an IPv6 address.
fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "0"));
    let is_label = |label: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_plain)
    };
    host.len() <= LONGEST_HOST && name.split('.').all(is_label) && port.parse::<u16>().is_ok()
}
