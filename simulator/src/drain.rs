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
    /// How many lines it has been given so far.
    pub(crate) given: u64,
    /// While a batch is under way: how many lines came before it.
    before_batch: Option<u64>,
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
    /// How many lost lines it reports.
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
            given: 0,
            before_batch: None,
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
        self.given += 1;
    }

    /// How many of the oldest lines have arrived or been lost.
    pub(crate) fn done(&self) -> u64 {
        self.before_batch.unwrap_or(self.given - self.buffer.len() as u64)
    }

    /// Lost lines are reported once; lines that did not arrive are lost.
    pub(crate) fn settle(&mut self, now: Timestamp, batch: &Batch, arrived: bool) {
        self.before_batch = None;
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
        self.before_batch = Some(self.done());
        let mut batch = Batch {
            token: self.token.clone(),
            frame_id: agenda.hex().to_uppercase(),
            body: String::new(),
            messages: 0,
            lines: 0,
            lost: 0,
        };
        self.tell_losses(first.at, &mut batch);
        while let Some(line) = self.buffer.front() {
            let frame = line.frame();
            if batch.lines > 0 && batch.body.len() + frame.len() > BATCH {
                break;
            }
            batch.body.push_str(&frame);
            self.buffer.pop_front();
            batch.messages += 1;
            batch.lines += 1;
        }
        Some(batch)
    }

    /// Leads the batch with the word of what has been lost, unless it has one. A batch that is
    /// repeated may so gain a message and keep its id, as with logplex.
    pub(crate) fn tell_losses(&self, now: Timestamp, batch: &mut Batch) {
        if self.lost == 0 || batch.lost > 0 {
            return;
        }
        let since = precise(self.lost_since);
        let word = Line {
            at: now,
            source: "heroku",
            process: "logplex".to_owned(),
            text: format!("Error L10 (output buffer overflow): {} messages dropped since {since}.", self.lost),
        };
        batch.body.insert_str(0, &word.frame());
        batch.messages += 1;
        batch.lost = self.lost;
    }
}
