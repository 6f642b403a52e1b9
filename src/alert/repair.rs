//! Mends JSON that is nearly right: templates that people fill in by hand break in few ways.
//!
//! Mended are line breaks, tabs and quotes inside of texts, missing and trailing commas around the end of a list, `NaN`,
//! names and texts without quotes or with single ones, invalid escapes, and several documents one after the other, which
//! become a list. What is cut off stays cut off.

/// One pass over a text.
struct Repair<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
    mended: String,
    /// The brackets that are open.
    open: Vec<u8>,
    /// Whether a name has been read, and its value comes next.
    is_value: bool,
    documents: usize,
}

/// Returns JSON that says the same, as far as that can be known.
pub(super) fn repair(text: &str) -> String {
    let mended = String::with_capacity(text.len() + text.len() / 16);
    let mut repair =
        Repair { bytes: text.as_bytes(), text, at: 0, mended, open: Vec::new(), is_value: false, documents: 0 };
    while repair.at < repair.bytes.len() {
        repair.token();
    }
    if repair.documents > 1 { format!("[{}]", repair.mended) } else { repair.mended }
}

impl Repair<'_> {
    fn token(&mut self) {
        let byte = self.bytes[self.at];
        let is_bracket = matches!(byte, b'{' | b'[');
        let begins_value = is_bracket || matches!(byte, b'"' | b'\'') || is_bare(byte);
        let is_behind_value = !self.mended.is_empty() && !self.mended.ends_with(['{', '[', ':', ',']);
        if begins_value && is_behind_value && (is_bracket || !self.open.is_empty()) {
            self.mended.push(',');
            self.is_value = false;
        }
        match byte {
            b'{' | b'[' => {
                self.documents += usize::from(self.open.is_empty());
                self.open.push(byte);
                self.punctuation(byte);
            }
            b'}' | b']' if self.open.pop().is_some() => self.punctuation(byte),
            // What stands around the documents says nothing.
            _ if self.open.is_empty() => self.at += 1,
            b':' => {
                self.punctuation(byte);
                self.is_value = true;
            }
            b',' if matches!(self.next(self.at + 1), Some(b'}' | b']' | b',') | None) => self.at += 1,
            b',' => self.punctuation(byte),
            b'"' | b'\'' => self.quoted(byte),
            _ if is_bare(byte) => self.bare(),
            _ => self.at += 1,
        }
    }

    fn punctuation(&mut self, byte: u8) {
        if matches!(byte, b',' | b'}') && self.mended.ends_with(':') {
            // A template had nothing to fill in.
            self.mended.push_str("null");
        }
        self.mended.push(char::from(byte));
        self.is_value = false;
        self.at += 1;
    }

    /// The next byte that is no space. A character outside of ASCII counts as one: what looks like a space often is a no-break space.
    fn next(&self, from: usize) -> Option<u8> {
        self.bytes[from..].iter().copied().find(|byte| byte.is_ascii() && !byte.is_ascii_whitespace())
    }

    /// A number, a word such as `true`, or a name or a text without quotes.
    fn bare(&mut self) {
        let rest = &self.text[self.at..];
        let word = &rest[..rest.bytes().position(|byte| !is_bare(byte)).unwrap_or(rest.len())];
        self.at += word.len();
        match word {
            "NaN" | "Infinity" | "-Infinity" | "undefined" | "None" => self.mended.push_str("null"),
            "true" | "false" | "null" | "True" | "False" => self.mended.push_str(&word.to_ascii_lowercase()),
            _ if serde_json::from_str::<serde_json::Number>(word).is_ok() => self.mended.push_str(word),
            _ => self.mended.extend(["\"", word, "\""]),
        }
    }

    fn quoted(&mut self, quote: u8) {
        self.mended.push('"');
        let mut start = self.at + 1;
        let mut at = start;
        let mut is_closed = false;
        while let Some(&byte) = self.bytes.get(at) {
            let replacement = match byte {
                _ if byte == quote && self.is_end(at + 1) => {
                    is_closed = true;
                    break;
                }
                b'"' => "\\\"",
                b'\n' => "\\n",
                0..b' ' => " ",
                b'\\' if self.is_escape(at + 1) => {
                    at += 2;
                    continue;
                }
                b'\\' if self.bytes.get(at + 1) == Some(&b'\'') => "",
                b'\\' => "\\\\",
                _ => {
                    at += 1;
                    continue;
                }
            };
            self.mended.push_str(&self.text[start..at]);
            self.mended.push_str(replacement);
            at += 1;
            start = at;
        }
        self.mended.push_str(&self.text[start..at]);
        self.at = at;
        if is_closed {
            self.mended.push('"');
            self.at += 1;
        }
    }

    /// Whether a text that ends in front of this place would be followed by what can follow it.
    fn is_end(&self, from: usize) -> bool {
        let is_in_list = self.open.last() == Some(&b'[');
        match self.next(from) {
            Some(b':') => !is_in_list && !self.is_value,
            Some(b'}') => !is_in_list && self.is_value,
            Some(b']') => is_in_list,
            Some(b',') => {
                let comma = self.bytes[from..].iter().position(|byte| *byte == b',').unwrap_or_default();
                let after = self.next(from + comma + 1);
                let begins_name = matches!(after, Some(b'"' | b'\'' | b'}') | None);
                (self.is_value && begins_name) || is_in_list
            }
            // The comma at the end of a line is missing.
            Some(b'"') => self.is_value && self.bytes[from] == b'\n',
            Some(_) => false,
            None => true,
        }
    }

    fn is_escape(&self, at: usize) -> bool {
        match self.bytes.get(at) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => true,
            Some(b'u') => self.bytes.get(at + 1..at + 5).is_some_and(|hex| {
                // A text may be cut between the halves of a surrogate pair.
                let is_half = matches!(hex, [b'd' | b'D', b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F', ..]);
                !is_half && hex.iter().all(u8::is_ascii_hexdigit)
            }),
            _ => false,
        }
    }
}

/// Not a part of JSON's punctuation.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.' | b'_' | b'$')
}
