//! A log drain: a buffer of log lines, and the batches in which they are shipped.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::event_queue::EventQueue;
use crate::logs::{Line, microseconds_text, seconds_text};

/// How many messages logplex keeps in the buffer of a drain at most.
const BUFFER_LINES: usize = 1024;

/// How many bytes logplex puts into a batch at most.
const BATCH_BYTES: usize = 102_400;

pub(crate) struct Drain {
    pub(crate) id: String,
    token: String,
    url: String,
    created_at: Timestamp,
    /// The lines that are not shipped yet.
    buffer: VecDeque<Line>,
    /// How many lines were logged since the drain was added.
    pub(crate) logged: u64,
    /// How many lines were logged before the first line of the batch in delivery; `None` if no batch is in delivery.
    logged_before_batch: Option<u64>,
    /// How many lines were dropped and not reported yet.
    dropped: usize,
    /// When the first of these lines was dropped.
    dropped_since: Timestamp,
}

/// A request of a drain.
pub(crate) struct Batch {
    pub(crate) token: String,
    pub(crate) frame_id: String,
    pub(crate) body: String,
    /// The number of messages in the body.
    pub(crate) messages: usize,
    /// The number of log lines among the messages.
    lines: usize,
    /// The number of dropped lines that the first message reports; 0 if no message reports dropped lines.
    reported: usize,
}

impl Drain {
    pub(crate) fn new(queue: &mut EventQueue, url: &str) -> Drain {
        Drain {
            id: queue.ids.uuid(),
            token: format!("d.{}", queue.ids.uuid()),
            url: url.to_owned(),
            created_at: queue.now,
            buffer: VecDeque::new(),
            logged: 0,
            logged_before_batch: None,
            dropped: 0,
            dropped_since: queue.now,
        }
    }

    pub(crate) fn json(&self) -> Value {
        let created = seconds_text(self.created_at);
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
        if self.buffer.len() == BUFFER_LINES {
            self.buffer.pop_front();
            self.count_dropped(line.at, 1);
        }
        self.buffer.push_back(line);
        self.logged += 1;
    }

    /// Returns how many of the logged lines were delivered or dropped.
    pub(crate) fn settled(&self) -> u64 {
        self.logged_before_batch.unwrap_or(self.logged - self.buffer.len() as u64)
    }

    /// Ends the delivery of a batch. If it was delivered, the dropped lines that it reports are not reported again.
    /// Otherwise its lines are dropped.
    pub(crate) fn finish_batch(&mut self, now: Timestamp, batch: &Batch, delivered: bool) {
        self.logged_before_batch = None;
        if delivered {
            self.dropped -= batch.reported;
        } else {
            self.count_dropped(now, batch.lines);
        }
    }

    fn count_dropped(&mut self, now: Timestamp, lines: usize) {
        if self.dropped == 0 {
            self.dropped_since = now;
        }
        self.dropped += lines;
    }

    /// Moves lines from the buffer to a batch until the batch is full. If lines were dropped, the first message of the
    /// batch reports them.
    pub(crate) fn take_batch(&mut self, queue: &mut EventQueue) -> Option<Batch> {
        let first = self.buffer.front()?;
        self.logged_before_batch = Some(self.settled());
        let mut batch = Batch {
            token: self.token.clone(),
            frame_id: queue.ids.hex().to_uppercase(),
            body: String::new(),
            messages: 0,
            lines: 0,
            reported: 0,
        };
        self.report_dropped(first.at, &mut batch);
        while let Some(line) = self.buffer.front() {
            let frame = line.to_frame();
            if batch.lines > 0 && batch.body.len() + frame.len() > BATCH_BYTES {
                break;
            }
            batch.body.push_str(&frame);
            self.buffer.pop_front();
            batch.messages += 1;
            batch.lines += 1;
        }
        Some(batch)
    }

    /// Inserts a first message that reports the dropped lines, unless the batch has such a message. When a batch is
    /// sent again, it may have this additional message under the same id. Logplex does so, too.
    pub(crate) fn report_dropped(&self, now: Timestamp, batch: &mut Batch) {
        if self.dropped == 0 || batch.reported > 0 {
            return;
        }
        let since = microseconds_text(self.dropped_since);
        let report = Line {
            at: now,
            source: "heroku",
            process: "logplex".to_owned(),
            text: format!("Error L10 (output buffer overflow): {} messages dropped since {since}.", self.dropped),
        };
        batch.body.insert_str(0, &report.to_frame());
        batch.messages += 1;
        batch.reported = self.dropped;
    }
}
