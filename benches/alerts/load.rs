//! The load: as many alerts as many connections can carry, by a client that does as little as possible beside.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::PATIENCE;

/// How many connections are used at once, if not said otherwise.
pub(crate) const CONNECTIONS: usize = 64;

/// How long after its time a load may end.
const GRACE: Duration = Duration::from_secs(10);

/// Alerts to a server, and the status that is right.
pub(crate) struct Load {
    connections: usize,
    address: SocketAddr,
    request: Arc<[u8]>,
    status: u16,
}

/// What came back.
#[derive(Default)]
pub(crate) struct Outcome {
    /// From the first byte of a request to the last of its answer. Only right answers count.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) took: Duration,
    /// Answers of another status.
    pub(crate) wrong: usize,
    /// Requests whose connection ended before the answer did.
    pub(crate) unanswered: usize,
    /// Connections that could not be used again.
    pub(crate) reconnects: usize,
}

/// The head of an answer that is there as a whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    closes: bool,
}

/// A request as `LogEntries` sends it, with the key where it can be put.
pub(crate) fn alert(address: SocketAddr, key: &str) -> Vec<u8> {
    // Without the number of the line: each request is a separate alert.
    let line = |at: u64, text: &str| json!({ "t": 1_583_724_489_081 + at, "m": text });
    let running = "<45>1 2020-03-09T03:28:09.081396+00:00 heroku web.1 - - Process running mem=1132M(110.5%)";
    let r14 = "<45>1 2020-03-09T03:28:09.081517+00:00 heroku web.1 - - Error R14 (Memory quota exceeded)";
    let payload = json!({
        "alert": { "name": "Heroku R14" },
        "host": { "name": "Heroku", "hostname": "shop.example.com" },
        "log": { "name": "shop" },
        "event": line(1, r14),
        "context": [line(0, running), line(1, r14)],
    });
    let mut form = form_urlencoded::Serializer::new(String::new());
    let body = form.append_pair("payload", &payload.to_string()).finish();
    let length = body.len();
    format!(
        "POST /restart_web_dynos HTTP/1.1\r\nHost: {address}\r\nUser-Agent: Logentries/1.2\r\nAccept: */*\r\n\
         Authorization: Bearer {key}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A request as Heroku's log drain sends it, without `Logplex-Frame-Id`: each request is a separate batch.
fn batch(address: SocketAddr, key: &str, body: &[u8]) -> Vec<u8> {
    let credentials = BASE64_STANDARD.encode(format!("drain:{key}"));
    let head = format!(
        "POST /drain HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {credentials}\r\n\
         Content-Type: application/logplex-1\r\nLogplex-Msg-Count: 400\r\n\
         Logplex-Drain-Token: d.fc6b856b-3332-4546-93de-7d0ee272c3bd\r\nUser-Agent: Logplex/v72\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

impl Load {
    /// Alerts with this key, to be answered with this status.
    pub(crate) fn alerts(address: SocketAddr, key: &str, status: u16) -> Self {
        Self { connections: CONNECTIONS, address, request: alert(address, key).into(), status }
    }

    /// The same over another number of connections.
    pub(crate) fn over(self, connections: usize) -> Self {
        Self { connections, ..self }
    }

    /// Batches of a log drain, to be answered 204.
    pub(crate) fn batches(address: SocketAddr, key: &str, body: &[u8]) -> Self {
        Self { connections: CONNECTIONS, address, request: batch(address, key, body).into(), status: 204 }
    }

    /// Sends this many alerts over all connections together, or fewer if the time is over before.
    #[tokio::main]
    pub(crate) async fn run(&self, alerts: usize, time: Duration) -> Outcome {
        let mut streams = Vec::new();
        for _ in 0..self.connections {
            streams.push(connect(self.address).await);
        }
        let begin = Instant::now();
        let mut conversations = JoinSet::new();
        for (at, stream) in streams.into_iter().enumerate() {
            let share = (alerts + at) / self.connections;
            let request = Arc::clone(&self.request);
            conversations.spawn(converse(stream, request, self.status, share, begin + time));
        }
        let outcomes = tokio::time::timeout(time + GRACE, conversations.join_all()).await;
        let mut outcome = Outcome::default();
        for part in outcomes.expect("every alert is answered in time") {
            outcome.add(part);
        }
        outcome.took = begin.elapsed();
        outcome
    }
}

/// One connection: an alert, its answer, the next alert.
async fn converse(mut stream: TcpStream, request: Arc<[u8]>, status: u16, alerts: usize, end: Instant) -> Outcome {
    let address = stream.peer_addr().expect("it is connected");
    let (mut outcome, mut buffer) = (Outcome::default(), Vec::with_capacity(4096));
    for _ in 0..alerts {
        let asked = Instant::now();
        if asked >= end {
            break;
        }
        let answer = exchange(&mut stream, &request, &mut buffer).await.ok();
        match &answer {
            Some(answer) if answer.status == status => outcome.latencies.push(asked.elapsed()),
            Some(_) => outcome.wrong += 1,
            None => outcome.unanswered += 1,
        }
        if answer.is_none_or(|answer| answer.closes) {
            stream = connect(address).await;
            outcome.reconnects += 1;
        }
    }
    outcome
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("the server listens");
    stream.set_nodelay(true).expect("TCP has the option");
    stream
}

pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> io::Result<Answer> {
    stream.write_all(request).await?;
    buffer.clear();
    while stream.read_buf(buffer).await? > 0 {
        if let Some(answer) = Answer::parse(buffer) {
            return Ok(answer);
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// One request without tokio, on a connection that is not used again. `None` if the connection ends without an answer, or the
/// answer takes longer than [`PATIENCE`].
pub(crate) fn exchange_blocking(mut stream: std::net::TcpStream, request: &[u8]) -> Option<Answer> {
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request).ok()?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer).ok()? {
            0 => return None,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
        if let Some(answer) = Answer::parse(&bytes) {
            return Some(answer);
        }
    }
}

impl Answer {
    /// `None` as long as some of it is missing.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        const BLANK_LINE: &[u8] = b"\r\n\r\n";
        let end = bytes.windows(BLANK_LINE.len()).position(|window| window == BLANK_LINE)?;
        let head = str::from_utf8(&bytes[..end]).ok()?;
        let header = |wanted: &str| {
            let headers = head.lines().filter_map(|line| line.split_once(": "));
            headers.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let status = head.split(' ').nth(1)?.parse().ok()?;
        // 204 has no body and no `Content-Length`.
        let length: usize = if status == 204 { 0 } else { header("content-length")?.parse().ok()? };
        let closes = header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        (bytes.len() >= end + BLANK_LINE.len() + length).then_some(Self { status, closes })
    }
}

impl Outcome {
    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.took += other.took;
        self.wrong += other.wrong;
        self.unanswered += other.unanswered;
        self.reconnects += other.reconnects;
    }
}
