//! What is true of any bytes: thousands of random bodies, valid and corrupted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use dyno_restarter::logplex::{Interest, Line, Pieces, events, frames};
use fastrand::Rng;

use super::{H12, MEMORY, TIME, events_in, everything, frame};

/// Runs `play` many times, each time with another seed. The message of a failure has the seed.
fn many_times(play: impl Fn(&mut Rng, &Interest)) {
    let everything = everything();
    for seed in 0..3000 {
        let outcome = catch_unwind(AssertUnwindSafe(|| play(&mut Rng::with_seed(seed), &everything)));
        assert!(outcome.is_ok(), "failed with seed {seed}");
    }
}

#[test]
fn no_bytes_cause_a_panic_or_an_endless_loop() {
    many_times(|rng, everything| {
        let mut body = messages(rng).concat();
        corrupt(rng, &mut body);
        assert!(frames(&body).map(<[u8]>::len).sum::<usize>() <= body.len());
        for message in frames(&body) {
            Line::parse(message).and_then(|line| line.at());
        }
        assert!(events_in(&body, everything).len() <= body.len() / 40);
    });
}

#[test]
fn framed_messages_are_read_back() {
    many_times(|rng, _| {
        let messages: Vec<Vec<u8>> = (0..rng.usize(..9)).map(|_| noise(rng)).collect();
        let body: Vec<u8> = messages.iter().flat_map(|message| frame(message)).collect();
        let mut frames = frames(&body);
        assert!(frames.by_ref().eq(messages.iter().map(Vec::as_slice)));
        assert_eq!(frames.error(), None);
    });
}

#[test]
fn frames_before_an_invalid_one_are_always_read() {
    many_times(|rng, everything| {
        let messages = messages(rng);
        let good = messages.concat();
        let mut broken = frame(&noise(rng));
        broken.pop();
        let body = [good.as_slice(), &broken].concat();
        let mut frames = frames(&body);
        assert_eq!(frames.by_ref().take(messages.len()).count(), messages.len());
        assert!(events(&body, everything).eq(events(&good, everything)));
    });
}

/// This does not hold for lines of more than 64 KiB, which the bodies here do not have.
#[test]
fn a_body_in_pieces_has_the_same_events_as_the_whole() {
    many_times(|rng, everything| {
        let mut body = messages(rng).concat();
        if rng.bool() {
            corrupt(rng, &mut body);
        }
        let (mut pieces, mut found, mut rest) = (Pieces::default(), Vec::new(), body.as_slice());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rng.usize(1..=rest.len().min(300)));
            pieces.read(piece, everything, |line, event| found.push(format!("{event:?} {:?}", line.text)));
            rest = after;
        }
        let mut whole = events(&body, everything);
        let expected: Vec<String> = whole.by_ref().map(|(line, event)| format!("{event:?} {:?}", line.text)).collect();
        assert_eq!((found, pieces.error()), (expected, whole.error()));
    });
}

#[test]
fn lines_of_an_app_are_never_events() {
    many_times(|rng, everything| {
        let mut text = text(rng).into_bytes();
        corrupt(rng, &mut text);
        let message = [format!("<190>1 {} host app web.1 - ", timestamp(rng)).as_bytes(), &text].concat();
        assert_eq!(events_in(&frame(&message), everything), [""; 0]);
    });
}

/// The parser has shortcuts for the most frequent lines. An unusual timestamp or a `-` before the text avoids them.
#[test]
fn shortcuts_do_not_change_the_events() {
    many_times(|rng, everything| {
        let mut text = text(rng).into_bytes();
        corrupt(rng, &mut text);
        text.retain(|&byte| byte != b'[');
        let events = |time: &str, dash: &str| {
            let head = format!("<158>1 {time} host heroku router - {dash}");
            events_in(&frame(&[head.as_bytes(), &text].concat()), everything)
        };
        let usual = events(TIME, "");
        assert_eq!(usual, events("2025-01-02T00:51:32Z", ""));
        assert!(usual == events(TIME, "- ") || text.starts_with(b"- "));
    });
}

/// Random messages, each in a frame.
fn messages(rng: &mut Rng) -> Vec<Vec<u8>> {
    let message = |rng: &mut Rng| {
        let app_name = ["heroku", "heroku", "app"][rng.usize(..3)];
        let process = ["web.1", "router", "logplex", "run.1234"][rng.usize(..4)];
        frame(format!("<134>1 {} host {app_name} {process} - {}", timestamp(rng), text(rng)).as_bytes())
    };
    (0..rng.usize(..8)).map(|_| message(rng)).collect()
}

fn timestamp(rng: &mut Rng) -> &'static str {
    [TIME, "2025-01-02T00:51:32.76+00:00", "2025-01-02T00:51:32Z", "-", ""][rng.usize(..5)]
}

/// A text that is an event or close to one; sometimes with its words in disorder.
fn text(rng: &mut Rng) -> String {
    let routine = r#"at=info method=POST path="/drain" host=restarter.example.com fwd="1" dyno=web.1 status=204"#;
    let whole = ["Error R14 (Memory quota exceeded)", H12, MEMORY, routine, &routine.replace("POST", "GET")]
        [rng.usize(..5)]
    .to_owned();
    if rng.bool() {
        return whole + ["", "\n", "\n\n"][rng.usize(..3)];
    }
    let mut words: Vec<&str> = whole.split(' ').collect();
    for _ in 0..rng.usize(..4) {
        let (from, to) = (rng.usize(..words.len()), rng.usize(..words.len()));
        words.swap(from, to);
        words[from] = ["code=H12", "dyno=web.9", "\"", "path=\"", "=", "[", "-", "method=POST"][rng.usize(..8)];
    }
    words.join(" ")
}

fn noise(rng: &mut Rng) -> Vec<u8> {
    (0..rng.usize(..40)).map(|_| if rng.bool() { rng.u8(..) } else { b"0123456789 \n"[rng.usize(..12)] }).collect()
}

/// Inserts, changes and removes a few bytes.
fn corrupt(rng: &mut Rng, bytes: &mut Vec<u8>) {
    for _ in 0..rng.usize(..6) {
        let at = rng.usize(..=bytes.len());
        let byte = if rng.bool() { rng.u8(..) } else { b"0123456789 \"=\\-[]#.M<>\n"[rng.usize(..23)] };
        match rng.u8(..4) {
            0 => bytes.insert(at, byte),
            1 if at < bytes.len() => bytes[at] = byte,
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if rng.u8(..8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
}
