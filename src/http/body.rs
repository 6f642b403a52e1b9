//! Receiving a body, with bounds on its size, on the time it takes, and on what all bodies together take up.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};
use tracing::debug;

/// Log services send batches of up to 25,000 lines. What is beyond this is not kept.
const LARGEST: usize = 8 * 1024 * 1024;

/// Nearly all bodies are smaller, and need no place; so are those of a log drain, of about 100 KB.
const SMALL: usize = 256 * 1024;

/// How many larger ones are kept at once; the next one waits. 32 MiB in all, and while they are read up to three times as
/// much, of the 512 MB of a Basic dyno.
const PLACES: usize = 4;

/// How long a sender may take over its body. It is answered then all the same.
const TIME: Duration = Duration::from_secs(10);

/// Where bodies are received.
#[derive(Debug)]
pub struct Receiver {
    places: Semaphore,
}

/// What has come of a body.
#[derive(Debug)]
pub struct Received {
    /// What there is of it.
    pub bytes: Bytes,
    /// Whether that is all.
    pub extent: Extent,
}

/// How much of a body has been received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// As much as is kept; there is more.
    TooLarge,
    /// A part; no more will come.
    CutOff,
}

/// A body that is being received.
#[derive(Debug)]
pub struct Incoming<'a> {
    body: Body,
    until: Instant,
    receiver: &'a Receiver,
    place: Option<SemaphorePermit<'a>>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { places: Semaphore::new(PLACES) }
    }
}

impl Receiver {
    /// From here on its time runs.
    #[must_use]
    pub fn begin(&self, body: Body) -> Incoming<'_> {
        Incoming { body, until: Instant::now() + TIME, receiver: self, place: None }
    }
}

impl Incoming<'_> {
    /// Waits for the whole of it, or until it is clear that it will not be kept.
    pub async fn receive(&mut self) -> Received {
        let announced = self.body.size_hint().exact().and_then(|length| usize::try_from(length).ok());
        let mut kept = Vec::with_capacity(announced.unwrap_or_default().min(SMALL));
        match timeout_at(self.until, self.collect(&mut kept)).await {
            Ok(Collected::AtOnce(bytes)) => Received { bytes, extent: Extent::Whole },
            Ok(Collected::Piecewise(extent)) => Received { bytes: kept.into(), extent },
            Err(_) => Received { bytes: kept.into(), extent: Extent::CutOff },
        }
    }

    /// Gives each piece to `take` as it comes and keeps none; says whether they were all.
    pub async fn stream(&mut self, mut take: impl FnMut(&[u8])) -> Extent {
        let to_the_end = async {
            loop {
                match self.body.frame().await {
                    None => return Extent::Whole,
                    Some(Err(_)) => return Extent::CutOff,
                    Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|data| take(data)),
                }
            }
        };
        timeout_at(self.until, to_the_end).await.unwrap_or(Extent::CutOff)
    }

    /// What was received is kept no longer: another one may have the place.
    pub fn make_room(&mut self) {
        self.place = None;
    }

    /// Reads what comes after that and keeps nothing, so that the sender can finish and read the answer.
    pub async fn discard(mut self) {
        self.make_room();
        if self.stream(|_| {}).await == Extent::CutOff {
            debug!("the body of a request did not come to its end, or not in {TIME:?}");
        }
    }

    async fn collect(&mut self, kept: &mut Vec<u8>) -> Collected {
        loop {
            let data = match self.body.frame().await {
                None => return Collected::Piecewise(Extent::Whole),
                Some(Err(_)) => return Collected::Piecewise(Extent::CutOff),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if kept.is_empty() && self.body.is_end_stream() {
                return Collected::AtOnce(data);
            }
            let length = kept.len() + data.len();
            if length > LARGEST {
                kept.extend_from_slice(&data[..LARGEST - kept.len()]);
                return Collected::Piecewise(Extent::TooLarge);
            }
            if length > SMALL && self.place.is_none() {
                // The semaphore is never closed.
                self.place = self.receiver.places.acquire().await.ok();
            }
            kept.extend_from_slice(&data);
        }
    }
}

enum Collected {
    /// In one piece, which need not be copied.
    AtOnce(Bytes),
    /// In pieces, which have been put together.
    Piecewise(Extent),
}
