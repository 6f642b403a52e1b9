//! The texts that wait to be sent. All that wait become one message, if there is room in it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// How many texts wait at most. When there are more, the oldest is dropped: the latest says how things are.
const MOST_WAITING: usize = 100;

/// How long a text is worth sending.
const EXPIRES_AFTER: Duration = Duration::from_secs(15 * 60);

/// Discord takes 2,000 characters, and the other chats more. The rest is room for the URL of the page.
const LONGEST_MESSAGE: usize = 1_900;

#[derive(Debug, Default)]
pub(super) struct Outbox(VecDeque<(String, Instant)>);

/// A message of several texts, one per line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) text: String,
    /// How many of the texts that wait are in it, oldest first.
    pub(super) parts: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a text. Whether the oldest had to be dropped for it.
    pub(super) fn push(&mut self, text: String, now: Instant) -> bool {
        let is_full = self.0.len() == MOST_WAITING;
        if is_full {
            self.0.pop_front();
        }
        self.0.push_back((text, now));
        is_full
    }

    /// Drops the texts that have waited too long; returns how many.
    pub(super) fn drop_expired(&mut self, now: Instant) -> usize {
        let before = self.0.len();
        self.0.retain(|(_, since)| now.duration_since(*since) < EXPIRES_AFTER);
        before - self.0.len()
    }

    /// The next message: as many texts as there is room for. A text that is too long for a message of its own is cut.
    pub(super) fn message(&self) -> Option<Message> {
        let (mut text, mut length, mut parts) = (String::new(), 0, 0);
        for (part, _) in &self.0 {
            let added = part.chars().count() + usize::from(parts > 0);
            if parts > 0 && length + added > LONGEST_MESSAGE {
                break;
            }
            if parts > 0 {
                text.push('\n');
            }
            text.extend(part.chars().take(LONGEST_MESSAGE));
            length += added;
            parts += 1;
        }
        (parts > 0).then_some(Message { text, parts })
    }

    /// The oldest texts are sent, or never will be.
    pub(super) fn remove(&mut self, parts: usize) {
        self.0.drain(..parts);
    }
}
