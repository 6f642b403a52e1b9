//! The `key=value` pairs that the router writes.

use memchr::{memchr, memchr_iter, memchr2};

/// Iterates over the pairs of a text. A word without `=` is a key with an empty value; two spaces enclose an empty
/// word.
#[derive(Clone, Debug)]
pub(super) struct Pairs<'a> {
    rest: &'a [u8],
}

pub(super) fn pairs(text: &[u8]) -> Pairs<'_> {
    Pairs { rest: text }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest.strip_prefix(b" ").unwrap_or(self.rest);
        if rest.is_empty() {
            return None;
        }
        let end = memchr2(b'=', b' ', rest).unwrap_or(rest.len());
        let (key, rest) = rest.split_at(end);
        let (value, rest) = match rest.strip_prefix(b"=") {
            Some(rest) => split_value(rest),
            None => rest.split_at(0),
        };
        self.rest = rest;
        Some((key, value))
    }
}

/// Returns the value without its quotes, and the rest.
fn split_value(rest: &[u8]) -> (&[u8], &[u8]) {
    match rest.strip_prefix(b"\"") {
        Some(rest) => {
            // A client may have put quotes into the value. Only a quote at the end of a word can be the closing one.
            let is_closing = |&at: &usize| matches!(rest.get(at + 1), None | Some(b' '));
            let end = memchr_iter(b'"', rest).find(is_closing).unwrap_or(rest.len());
            (&rest[..end], rest.get(end + 1..).unwrap_or_default())
        }
        None => rest.split_at(memchr(b' ', rest).unwrap_or(rest.len())),
    }
}
