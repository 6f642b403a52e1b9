//! The query of a URL, as senders write it.

use std::borrow::Cow;

/// The parameter that carries the key.
pub const KEY: &str = "key";

/// The service's other parameters.
pub const PARAMETERS: [&str; 5] = ["app", "dyno", "scope", "force", "dry_run"];

/// Of a query or a form. No sender has a hundredth of these; work stays bounded.
pub const MOST_PARAMETERS: usize = 10_000;

/// A name and its value.
pub type Parameter<'a> = (Cow<'a, str>, Cow<'a, str>);

/// All parameters of a query. A sender that appends its own to a URL with a query may do so with a second question mark.
pub fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    pieces(query).flat_map(|piece| form_urlencoded::parse(piece.as_bytes())).take(MOST_PARAMETERS)
}

/// The parameters in which the service looks for its own. Some senders echo the URL of their webhook, key and all, as it
/// stands: from there on nothing is ours, for what is ours comes first.
pub fn own_parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    let ours = pieces(query).take_while(|piece| !is_url_with_query(piece));
    ours.flat_map(|piece| form_urlencoded::parse(piece.as_bytes())).take(MOST_PARAMETERS)
}

fn pieces(query: &str) -> impl Iterator<Item = &str> {
    query.split('&').flat_map(|piece| {
        let (whole, apart) =
            if is_url_with_query(piece) { (Some(piece), None) } else { (None, Some(piece.split('?'))) };
        whole.into_iter().chain(apart.into_iter().flatten())
    })
}

fn is_url_with_query(piece: &str) -> bool {
    piece.split_once("://").is_some_and(|(_, rest)| rest.contains('?'))
}
