//! Messages for a person: one for each event that matters, to the webhook of a chat.
//!
//! - `text`: what happened, in words, and what to do next;
//! - `composer`: which events are told: a trouble that lasts is told once;
//! - `outbox`: the texts that wait, and how they become messages;
//! - `webhook`: one call of the webhook;
//! - `counts`: how many messages were sent, for the metrics.
//!
//! The task here collects, sends and repeats. Nobody waits for it.

mod composer;
mod counts;
mod outbox;
mod text;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, warn};

use composer::Composer;
pub(crate) use counts::NotificationCounts;
use outbox::Outbox;
pub(crate) use webhook::{Probed, SendError, Webhook, WebhookUrl};

use crate::drain::{Drains, Silence};
use crate::restart::News;
use crate::util::log_throttle::LogThrottle;
use crate::util::own_url::OwnUrl;

/// How many events may wait while a message is being sent, which takes 10 s at most.
const CAPACITY: usize = 200;

/// Events come in bursts: what follows the first one within this time is a part of the same message.
const COLLECT_FOR: Duration = Duration::from_secs(2);

/// The pause after the first attempt that failed; each further one is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 60);

/// What `Retry-After` may ask for.
const RETRY_AFTER: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(5 * 60);

/// While the service is being shut down there is no time for longer pauses.
const PAUSE_AT_SHUTDOWN: Duration = Duration::from_millis(500);

/// How long the service waits at shutdown until the last messages are sent. Restarts in progress may have taken 25 s, and
/// Heroku kills after 30 s.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// The task that tells a person.
pub(crate) struct Notifier {
    news: mpsc::Receiver<News>,
    silences: mpsc::Receiver<Silence>,
    webhook: Webhook,
    composer: Composer,
    outbox: Outbox,
    /// When to send what waits.
    send_at: Instant,
    /// How many attempts in a row failed.
    failures: u32,
    /// Whether nothing more will come, because the service is being shut down.
    is_closing: bool,
    log: LogThrottle,
    counts: NotificationCounts,
}

/// What messages tell beside what happened.
pub(crate) struct Sources {
    /// The memory of dynos.
    pub(crate) drains: Arc<Drains>,
    /// The URL of the page.
    pub(crate) own_url: OwnUrl,
}

/// Where events are handed over without waiting.
pub(crate) struct Senders {
    pub(crate) news: mpsc::Sender<News>,
    pub(crate) silences: mpsc::Sender<Silence>,
    /// What comes of the messages.
    pub(crate) counts: NotificationCounts,
}

impl Notifier {
    /// For this webhook.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(url: WebhookUrl) -> Result<(Self, Senders), reqwest::Error> {
        let counts = NotificationCounts::default();
        let (news_sender, news) = mpsc::channel(CAPACITY);
        let (silence_sender, silences) = mpsc::channel(CAPACITY);
        let notifier = Self {
            news,
            silences,
            webhook: Webhook::new(url)?,
            composer: Composer::default(),
            outbox: Outbox::default(),
            send_at: Instant::now(),
            failures: 0,
            is_closing: false,
            log: LogThrottle::default(),
            counts: counts.clone(),
        };
        Ok((notifier, Senders { news: news_sender, silences: silence_sender, counts }))
    }

    /// Works until nothing more can come from the tasks of the apps and all is sent. It may then be ended at any time.
    pub(crate) async fn run(mut self, sources: Sources) {
        while !(self.is_closing && self.outbox.is_empty()) {
            tokio::select! {
                biased;
                news = self.news.recv(), if !self.is_closing => self.take(news, &sources.drains),
                Some(silence) = self.silences.recv() => {
                    let text = text::silence(&silence);
                    self.add(Some(text));
                }
                () = tokio::time::sleep_until(self.send_at), if !self.outbox.is_empty() => self.send(&sources.own_url).await,
            }
        }
    }

    /// `None` says that nothing more comes.
    fn take(&mut self, news: Option<News>, drains: &Drains) {
        if let Some(news) = news {
            let text = self.composer.news(&news, drains);
            self.add(text);
        } else {
            self.is_closing = true;
            self.send_at = Instant::now();
        }
    }

    fn add(&mut self, text: Option<String>) {
        let Some(text) = text else { return };
        if self.outbox.is_empty() {
            self.send_at = Instant::now() + COLLECT_FOR;
        }
        if self.outbox.push(text, Instant::now()) {
            self.counts.failed("dropped", 1);
            self.log.log("full", |times| {
                warn!("too many notifications wait to be sent, and the oldest is dropped{times}");
            });
        }
    }

    /// Sends one message of what waits.
    async fn send(&mut self, own_url: &OwnUrl) {
        let expired = self.outbox.drop_expired(Instant::now());
        if expired > 0 {
            self.counts.failed("expired", expired);
            warn!("{expired} notifications could not be sent for 15 minutes and are dropped");
        }
        let Some(message) = self.outbox.message() else {
            self.failures = 0;
            return;
        };
        let page = own_url.page().map(|url| format!("\nMore: {url}")).unwrap_or_default();
        let sent = self.webhook.post(&format!("{}{page}", message.text)).await;
        let pause = match sent {
            Ok(()) => {
                debug!("a notification was sent");
                self.counts.sent();
                self.outbox.remove(message.parts);
                self.failures = 0;
                COLLECT_FOR
            }
            Err(error) => {
                self.failures += 1;
                self.counts.failed(error.kind(), 1);
                let pause = self.pause(&error);
                if !error.is_transient() {
                    self.outbox.remove(message.parts);
                }
                self.log_failure(error);
                pause
            }
        };
        self.send_at = Instant::now() + if self.is_closing { pause.min(PAUSE_AT_SHUTDOWN) } else { pause };
    }

    fn pause(&self, error: &SendError) -> Duration {
        let backoff = FIRST_PAUSE.saturating_mul(1 << self.failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
        let asked = error.retry_after().map(|asked| asked.clamp(*RETRY_AFTER.start(), *RETRY_AFTER.end()));
        asked.map_or(backoff, |asked| asked.max(backoff))
    }

    fn log_failure(&self, error: SendError) {
        self.log.log(error.kind(), move |times| {
            let then = if error.is_transient() { "trying again" } else { "it is dropped; check NOTIFY_URL" };
            warn!(count = times.count(), "a notification was not sent: {error}; {then}{times}");
        });
    }
}
