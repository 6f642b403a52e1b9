//! The frames of a body: `LEN SP MSG`, with nothing between them.

/// A count of more digits than this is a mistake: no body of 10 MB is ever taken. It also keeps the sum from overflowing.
const MOST_DIGITS: usize = 7;

/// The messages of a body, one after the other. See [`frames()`].
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
    error: Option<FrameError>,
    /// From the frame on in which the error is.
    unread: &'a [u8],
}

/// What made the rest of a body unreadable: without a count nobody can tell where the next frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A frame begins with the space that should follow its count.
    #[error("a frame has no count")]
    MissingLength,
    /// Something other than a digit stands where the count should be.
    #[error("the count of a frame is not a number")]
    InvalidLength,
    /// The count has more than seven digits.
    #[error("the count of a frame is too large")]
    LengthTooLarge,
    /// The body ends before the frame does.
    #[error("a frame is cut short")]
    Truncated,
}

/// The messages of a body, told apart by their octet counts alone: they may hold newlines, or text that looks like a
/// frame. Ends at the first broken frame; [`Frames::error`] then says what is wrong with it.
#[must_use]
pub fn frames(body: &[u8]) -> Frames<'_> {
    Frames { rest: body, error: None, unread: &[] }
}

impl<'a> Frames<'a> {
    /// After the end: what made the rest of the body unreadable, if anything did.
    #[must_use]
    pub fn error(&self) -> Option<FrameError> {
        self.error
    }

    /// After the end: what was not read because of that.
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
                Some(message)
            }
            Err(error) => {
                *self = Self { rest: &[], error: Some(error), unread: self.rest };
                None
            }
        }
    }
}

/// The first message, and what follows it.
fn split_frame(body: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    let (count, length) = count(body)?;
    body[count..].split_at_checked(length).ok_or(FrameError::Truncated)
}

/// How long the count of the first frame is, with its space, and what it counts.
fn count(body: &[u8]) -> Result<(usize, usize), FrameError> {
    let mut length = 0;
    for (at, &byte) in body.iter().enumerate() {
        match byte {
            b'0'..=b'9' if at == MOST_DIGITS => return Err(FrameError::LengthTooLarge),
            b'0'..=b'9' => length = length * 10 + usize::from(byte - b'0'),
            b' ' if at == 0 => return Err(FrameError::MissingLength),
            b' ' => return Ok((at + 1, length)),
            _ => return Err(FrameError::InvalidLength),
        }
    }
    Err(FrameError::Truncated)
}

/// How many bytes the frame lacks that `begun` is the beginning of; at least so many, where its count is not whole yet.
/// None is lacking to see that a frame is broken.
pub(super) fn lacks(begun: &[u8]) -> usize {
    match count(begun) {
        Ok((count, length)) => (count + length).saturating_sub(begun.len()),
        Err(FrameError::Truncated) => 1,
        Err(_) => 0,
    }
}
