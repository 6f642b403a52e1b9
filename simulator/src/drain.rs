//! A log drain: the lines of an app that wait to be shipped, and the batches they are shipped in.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::agenda::Agenda;
use crate::logs::{Line, precise, whole_seconds};

/// The numbers of logplex: messages that wait, octets of a batch.
const BUFFER: usize = 1024;
const BATCH: usize = 102_400;

/// What waits to be shipped.
pub(crate) struct Drain {
    pub(crate) id: String,
    token: String,
    url: String,
    created_at: Timestamp,
    buffer: VecDeque<Line>,
    lost: usize,
    lost_since: Timestamp,
}

/// One request of a drain.
pub(crate) struct Batch {
    pub(crate) token: String,
    pub(crate) frame_id: String,
    pub(crate) body: String,
    /// Frames in the body.
    pub(crate) messages: usize,
    /// How many of them are lines of the app.
    lines: usize,
    /// How many lost lines it tells of.
    lost: usize,
}

impl Drain {
    pub(crate) fn new(agenda: &mut Agenda, url: &str) -> Drain {
        Drain {
            id: agenda.uuid(),
            token: format!("d.{}", agenda.uuid()),
            url: url.to_owned(),
            created_at: agenda.now,
            buffer: VecDeque::new(),
            lost: 0,
            lost_since: agenda.now,
        }
    }

    pub(crate) fn json(&self) -> Value {
        let created = whole_seconds(self.created_at);
        json!({
            "addon": null,
            "created_at": created,
            "id": self.id,
            "token": self.token,
            "updated_at": created,
            "url": self.url,
        })
    }

    pub(crate) fn push(&mut self, line: Line) {
        if self.buffer.len() == BUFFER {
            self.buffer.pop_front();
            self.lose(line.at, 1);
        }
        self.buffer.push_back(line);
    }

    /// What has been told of need not be told again; what has not arrived is lost.
    pub(crate) fn settle(&mut self, now: Timestamp, batch: &Batch, arrived: bool) {
        if arrived {
            self.lost -= batch.lost;
        } else {
            self.lose(now, batch.lines);
        }
    }

    fn lose(&mut self, now: Timestamp, lines: usize) {
        if self.lost == 0 {
            self.lost_since = now;
        }
        self.lost += lines;
    }

    /// Takes what there is, up to the size of a batch, led by the word of what has been lost.
    pub(crate) fn take(&mut self, agenda: &mut Agenda) -> Option<Batch> {
        let first = self.buffer.front()?;
        let (mut body, mut messages, mut lines) = (String::new(), 0, 0);
        if self.lost > 0 {
            let word = Line {
                at: first.at,
                source: "heroku",
                process: "logplex".to_owned(),
                text: format!(
                    "Error L10 (output buffer overflow): {} messages dropped since {}.",
                    self.lost,
                    precise(self.lost_since)
                ),
            };
            body.push_str(&word.frame());
            messages += 1;
        }
        while let Some(line) = self.buffer.front() {
            let frame = line.frame();
            if lines > 0 && body.len() + frame.len() > BATCH {
                break;
            }
            body.push_str(&frame);
            self.buffer.pop_front();
            messages += 1;
            lines += 1;
        }
        Some(Batch {
            token: self.token.clone(),
            frame_id: agenda.hex().to_uppercase(),
            body,
            messages,
            lines,
            lost: self.lost,
        })
    }
}
