//! Query strings as senders write them.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

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

/// The parameter in a piece of a query or a form, without its `&`. An empty piece is none.
fn parameter(piece: &[u8]) -> Option<Parameter<'_>> {
    let (name, value) = match memchr(b'=', piece) {
        Some(at) => (&piece[..at], &piece[at + 1..]),
        None => (piece, &[][..]),
    };
    (!piece.is_empty()).then(|| (decoded(name), decoded(value)))
}

/// Decodes `+` and `%20` (<https://url.spec.whatwg.org/#urlencoded-parsing>). A `%` that begins no escape stays.
fn decoded(text: &[u8]) -> Cow<'_, str> {
    let Some(first) = memchr2(b'+', b'%', text) else { return String::from_utf8_lossy(text) };
    // Decoding makes a text shorter, so the result has room where the text was.
    let mut bytes = text.to_vec();
    let (mut from, mut to) = (first, first);
    while let Some(&byte) = text.get(from) {
        let escaped = if byte == b'%' { escaped(&text[from + 1..]) } else { None };
        bytes[to] = escaped.unwrap_or(if byte == b'+' { b' ' } else { byte });
        from += if escaped.is_some() { 3 } else { 1 };
        to += 1;
    }
    bytes.truncate(to);
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()).into()
}

/// The byte whose two hexadecimal digits the text begins with.
fn escaped(text: &[u8]) -> Option<u8> {
    let [high, low, ..] = text else { return None };
    let (high, low) = (DIGITS[usize::from(*high)], DIGITS[usize::from(*low)]);
    (high | low < 16).then_some(high << 4 | low)
}

/// The values of hexadecimal digits by their bytes; 255 for all other bytes.
const DIGITS: [u8; 256] = {
    let mut digits = [255; 256];
    let mut value: u8 = 0;
    while value < 16 {
        digits[b"0123456789abcdef"[value as usize] as usize] = value;
        digits[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    digits
};

/// All parameters of a query. A sender that appends its own parameters to a URL with a query may use a second question
/// mark, so `?` separates parameters just as `&` does.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    pieces(query).filter_map(|piece| parameter(piece.as_bytes()))
}

/// The parameters of a query that only `&` separates, as most programs read it.
pub(crate) fn strict_parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    form(query.as_bytes())
}

/// The parameters of a form in a body.
pub(crate) fn form(body: &[u8]) -> impl Iterator<Item = Parameter<'_>> {
    let mut rest = Some(body);
    let pieces = std::iter::from_fn(move || {
        let all = rest?;
        let end = memchr(b'&', all);
        rest = end.map(|end| &all[end + 1..]);
        Some(&all[..end.unwrap_or(all.len())])
    });
    pieces.take(MOST_IN_FORM).filter_map(parameter)
}

/// Whether a query has more parameters than are read.
pub(crate) fn has_too_many_parameters(query: &str) -> bool {
    all_pieces(query).nth(MOST_IN_QUERY).is_some()
}

/// The parameters among which the service looks for its own: those before the first URL with a query. Some senders append
/// the URL of their webhook unencoded, with the key in it; the parameters of that URL are not addressed to the service.
pub(crate) fn own_parameters(query: &str) -> impl Iterator<Item = Parameter<'_>> {
    let before_url = pieces(query).take_while(|piece| !is_url_with_query(piece));
    before_url.filter_map(|piece| parameter(piece.as_bytes()))
}

fn pieces(query: &str) -> impl Iterator<Item = &str> {
    all_pieces(query).take(MOST_IN_QUERY)
}

/// Splits at `&`, and at `?` except in a URL.
fn all_pieces(query: &str) -> impl Iterator<Item = &str> {
    let query = (!query.is_empty()).then_some(query);
    query.into_iter().flat_map(|query| query.split('&')).flat_map(|piece| {
        let (url, parts) = if is_url_with_query(piece) { (Some(piece), None) } else { (None, Some(piece.split('?'))) };
        url.into_iter().chain(parts.into_iter().flatten())
    })
}

fn is_url_with_query(piece: &str) -> bool {
    piece.contains('?') && piece.split_once("://").is_some_and(|(_, rest)| rest.contains('?'))
}
