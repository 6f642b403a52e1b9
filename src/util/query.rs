//! Query strings as senders write them.

use std::borrow::Cow;

/// The parameter that carries the key.
pub(crate) const KEY: &str = "key";

/// The service's other parameters.
pub(crate) const PARAMETERS: [&str; 6] = ["app", "dyno", "scope", "force", DRY_RUN, ONLY_IF];

/// The parameter with which a person asks what would be restarted.
pub(crate) const DRY_RUN: &str = "dry_run";

/// The parameter that may be given several times.
pub(crate) const ONLY_IF: &str = "only_if";

/// How many parameters of a query are read, empty ones included. No sender has a tenth of these; the limit bounds what a
/// request without a key can cost.
const MOST_IN_QUERY: usize = 1_000;

/// How many parameters of a form are read, empty ones included.
pub(crate) const MOST_IN_FORM: usize = 10_000;

/// A name and its value.
pub(crate) type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// All parameters of a query. A sender that appends its own parameters to a URL with a query may use a second question
/// mark, so `?` separates parameters just as `&` does.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    pieces(query).flat_map(|piece| form_urlencoded::parse(piece.as_bytes()))
}

/// The parameters of a form in a body.
pub(crate) fn form(body: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    body.split(|byte| *byte == b'&').take(MOST_IN_FORM).flat_map(form_urlencoded::parse)
}

/// Whether a query has more parameters than are read.
pub(crate) fn has_too_many_parameters(query: &str) -> bool {
    all_pieces(query).nth(MOST_IN_QUERY).is_some()
}

/// The parameters among which the service looks for its own: those before the first URL with a query. Some senders append
/// the URL of their webhook unencoded, with the key in it; the parameters of that URL are not addressed to the service.
pub(crate) fn own_parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    let before_url = pieces(query).take_while(|piece| !is_url_with_query(piece));
    before_url.flat_map(|piece| form_urlencoded::parse(piece.as_bytes()))
}

fn pieces(query: &str) -> impl Iterator<Item = &str> {
    all_pieces(query).take(MOST_IN_QUERY)
}

/// Splits at `&`, and at `?` except in a URL.
fn all_pieces(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').flat_map(|piece| {
        let (url, parts) = if is_url_with_query(piece) { (Some(piece), None) } else { (None, Some(piece.split('?'))) };
        url.into_iter().chain(parts.into_iter().flatten())
    })
}

fn is_url_with_query(piece: &str) -> bool {
    piece.split_once("://").is_some_and(|(_, rest)| rest.contains('?'))
}
