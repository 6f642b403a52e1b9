//! Generates the log of a busy app from a fixed seed, in the format of a log drain.

use std::fmt::Write;

use fastrand::Rng;

/// The maximum size of the body of a request from logplex (`http_drain_target_bytes`).
const BODY_BYTES: usize = 102_400;

const SEED: u64 = 14;

/// The words of the app's lines. They have typical lengths.
const WORDS: [&str; 12] = [
    "Completed",
    "200",
    "OK",
    "in",
    "14ms",
    "(Views:",
    "9.2ms",
    "|",
    "ActiveRecord:",
    "2.1ms)",
    "user_id=4711",
    "cart",
];

/// The bodies of the requests, with the numbers of their bytes and lines.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) bytes: usize,
    pub(crate) lines: usize,
    /// The number of lines that report an error of a dyno.
    pub(crate) errors: usize,
    /// The number of lines that report the memory of a dyno.
    pub(crate) metrics: usize,
}

impl Log {
    /// Generates a log of at least this size. Of 1,000 lines, about 530 are from the app and 457 from the router, 5
    /// report the memory of a dyno, 5 report its load, and 2 report its state. One is an error, in turn `R14` and
    /// `H12`. With 80 lines a second, this is the share of metrics that eight dynos log every 20 s.
    pub(crate) fn generate(bytes: usize) -> Self {
        let mut rng = Rng::with_seed(SEED);
        let mut log = Self::default();
        let mut body = Vec::with_capacity(BODY_BYTES);
        while log.bytes + body.len() < bytes {
            let frame = log.frame(&mut rng);
            if body.len() + frame.len() > BODY_BYTES {
                log.bytes += body.len();
                log.bodies.push(std::mem::replace(&mut body, Vec::with_capacity(BODY_BYTES)));
            }
            body.extend_from_slice(frame.as_bytes());
            log.lines += 1;
        }
        log.bytes += body.len();
        log.bodies.push(body);
        log
    }

    fn frame(&mut self, rng: &mut Rng) -> String {
        let dyno = format!("web.{}", rng.u8(1..=8));
        let (origin, text) = match rng.u16(0..999) {
            // The errors are spread evenly, so that a short run has some, too.
            _ if self.lines % 1000 == 500 => {
                self.errors += 1;
                if self.errors % 2 == 1 {
                    (
                        format!("134>1 {} host heroku {dyno}", timestamp(rng)),
                        "Error R14 (Memory quota exceeded)".to_owned(),
                    )
                } else {
                    let text = request(rng, &dyno, "at=error code=H12 desc=\"Request timeout\"");
                    (format!("158>1 {} host heroku router", timestamp(rng)), text)
                }
            }
            0..530 => (format!("190>1 {} host app {dyno}", timestamp(rng)), sentence(rng)),
            530..987 => (format!("158>1 {} host heroku router", timestamp(rng)), request(rng, &dyno, "at=info")),
            987..992 => {
                self.metrics += 1;
                (format!("134>1 {} host heroku {dyno}", timestamp(rng)), memory(rng, &dyno))
            }
            992..997 => (format!("134>1 {} host heroku {dyno}", timestamp(rng)), load(rng, &dyno)),
            _ => {
                (format!("134>1 {} host heroku {dyno}", timestamp(rng)), "State changed from starting to up".to_owned())
            }
        };
        let message = format!("<{origin} - {text}\n");
        format!("{} {message}", message.len())
    }
}

/// Generates a timestamp. Like logplex, it omits trailing zeros.
fn timestamp(rng: &mut Rng) -> String {
    let mut text = format!("2025-01-02T03:{:02}:{:02}.{:06}", rng.u8(0..60), rng.u8(0..60), rng.u32(0..1_000_000));
    while text.ends_with('0') {
        text.pop();
    }
    text + "+00:00"
}

/// Generates a text of 80 to 400 bytes.
fn sentence(rng: &mut Rng) -> String {
    let length = rng.usize(80..=400);
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        text += WORDS[rng.usize(..WORDS.len())];
        text.push(' ');
    }
    text.truncate(length);
    text
}

fn request(rng: &mut Rng, dyno: &str, prefix: &str) -> String {
    let method = ["GET", "GET", "GET", "POST"][rng.usize(..4)];
    let mut text = format!("{prefix} method={method} path=\"/carts/{}", rng.u32(..));
    for index in 0..rng.u8(0..4) {
        write!(text, "&filter{index}={}", rng.u16(..)).expect("writing to a string cannot fail");
    }
    let (id, service, bytes) = (rng.u128(..), rng.u16(1..900), rng.u16(..));
    write!(
        text,
        "\" host=shop.example.com request_id={id:032x} fwd=\"203.0.113.{}\" dyno={dyno} connect=1ms service={service}ms \
         status=200 bytes={bytes} protocol=https",
        rng.u8(..)
    )
    .expect("writing to a string cannot fail");
    text
}

fn memory(rng: &mut Rng, dyno: &str) -> String {
    let (resident, cache) = (rng.u16(200..700), rng.u8(..));
    format!(
        "source={dyno} dyno=heroku.295224626.4cf08a3d-2f18-4746-baa3-8374af270390 sample#memory_total={}.{:02}MB \
         sample#memory_rss={resident}.25MB sample#memory_cache={cache}.55MB sample#memory_swap=0.00MB \
         sample#memory_pgpgin=32268pages sample#memory_pgpgout=9527pages sample#memory_quota=512.00MB",
        resident + u16::from(cache),
        rng.u8(..100)
    )
}

fn load(rng: &mut Rng, dyno: &str) -> String {
    format!(
        "source={dyno} dyno=heroku.295224626.4cf08a3d-2f18-4746-baa3-8374af270390 sample#load_avg_1m=0.{:02} \
         sample#load_avg_5m=0.31 sample#load_avg_15m=0.22",
        rng.u8(..100)
    )
}
