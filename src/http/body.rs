//! Reading request bodies, with limits on their size, on the time they take, and on the memory of all of them together.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::debug;

use crate::shutdown::Stop;

/// Log services send batches of up to 25,000 lines. What exceeds this is not kept.
const MAX_SIZE: usize = 8 * 1024 * 1024;

/// Nearly all bodies are smaller and need no permit.
const SMALL: usize = 64 * 1024;

/// Larger bodies take a permit for each further piece of this size.
const PIECE: usize = 64 * 1024;

/// The memory of all large bodies together, in pieces: 32 MiB, and up to three times as much while they are parsed, of the
/// 512 MB of a Basic dyno. Further bodies wait, except one, which may always go on: they cannot all wait for each other.
const PIECES: usize = 512;

/// How long a sender may take to send its body. After that, it is answered by what has arrived.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the bodies of alerts.
#[derive(Debug)]
pub(crate) struct BodyReader {
    stop: Stop,
    pieces: Arc<Semaphore>,
    /// One body that grows without asking for pieces.
    free_to_grow: Arc<Semaphore>,
}

/// What arrived of a body.
#[derive(Debug)]
pub(crate) struct ReceivedBody {
    pub(crate) bytes: Bytes,
    pub(crate) completeness: Completeness,
    /// Its share of the memory for large bodies, until it is dropped.
    _memory: Memory,
}

/// How much of a body arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completeness {
    /// All of it.
    Complete,
    /// It is larger than 8 MiB; the first 8 MiB are kept.
    TooLarge,
    /// A part. The connection broke, or the rest did not arrive in time.
    CutOff,
}

/// The permits of one body.
#[derive(Debug, Default)]
struct Memory {
    pieces: Option<OwnedSemaphorePermit>,
    free_to_grow: Option<OwnedSemaphorePermit>,
}

impl BodyReader {
    pub(crate) fn new(stop: Stop) -> Self {
        Self { stop, pieces: Arc::new(Semaphore::new(PIECES)), free_to_grow: Arc::new(Semaphore::new(1)) }
    }

    /// Reads until the end of the body, its size limit or its time limit, or until the service is asked to end.
    pub(crate) async fn read(&self, body: &mut Body) -> ReceivedBody {
        let mut kept = Vec::new();
        let mut memory = Memory::default();
        let collected = within_time(pin!(self.collect(body, &mut kept, &mut memory)), &self.stop).await;
        let (bytes, completeness) = match collected {
            Some(Collected::InOnePiece(bytes)) => (bytes, Completeness::Complete),
            Some(Collected::InPieces(completeness)) => (kept.into(), completeness),
            None => (kept.into(), Completeness::CutOff),
        };
        ReceivedBody { bytes, completeness, _memory: memory }
    }

    async fn collect(&self, body: &mut Body, kept: &mut Vec<u8>, memory: &mut Memory) -> Collected {
        loop {
            let data = match body.frame().await {
                None => return Collected::InPieces(Completeness::Complete),
                Some(Err(_)) => return Collected::InPieces(Completeness::CutOff),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
            };
            if kept.is_empty() && body.is_end_stream() {
                return Collected::InOnePiece(data);
            }
            let length = kept.len() + data.len();
            if length > MAX_SIZE {
                kept.extend_from_slice(&data[..MAX_SIZE - kept.len()]);
                return Collected::InPieces(Completeness::TooLarge);
            }
            if length > SMALL {
                Box::pin(self.reserve(memory, length)).await;
            }
            kept.extend_from_slice(&data);
        }
    }

    /// Waits until there is memory for a body of this length.
    async fn reserve(&self, memory: &mut Memory, length: usize) {
        let needed = length.saturating_sub(SMALL).div_ceil(PIECE);
        let missing = needed.saturating_sub(memory.pieces.as_ref().map_or(0, OwnedSemaphorePermit::num_permits));
        if missing == 0 || memory.free_to_grow.is_some() {
            return;
        }
        let missing = u32::try_from(missing).unwrap_or(u32::MAX);
        // The semaphores are never closed.
        tokio::select! {
            biased;
            pieces = Arc::clone(&self.pieces).acquire_many_owned(missing) => match (&mut memory.pieces, pieces) {
                (Some(pieces), Ok(more)) => pieces.merge(more),
                (pieces, more) => *pieces = more.ok(),
            },
            free = Arc::clone(&self.free_to_grow).acquire_owned() => memory.free_to_grow = free.ok(),
        }
    }
}

impl ReceivedBody {
    /// The same body with other bytes.
    pub(crate) fn with_bytes(self, bytes: Bytes) -> Self {
        Self { bytes, ..self }
    }
}

enum Collected {
    /// Need not be copied.
    InOnePiece(Bytes),
    /// Copied into one buffer.
    InPieces(Completeness),
}

/// Passes each piece of a body to `take` as it arrives and keeps none of them, until the service is asked to end.
pub(crate) async fn stream(mut body: Body, stop: &Stop, mut take: impl FnMut(&[u8])) -> Completeness {
    let to_the_end = async {
        loop {
            match body.frame().await {
                None => return Completeness::Complete,
                Some(Err(_)) => return Completeness::CutOff,
                Some(Ok(frame)) => frame.data_ref().into_iter().for_each(|data| take(data)),
            }
        }
    };
    within_time(pin!(to_the_end), stop).await.unwrap_or(Completeness::CutOff)
}

/// The output of `reading`; `None` if it takes too long, or the service is asked to end meanwhile.
async fn within_time<T>(mut reading: Pin<&mut impl Future<Output = T>>, stop: &Stop) -> Option<T> {
    // Nearly all bodies are there already.
    if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        return Some(output);
    }
    let limits = Box::pin(async {
        tokio::select! {
            () = sleep(TIMEOUT) => debug!("the body of a request did not arrive within {TIMEOUT:?}"),
            _ = stop.requested() => {}
        }
    });
    tokio::select! {
        biased;
        output = reading => Some(output),
        () = limits => None,
    }
}
