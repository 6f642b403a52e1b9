//! What a body is wrapped in: compression, and the parts of `multipart/form-data`.

use std::borrow::Cow;
use std::io::Read;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use memchr::memmem;

use super::ParseError;
use crate::util::query::MOST_IN_FORM;

/// As for a body that is not compressed.
const MAX_SIZE: u64 = 8 * 1024 * 1024;

/// What every gzip file begins with.
const GZIP: &[u8] = b"\x1f\x8b";

/// Whether a body may be larger once it is decompressed.
pub(super) fn is_compressed(headers: &HeaderMap, body: &[u8]) -> bool {
    headers.contains_key(CONTENT_ENCODING) || body.starts_with(GZIP)
}

/// The body as it was before it was compressed, or the beginning of it and what is wrong with the rest. `incomplete` says
/// why a part of the body is missing.
pub(super) fn decompressed<'a>(
    headers: &HeaderMap,
    body: &'a [u8],
    incomplete: Option<ParseError>,
) -> (Cow<'a, [u8]>, Option<ParseError>) {
    let (mut body, not_decompressed) = inflated_if_compressed(headers, body);
    let error = incomplete.or(not_decompressed);
    if error.is_some() {
        let len = len_without_last_word(&body);
        match &mut body {
            Cow::Borrowed(bytes) => *bytes = &bytes[..len],
            Cow::Owned(bytes) => bytes.truncate(len),
        }
    }
    (body, error)
}

/// The last word may go on in what is missing, `web.1` as `web.12`. A field of a form is left out with its name.
fn len_without_last_word(body: &[u8]) -> usize {
    let is_separator = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"%.-_".contains(byte);
    let without_word = |body: &[u8]| body.iter().rposition(is_separator).map_or(0, |at| at + 1);
    let len = without_word(body);
    if body[..len].ends_with(b"=") { without_word(&body[..len - 1]) } else { len }
}

fn inflated_if_compressed<'a>(headers: &HeaderMap, body: &'a [u8]) -> (Cow<'a, [u8]>, Option<ParseError>) {
    let encoding = headers.get(CONTENT_ENCODING).map(|encoding| encoding.as_bytes().trim_ascii().to_ascii_lowercase());
    match encoding.as_deref() {
        // Some senders compress and do not say so.
        _ if body.starts_with(GZIP) => inflated(MultiGzDecoder::new(body)),
        // Some proxies decompress and leave the header as it was.
        Some(_) if matches!(body.trim_ascii_start(), [b'{' | b'[', ..]) => (body.into(), None),
        // A deflate stream has a header of zlib, except from some senders.
        Some(b"deflate") if is_zlib(body) => inflated(ZlibDecoder::new(body)),
        Some(b"deflate") => inflated(DeflateDecoder::new(body)),
        None | Some(b"" | b"identity" | b"gzip" | b"x-gzip") => (body.into(), None),
        Some(_) => (Cow::default(), Some(ParseError::Compressed)),
    }
}

fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [method, flags, ..] if method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]) % 31 == 0)
}

fn inflated(decoder: impl Read) -> (Cow<'static, [u8]>, Option<ParseError>) {
    let mut body = Vec::new();
    let error = match decoder.take(MAX_SIZE + 1).read_to_end(&mut body) {
        Ok(size) if size as u64 > MAX_SIZE => Some(ParseError::TooLarge),
        Ok(_) => None,
        Err(_) => Some(ParseError::Compressed),
    };
    (body.into(), error)
}

/// The names and values of a `multipart/form-data` body; `None` if it is none. The boundary is what its first line says.
pub(super) fn multipart(body: &[u8]) -> Option<impl Iterator<Item = (&str, &str)>> {
    let boundary = body.split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    if !boundary.starts_with(b"--") || boundary.len() < 3 {
        return None;
    }
    let mut ends = memmem::find_iter(body, boundary);
    let mut start = ends.next()? + boundary.len();
    let parts = std::iter::from_fn(move || {
        let end = ends.next().unwrap_or(body.len());
        let part = body.get(start..end)?;
        start = end + boundary.len();
        Some(part)
    });
    Some(parts.take(MOST_IN_FORM).filter_map(field))
}

/// The name and the value of a part.
fn field(part: &[u8]) -> Option<(&str, &str)> {
    let part = str::from_utf8(part).ok()?;
    let (head, value) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
    let name = head.split([';', '\n']).find_map(|item| item.trim().strip_prefix("name="))?;
    Some((name.trim_matches('"'), value.trim()))
}
