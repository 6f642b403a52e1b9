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

/// How many parameters of a query or form are read. No sender has a hundredth of these; the limit bounds the work.
pub(crate) const MOST_PARAMETERS: usize = 10_000;

/// A name and its value.
pub(crate) type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// All parameters of a query. A sender that appends its own parameters to a URL with a query may use a second question
/// mark, so `?` separates parameters just as `&` does.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    pieces(query).flat_map(|piece| form_urlencoded::parse(piece.as_bytes())).take(MOST_PARAMETERS)
}

/// The parameters among which the service looks for its own: those before the first URL with a query. Some senders append
/// the URL of their webhook unencoded, with the key in it; the parameters of that URL are not addressed to the service.
pub(crate) fn own_parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    let before_url = pieces(query).take_while(|piece| !is_url_with_query(piece));
    before_url.flat_map(|piece| form_urlencoded::parse(piece.as_bytes())).take(MOST_PARAMETERS)
}

/// Splits at `&`, and at `?` except in a URL.
fn pieces(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').flat_map(|piece| {
        let (url, parts) = if is_url_with_query(piece) { (Some(piece), None) } else { (None, Some(piece.split('?'))) };
        url.into_iter().chain(parts.into_iter().flatten())
    })
}

fn is_url_with_query(piece: &str) -> bool {
    piece.split_once("://").is_some_and(|(_, rest)| rest.contains('?'))
}
