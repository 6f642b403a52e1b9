//! Keeps the configured secrets out of what is shown. People put a key in the wrong place, such as the name of a program.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD_NO_PAD;

/// What is shown instead.
const CONCEALED: &str = "[secret]";

/// A shorter secret would be found in ordinary words.
const SHORTEST: usize = 8;

/// The configured secrets. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// Each secret, and the three forms that it may have in the middle of base64, as in HTTP Basic.
    forms: Arc<[Vec<u8>]>,
    /// With which two bytes a form may begin, by [`pair`]. Nearly all places of a text are ruled out by it.
    begins: Arc<[bool]>,
    /// The length of the shortest form.
    shortest: usize,
}

/// Writes whole lines, without the secrets.
#[derive(Debug)]
pub(crate) struct ConcealingWriter<W> {
    pub(crate) writer: W,
    pub(crate) secrets: Secrets,
}

impl Secrets {
    pub(crate) fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let long = secrets.into_iter().filter(|secret| secret.len() >= SHORTEST);
        let forms: Arc<[_]> = long.flat_map(forms).collect();
        let mut begins = vec![false; PAIRS];
        for form in forms.iter() {
            begins[pair(form[0], form[1])] = true;
            begins[pair(form[0], b'%')] = true;
        }
        Self { shortest: forms.iter().map(Vec::len).min().unwrap_or(usize::MAX), begins: begins.into(), forms }
    }

    /// The text without the secrets, whether they stand there plain, with percent signs, or in base64, in upper or lower case.
    pub(crate) fn conceal<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let (mut shown, mut kept, mut at) = (String::new(), 0, 0);
        while at + self.shortest <= text.len() {
            let found = self.end_of_secret(text.as_bytes(), at);
            if let Some(end) = found {
                shown.extend([&text[kept..at], CONCEALED]);
                kept = end;
            }
            at = found.unwrap_or(at + 1);
        }
        if kept == 0 { text.into() } else { (shown + &text[kept..]).into() }
    }

    /// Where the secret ends that begins at this place of the text, if one does.
    fn end_of_secret(&self, text: &[u8], at: usize) -> Option<usize> {
        let may_begin = match text[at..] {
            [b'%', ..] => true,
            [first, second, ..] => self.begins[pair(first, second)],
            _ => false,
        };
        let mut forms = self.forms.iter().filter(|_| may_begin);
        forms.find_map(|form| end_of(form, text, at))
    }
}

/// The number of different pairs.
const PAIRS: usize = 32 * 32;

/// A number for two bytes, the same for upper and lower case.
fn pair(first: u8, second: u8) -> usize {
    usize::from(first & 31) * 32 + usize::from(second & 31)
}

/// A secret, and what base64 makes of it behind any text: the characters that depend on the secret alone.
fn forms(secret: &str) -> impl Iterator<Item = Vec<u8>> {
    let in_base64 = |front: usize| {
        let text = BASE64_STANDARD_NO_PAD.encode([&vec![0; front], secret.as_bytes()].concat());
        let (begin, end) = ((front * 8).div_ceil(6), (front + secret.len()) * 8 / 6);
        text.as_bytes()[begin..end].to_vec()
    };
    std::iter::once(secret.as_bytes().to_vec()).chain((0..3).map(in_base64))
}

/// Where this secret ends if it begins at this place of the text.
fn end_of(secret: &[u8], text: &[u8], mut at: usize) -> Option<usize> {
    for expected in secret {
        let (byte, length) = match text.get(at..)? {
            [b'%', high, low, ..] if *expected != b'%' => (hex(*high)? << 4 | hex(*low)?, 3),
            [byte, ..] => (*byte, 1),
            [] => return None,
        };
        if !byte.eq_ignore_ascii_case(expected) {
            return None;
        }
        at += length;
    }
    Some(at)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CONCEALED)
    }
}

impl<W: Write> Write for ConcealingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.writer.write_all(self.secrets.conceal(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
