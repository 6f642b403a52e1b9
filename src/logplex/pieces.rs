//! A body that arrives piece by piece.

use super::frames::{FrameError, lacks};
use super::{Event, Interest, Line, events};

/// A frame that is longer and in two pieces is passed over: Heroku's own lines are short, and an app's do not matter.
const LONGEST_KEPT: usize = 64 * 1024;

/// Reads pieces as they come. Of a piece it keeps the frame alone that goes on in the next one.
#[derive(Debug, Default)]
pub struct Pieces {
    begun: Vec<u8>,
    /// How many bytes to pass over.
    passing: usize,
    error: Option<FrameError>,
}

impl Pieces {
    /// Reads the next piece; `found` is given each line that says what is asked for.
    pub fn read(&mut self, piece: &[u8], interest: &Interest, mut found: impl FnMut(&Line<'_>, Event<'_>)) {
        let mut piece = self.pass(piece);
        while !self.begun.is_empty() && !piece.is_empty() {
            let (more, rest) = piece.split_at(lacks(&self.begun).min(piece.len()));
            self.begun.extend_from_slice(more);
            piece = rest;
            let lacking = lacks(&self.begun);
            if lacking == 0 {
                let frame = std::mem::take(&mut self.begun);
                self.read_frames(&frame, interest, &mut found);
            } else if self.begun.len() + lacking > LONGEST_KEPT {
                (self.passing, self.begun) = (lacking, Vec::new());
                piece = self.pass(piece);
            }
        }
        self.read_frames(piece, interest, &mut found);
    }

    /// After the last piece: what made a part of the body unreadable, if anything did.
    #[must_use]
    pub fn error(&self) -> Option<FrameError> {
        let is_cut_short = !self.begun.is_empty() || self.passing > 0;
        self.error.or(is_cut_short.then_some(FrameError::Truncated))
    }

    /// What follows that which is to be passed over.
    fn pass<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let passed = self.passing.min(piece.len());
        self.passing -= passed;
        &piece[passed..]
    }

    fn read_frames(&mut self, bytes: &[u8], interest: &Interest, found: &mut impl FnMut(&Line<'_>, Event<'_>)) {
        if self.error.is_some() {
            return;
        }
        let mut events = events(bytes, interest);
        for (line, event) in events.by_ref() {
            found(&line, event);
        }
        match events.error() {
            Some(FrameError::Truncated) => {
                let (begun, lacking) = (events.unread(), lacks(events.unread()));
                if begun.len() + lacking > LONGEST_KEPT {
                    self.passing = lacking;
                } else {
                    self.begun.extend_from_slice(begun);
                }
            }
            error => self.error = error,
        }
    }
}
