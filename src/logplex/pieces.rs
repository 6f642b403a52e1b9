//! A body that arrives piece by piece.

use super::frames::{FrameError, missing_bytes};
use super::{Event, Interest, Line, events};

/// A longer frame that is split between pieces is skipped: Heroku's own lines are short, and an app's do not matter.
const MAX_KEPT: usize = 64 * 1024;

/// Reads a body piece by piece. Between two pieces, only the frame that continues in the next one is kept.
#[derive(Debug, Default)]
pub struct Pieces {
    /// The beginning of the frame that continues in the next piece.
    begun: Vec<u8>,
    /// How many bytes of a long frame are still to be skipped.
    skipping: usize,
    lines: u64,
    error: Option<FrameError>,
}

impl Pieces {
    /// Reads the next piece; calls `found` with each event of `interest`, and its line.
    pub fn read(&mut self, piece: &[u8], interest: &Interest, mut found: impl FnMut(&Line<'_>, Event<'_>)) {
        let mut piece = self.skip(piece);
        while !self.begun.is_empty() && !piece.is_empty() {
            let (more, rest) = piece.split_at(missing_bytes(&self.begun).min(piece.len()));
            self.begun.extend_from_slice(more);
            piece = rest;
            let missing = missing_bytes(&self.begun);
            if missing == 0 {
                let frame = std::mem::take(&mut self.begun);
                self.read_frames(&frame, interest, &mut found);
            } else if self.begun.len() + missing > MAX_KEPT {
                (self.skipping, self.begun) = (missing, Vec::new());
                piece = self.skip(piece);
            }
        }
        self.read_frames(piece, interest, &mut found);
    }

    /// How many complete lines were read so far, whoever wrote them.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// After the last piece: why a part of the body could not be read, if any.
    #[must_use]
    pub fn error(&self) -> Option<FrameError> {
        let is_truncated = !self.begun.is_empty() || self.skipping > 0;
        self.error.or(is_truncated.then_some(FrameError::Truncated))
    }

    /// Skips the rest of a long frame; returns what follows.
    fn skip<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let skipped = self.skipping.min(piece.len());
        self.skipping -= skipped;
        &piece[skipped..]
    }

    fn read_frames(&mut self, bytes: &[u8], interest: &Interest, found: &mut impl FnMut(&Line<'_>, Event<'_>)) {
        if self.error.is_some() {
            return;
        }
        let mut events = events(bytes, interest);
        for (line, event) in events.by_ref() {
            found(&line, event);
        }
        self.lines += events.lines();
        match events.error() {
            Some(FrameError::Truncated) => {
                let (begun, missing) = (events.unread(), missing_bytes(events.unread()));
                if begun.len() + missing > MAX_KEPT {
                    self.skipping = missing;
                } else {
                    self.begun.extend_from_slice(begun);
                }
            }
            error => self.error = error,
        }
    }
}
