//! The query of a URL, as senders write it.

use std::borrow::Cow;

/// No sender has a hundredth of these; work stays bounded.
const MOST_PARAMETERS: usize = 10_000;

/// The parameters of a query. A sender that appends its own to a URL with a query may do so with a second question mark.
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let parts = query.split('?').flat_map(|part| form_urlencoded::parse(part.as_bytes()));
    parts.take(MOST_PARAMETERS)
}
