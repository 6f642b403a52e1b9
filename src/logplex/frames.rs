//! The frames of a body: `LENGTH SP MESSAGE`, with nothing between them. RFC 6587 calls this octet counting.

/// No line of a log has 10 MB, so a longer number is a mistake. The limit also prevents an overflow.
const MAX_DIGITS: usize = 7;

/// Iterates over the messages of a body. See [`frames()`].
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    error: Option<FrameError>,
    /// The invalid frame and everything behind it.
    unread: &'a [u8],
    /// How many messages were returned.
    count: u64,
}

/// Why the rest of a body cannot be read: without a valid length, the beginning of the next frame is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum FrameError {
    /// The frame begins with the space that should follow its length.
    #[error("a frame has no length")]
    MissingLength,
    /// The length contains something other than digits.
    #[error("the length of a frame is not a number")]
    InvalidLength,
    /// The length has more than seven digits.
    #[error("the length of a frame is too large")]
    LengthTooLarge,
    /// The body ends before the frame does.
    #[error("the body ends inside a frame")]
    Truncated,
}

/// Splits a body into its messages, by their lengths alone: a message may contain newlines, or text that looks like a
/// frame. Ends at the first invalid frame; [`Frames::error`] then says what is wrong with it.
#[must_use]
pub fn frames(body: &[u8]) -> Frames<'_> {
    Frames { rest: body, error: None, unread: &[], count: 0 }
}

impl<'a> Frames<'a> {
    /// After the end: why the rest of the body cannot be read, if there is a rest.
    #[must_use]
    pub fn error(&self) -> Option<FrameError> {
        self.error
    }

    /// How many messages were returned so far.
    pub(super) fn count_so_far(&self) -> u64 {
        self.count
    }

    /// After the end: the rest of the body that was not read because of the error.
    pub(super) fn unread(&self) -> &'a [u8] {
        self.unread
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match split_frame(self.rest) {
            Ok((message, rest)) => {
                self.rest = rest;
                self.count += 1;
                Some(message)
            }
            Err(error) => {
                *self = Self { rest: &[], error: Some(error), unread: self.rest, count: self.count };
                None
            }
        }
    }
}

/// Returns the first message and the bytes behind it.
#[inline]
fn split_frame(body: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    let (prefix, length) = parse_length(body)?;
    body[prefix..].split_at_checked(length).ok_or(FrameError::Truncated)
}

/// Parses the prefix of the first frame: returns the size of the prefix, space included, and the length that it
/// states.
#[inline]
fn parse_length(body: &[u8]) -> Result<(usize, usize), FrameError> {
    let mut length = 0;
    for (at, &byte) in body.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at == MAX_DIGITS => return Err(FrameError::LengthTooLarge),
            b'0'..=b'9' => length = length * 10 + usize::from(byte - b'0'),
            b' ' if at == 0 => return Err(FrameError::MissingLength),
            b' ' => return Ok((at + 1, length)),
            _ => return Err(FrameError::InvalidLength),
        }
    }
    Err(FrameError::Truncated)
}

/// How many more bytes are needed to complete the frame that begins with `begun`: 1 while its length is incomplete, 0
/// when the frame is invalid.
pub(super) fn missing_bytes(begun: &[u8]) -> usize {
    match parse_length(begun) {
        Ok((prefix, length)) => (prefix + length).saturating_sub(begun.len()),
        Err(FrameError::Truncated) => 1,
        Err(_) => 0,
    }
}
