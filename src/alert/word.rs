//! Words as the rules compare them, and the words that a compound code consists of.

/// A name or a value as the rules compare it: only letters and digits, in lower case, padded with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Word([u64; Word::MAX_LEN / 8]);

/// For tables of words, which are looked into for each field of each alert. Nobody but us chooses their keys.
pub(super) use rustc_hash::FxBuildHasher as WordHash;

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
        let mut word = [0; Self::MAX_LEN];
        let mut len = 0;
        for part in parts {
            for byte in part.bytes() {
                *word.get_mut(len)? = match byte {
                    b'a'..=b'z' | b'0'..=b'9' => byte,
                    b'A'..=b'Z' => byte.to_ascii_lowercase(),
                    b'_' | b'-' | b'.' | b' ' | b'\t'..=b'\r' => continue,
                    _ => return None,
                };
                len += 1;
            }
        }
        let (eights, _) = word.as_chunks();
        (len > 0).then(|| Self(std::array::from_fn(|at| u64::from_le_bytes(eights[at]))))
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
