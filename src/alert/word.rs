//! Words as the rules compare them, and the words that a compound code consists of.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// A name or a value as the rules compare it: only letters and digits, in lower case, padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    bytes: [u8; Word::MAX_LEN],
}

/// A table of words. It is looked into for each field of each alert, and nobody but us chooses its keys.
pub(super) type WordMap<K, V> = HashMap<K, V, BuildHasherDefault<WordHasher>>;

/// Multiplies and rotates, eight bytes at a time: words have at most 24 bytes.
#[derive(Default)]
pub(super) struct WordHasher(u64);

/// A value with more words than this is a sentence.
const MAX_PARTS: usize = 8;

impl Word {
    /// No word of the rules is longer.
    const MAX_LEN: usize = 24;

    /// `None` for an empty text, one longer than any word, and one with other characters.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::join(&[text])
    }

    /// The word that these parts make up.
    pub(super) fn join(parts: &[&str]) -> Option<Self> {
        let mut word = Self { bytes: [0; Self::MAX_LEN] };
        let mut len = 0;
        for byte in parts.iter().flat_map(|part| part.trim().bytes()) {
            match byte {
                b'_' | b'-' | b'.' | b' ' => {}
                _ if byte.is_ascii_alphanumeric() => {
                    *word.bytes.get_mut(len)? = byte.to_ascii_lowercase();
                    len += 1;
                }
                _ => return None,
            }
        }
        (len > 0).then_some(word)
    }

    /// Whether it ends with one of these endings.
    pub(super) fn ends_with(&self, endings: &[&str]) -> bool {
        let len = self.bytes.iter().position(|byte| *byte == 0).unwrap_or(Self::MAX_LEN);
        endings.iter().any(|ending| self.bytes[..len].ends_with(ending.as_bytes()))
    }
}

impl Hash for Word {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write(&self.bytes);
    }
}

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(eight));
        }
    }

    fn write_u64(&mut self, number: u64) {
        // The multiplier of FxHash.
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, which multiplying mixes least.
        self.0 ^ (self.0 >> 32)
    }
}

/// The words of a row of a table.
pub(super) fn words(row: &str) -> impl Iterator<Item = Word> {
    row.split_whitespace().filter_map(Word::of)
}

/// Splits a code such as `ALERT_DEGRADED_RECOVERY`, `incident.resolved` or `uptimeCheckRecovered` into its words. `None` for
/// a sentence.
pub(super) fn parts(code: &str) -> Option<Vec<&str>> {
    let is_separator = |byte: u8| matches!(byte, b'_' | b'-' | b'.' | b' ' | b':' | b'/');
    let bytes = code.as_bytes();
    let mut parts = Vec::new();
    let mut start = 0;
    for at in 0..=bytes.len() {
        let Some(&byte) = bytes.get(at) else {
            parts.push(&code[start..]);
            break;
        };
        if is_separator(byte) {
            parts.push(&code[start..at]);
            start = at + 1;
        } else if !byte.is_ascii_alphanumeric() || parts.len() > MAX_PARTS {
            return None;
        } else if at > start && byte.is_ascii_uppercase() {
            // `NodeUp` has a new word at a capital letter, and `HTTPDown` at the last one in a row.
            let next_is_small = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if !bytes[at - 1].is_ascii_uppercase() || next_is_small {
                parts.push(&code[start..at]);
                start = at;
            }
        }
    }
    parts.retain(|part| !part.is_empty());
    (1..=MAX_PARTS).contains(&parts.len()).then_some(parts)
}
