//! Mends JSON that is nearly right: templates that people fill in by hand break in few ways.
//!
//! Mended are line breaks, tabs and quotes inside of texts, JSON as a text without escapes, missing, doubled and trailing commas,
//! wrong closing brackets, `NaN`, names and texts without quotes or with single ones, invalid escapes, and several documents one
//! after the other, which become a list. What is cut off stays cut off.

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
    /// How many bytes were read ahead to find the ends of JSON in texts.
    looked_ahead: usize,
}

/// How many bytes are read ahead for each byte of the text, all in all. Strangers must not make it quadratic.
const MOST_LOOKED_AHEAD: usize = 4;

/// `serde_json` reads no deeper JSON.
const DEEPEST: usize = 128;

/// No field has a longer name, in bytes.
const LONGEST_NAME: usize = 200;

/// Returns repaired JSON with the same meaning, as far as possible.
pub(super) fn repair(text: &str) -> String {
    let mended = String::with_capacity(text.len() + text.len() / 16);
    let (bytes, open) = (text.as_bytes(), Vec::new());
    let mut repair = Repair { bytes, text, at: 0, mended, open, is_value: false, documents: 0, looked_ahead: 0 };
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
            b'}' | b']' if self.closes(byte) => self.punctuation(byte),
            // What stands around the documents says nothing.
            _ if self.open.is_empty() => self.at += 1,
            b':' if self.mended.ends_with(':') => self.at += 1,
            b':' => {
                self.punctuation(byte);
                self.is_value = true;
            }
            b',' if matches!(self.next(self.at + 1), Some(b'}' | b']' | b',' | b';') | None) => self.at += 1,
            b',' => self.punctuation(byte),
            b'"' | b'\'' => self.quoted(byte),
            _ if is_bare(byte) => self.bare(),
            _ => self.at += 1,
        }
    }

    /// Closes the brackets inside of the one that this one closes. Whether it closes one, and is to be written.
    fn closes(&mut self, bracket: u8) -> bool {
        let opening = if bracket == b'}' { b'{' } else { b'[' };
        let Some(inner) = self.open.iter().rev().take(DEEPEST).position(|open| *open == opening) else { return false };
        // `{"a":[1,2},"b":3}`: the wrong bracket ends only the list.
        let ends_all = inner > 0 && inner + 1 == self.open.len();
        if ends_all && bracket == b'}' && self.behind_commas(self.at + 1).is_some_and(|at| self.is_name(at)) {
            self.open.pop();
            self.mended.push(']');
            return false;
        }
        for _ in 0..inner {
            let closing = if self.open.pop() == Some(b'{') { '}' } else { ']' };
            self.mended.push(closing);
        }
        self.open.pop().is_some()
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
        let mut end_of_json = start;
        while let Some(&byte) = self.bytes.get(at) {
            if matches!(byte, b'{' | b'[') && at >= end_of_json {
                end_of_json = self.end_of_json(at, quote).unwrap_or(at);
            }
            let replacement = match byte {
                _ if byte == quote && at >= end_of_json && self.is_end(at + 1) => {
                    is_closed = true;
                    break;
                }
                // `"C:\logs\"` is a path.
                b'\\'
                    if self.bytes.get(at + 1) == Some(&quote)
                        && self
                            .behind_commas(at + 2)
                            .is_some_and(|at| self.bytes.get(at) == Some(&quote) && self.is_name(at)) =>
                {
                    "\\\\"
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
            Some(b',' | b']') if is_in_list => true,
            Some(b'}' | b']') => !is_in_list && self.is_value,
            Some(b',' | b';') => self.behind_commas(from).is_some_and(|at| {
                self.is_value
                    && match self.bytes.get(at) {
                        Some(b'"' | b'\'') => !self.is_quoted_word(at),
                        Some(b'}' | b']') | None => true,
                        Some(_) => self.is_name(at),
                    }
            }),
            // The comma at the end of a line is missing.
            Some(b'"') => self.is_value && self.bytes[from] == b'\n',
            Some(_) => false,
            None => true,
        }
    }

    /// The place behind the commas that stand here, if any do.
    fn behind_commas(&self, from: usize) -> Option<usize> {
        let is_comma = |byte: &u8| matches!(byte, b',' | b';');
        let is_between = |byte: &u8| byte.is_ascii_whitespace() || !byte.is_ascii() || is_comma(byte);
        let between = self.bytes[from..].iter().take_while(|byte| is_between(byte));
        between.clone().any(is_comma).then_some(from + between.count())
    }

    /// Whether a word in quotes stands here, in the middle of a sentence: `"b" and`.
    fn is_quoted_word(&self, from: usize) -> bool {
        let Some(end) = self.end_of_quoted(from) else { return false };
        let goes_on = self.next(end).is_some_and(|byte| byte.is_ascii_alphanumeric());
        goes_on && end > from + 2 && self.bytes[end - 2] != b':'
    }

    /// The place behind the text in quotes that begins here, if the text is short.
    fn end_of_quoted(&self, from: usize) -> Option<usize> {
        let (quote, text) = self.bytes[from..].split_first()?;
        let length = text.iter().take(LONGEST_NAME).position(|byte| byte == quote)?;
        Some(from + length + 2)
    }

    /// Whether the name of a field stands here, or the beginning of one.
    fn is_name(&self, from: usize) -> bool {
        let end = match &self.bytes[from..] {
            [b'"' | b'\'', ..] => self.end_of_quoted(from).unwrap_or(self.bytes.len()),
            name => from + name.iter().take_while(|byte| is_bare(**byte)).count(),
        };
        end > from && matches!(self.next(end), Some(b':') | None)
    }

    /// The place behind the JSON that begins at this bracket inside a text and whose quotes have no escapes, if it is that.
    fn end_of_json(&mut self, from: usize, quote: u8) -> Option<usize> {
        let spaces = self.bytes[from + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let inner = from + 1 + spaces;
        let is_object = self.bytes[from] == b'{'
            && self.bytes.get(inner) == Some(&b'"')
            && self.end_of_quoted(inner).is_some_and(|end| self.next(end) == Some(b':'));
        let is_list = self.bytes[from] == b'[' && matches!(self.bytes.get(inner)?, b'{' | b'[');
        let (mut depth, mut is_in_text) = (0_usize, false);
        let mut at = from;
        while (is_object || is_list) && self.looked_ahead < MOST_LOOKED_AHEAD * self.bytes.len() {
            match *self.bytes.get(at)? {
                b'"' if self.bytes[at - 1] != b'\\' => is_in_text = !is_in_text,
                b'{' | b'[' if !is_in_text => depth += 1,
                b'}' | b']' if !is_in_text && depth == 1 => {
                    // A sentence may have brackets with quotes in them.
                    return Some(at + 1).filter(|end| is_object || self.bytes.get(*end) == Some(&quote));
                }
                b'}' | b']' if !is_in_text => depth -= 1,
                _ => {}
            }
            self.looked_ahead += 1;
            at += 1;
        }
        None
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
