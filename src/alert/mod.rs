//! What an alert says: whether something is wrong, with which dynos of which app, and since when. No other module knows
//! what a monitoring service sends.
//!
//! There is no parser per sender. All messages are read by the same few rules about the names and values of fields, so a
//! message that a person makes up works too. A message that the rules do not know is an ordinary alert: something is
//! wrong now, with unknown dynos.
//!
//! `flatten` turns a request of any form into one flat list of fields, with `json` for JSON. `fields` and `states` are the
//! tables of names and of values; a new sender needs rows in them and nothing else. `signal` looks up what a value says, and
//! `headline` what a text for people says. `extract` walks over the list and collects what the alert says. Nothing is decided here, and nothing fails: the input may be any bytes.

mod affected;
mod condition;
mod element;
mod encoding;
mod extract;
mod fields;
mod flatten;
mod headline;
mod json;
mod line;
mod repair;
mod signal;
mod states;
mod time;
mod word;

use std::collections::BTreeSet;

use axum::http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

pub use affected::AffectedDynos;
pub use condition::{Condition, Unmet};
pub use states::Inactive;

use crate::heroku::AppName;
use affected::AffectedApps;
use extract::Extraction;
use fields::FieldKind;

/// What is encoded in a URL. The others have no meaning in a query.
const IN_URL: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// A body of this size takes about a millisecond.
const LONG: usize = 64 * 1024;

/// Whether a body takes so long to read that other alerts should not wait for it.
#[must_use]
pub fn takes_long(headers: &HeaderMap, body: &[u8]) -> bool {
    body.len() > LONG || encoding::is_compressed(headers, body)
}

/// What an alert says.
#[derive(Debug)]
pub struct Alert {
    /// Why the alert asks for nothing; `None` when something is wrong.
    pub inactive: Option<Inactive>,
    affected: AffectedApps,
    /// Each of these identifies the delivery, so that a repeated one is recognised.
    pub deliveries: BTreeSet<String>,
    /// The first state in a word that no rule knows, if the alert counts and no other word says that something is wrong.
    pub unknown_state: Option<UnknownState>,
    /// What the sender or a person must be told before the sender sends alerts.
    pub handshake: Option<Handshake>,
    /// The body has a field `dry_run`. It belongs in the URL.
    pub asks_for_dry_run: bool,
    /// Why the body could not be read to its end, if so. What comes before the error is used.
    pub error: Option<ParseError>,
}

/// The body is not understood. The alert counts all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParseError {
    /// The body has too many bytes.
    #[error("it is too large")]
    TooLarge,
    /// The body ended before its announced length.
    #[error("it was cut off")]
    CutOff,
    /// The body is compressed in a way that is not supported, or the compressed data are broken.
    #[error("it is compressed in a way that cannot be read")]
    Compressed,
    /// The body begins like JSON, but is invalid.
    #[error("it is broken JSON, around line {line}, column {column}")]
    BrokenJson {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
}

impl ParseError {
    /// Whether a part of the body is missing.
    #[must_use]
    pub fn is_incomplete(self) -> bool {
        matches!(self, Self::TooLarge | Self::CutOff)
    }
}

/// A field of a state, with a word that no rule knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownState {
    /// The name of the field.
    pub field: String,
    /// The word.
    pub word: String,
}

/// What a sender asks for before it sends alerts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Handshake {
    /// The response must have this field with this value; without a name, the value alone.
    Answer(&'static str, String),
    /// A person must open this URL. The service never does: anybody could make it call any address.
    OpenUrl(String),
}

impl Handshake {
    /// URLs of Amazon have about 400 bytes.
    const MAX_LEN: usize = 2000;

    fn new(kind: FieldKind, name: &str, text: &str) -> Option<Self> {
        let is_plain = text.len() <= Self::MAX_LEN && text.bytes().all(|byte| byte.is_ascii_graphic());
        if kind == FieldKind::ConfirmUrl {
            return (is_plain && text.starts_with("https://")).then(|| Self::OpenUrl(text.to_owned()));
        }
        let answer = match name {
            "validationCode" => "validationResponse",
            "hub.challenge" => "",
            _ => "challenge",
        };
        is_plain.then(|| Self::Answer(answer, text.to_owned()))
    }
}

impl UnknownState {
    /// No name and no code is longer.
    const MAX_LEN: usize = 60;

    /// `None` for a text with other characters than letters, digits and what joins words. It may be anything, so it is not
    /// logged. Nor can `only_if` express a value with a comma, or a name with a colon.
    fn new(name: Option<&str>, word: &str) -> Option<Self> {
        let joins = |c| matches!(c, '_' | '-' | '.' | ' ' | '/');
        let is_code = |text: &str| text.len() <= Self::MAX_LEN && text.chars().all(|c| c.is_alphanumeric() || joins(c));
        let (name, word) = (name?.trim(), word.trim());
        (is_code(name) && is_code(word)).then(|| Self { field: name.to_owned(), word: word.to_owned() })
    }

    /// The parameter for the URL with which an alert counts only if the field has this word.
    #[must_use]
    pub fn only_if(&self) -> String {
        let encoded = |text| utf8_percent_encode(text, &IN_URL);
        format!("only_if={}:{}", encoded(&self.field), encoded(&self.word))
    }
}

impl Alert {
    /// Reads a request: `query` as in the URL, and `body`; `incomplete` says why a part of the body is missing.
    ///
    /// Broken JSON is mended as far as possible. Of what cannot be read to its end, the part in front counts.
    #[must_use]
    pub fn read(headers: &HeaderMap, query: &str, body: &[u8], incomplete: Option<ParseError>) -> Self {
        let (body, missing) = encoding::decompressed(headers, body, incomplete);
        let (mut extraction, error) = flatten::read(headers, query, &body, || Extraction::new(headers));
        if missing.is_some() {
            extraction.cut_off();
        }
        extraction.finish(missing.or(error))
    }

    /// The apps that the alert names.
    pub fn apps(&self) -> impl Iterator<Item = &AppName> {
        self.affected.names()
    }

    /// The affected dynos of `app`; `None` when the alert is only about other apps. If the alert does not name `app`,
    /// other names count as other apps only if `is_other` says so: a sender may call the app by a name that Heroku does
    /// not know.
    #[must_use]
    pub fn affected_dynos(&self, app: &AppName, is_other: impl Fn(&AppName) -> bool) -> Option<AffectedDynos> {
        self.affected.of(app, is_other)
    }
}
