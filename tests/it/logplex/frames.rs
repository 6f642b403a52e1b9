//! Frames: how the messages of a body are separated.

use dyno_restarter::logplex::{FrameError, Pieces, events, frames};

use super::{TIME, everything, frame, line_of};

#[test]
fn a_missing_or_wrong_length_is_an_error() {
    let cases = [
        (" 5 hello", FrameError::MissingLength),
        ("<134>1 hello", FrameError::InvalidLength),
        ("-5 hello", FrameError::InvalidLength),
        ("+5 hello", FrameError::InvalidLength),
        ("5\thello", FrameError::InvalidLength),
        ("\n5 hello", FrameError::InvalidLength),
        ("00000005 hello", FrameError::LengthTooLarge),
        ("99999999999999999999999999 hello", FrameError::LengthTooLarge),
        ("9999999 hello", FrameError::Truncated),
        ("6 hello", FrameError::Truncated),
        ("5", FrameError::Truncated),
        ("5 ", FrameError::Truncated),
    ];
    for (body, error) in cases {
        let mut frames = frames(body.as_bytes());
        assert_eq!((frames.next(), frames.error()), (None, Some(error)), "{body:?}");
        assert_eq!((frames.next(), frames.error()), (None, Some(error)), "{body:?}, asked again");
    }
}

#[test]
fn frames_before_an_invalid_one_are_read() {
    let body =
        [line_of("heroku", "web.1", "Error R14 (Memory quota exceeded)"), b"999 <134>1 cut sho".to_vec()].concat();
    let interest = everything();
    let mut events = events(&body, &interest);
    assert_eq!(events.by_ref().count(), 1);
    assert_eq!(events.error(), Some(FrameError::Truncated));
}

#[test]
fn a_body_that_is_read_to_its_end_has_no_error() {
    for (body, messages) in [(&b""[..], vec![]), (b"0 ", vec![""]), (b"0 0 2 hi0 ", vec!["", "", "hi", ""])] {
        let mut frames = frames(body);
        assert!(frames.by_ref().eq(messages.iter().map(|message| message.as_bytes())), "{body:?}");
        assert_eq!(frames.error(), None);
    }
}

#[test]
fn frames_are_separated_by_their_lengths_alone() {
    let messages: [&[u8]; 5] =
        [b"no newline", b"two\nlines\n", b"a frame? 93 <134>1 x", b"not UTF-8: \xff\xfe\x00", "ünïcödé\n".as_bytes()];
    let body = messages.map(frame).concat();
    assert!(frames(&body).eq(messages));
}

#[test]
fn a_length_is_in_bytes_and_has_up_to_seven_digits() {
    let message = vec![b'x'; 1_234_567];
    assert!(frames(&frame(&message)).eq([&message[..]]));
    assert!(frames(b"0000005 hello").eq([b"hello"]));
    assert!(frames("6 h\u{e9}llo".as_bytes()).eq(["h\u{e9}llo".as_bytes()]));
}

#[test]
fn byte_by_byte_long_lines_are_skipped_and_errors_are_found() {
    let line = |length: usize| {
        let message = format!("<134>1 {TIME} host heroku web.1 - {}", "x".repeat(length));
        frame(message.as_bytes())
    };
    let r14 = frame(format!("<134>1 {TIME} host heroku web.1 - Error R14 (Memory quota exceeded)").as_bytes());
    let (good, broken) =
        ([line(60_000), r14.clone(), line(70_000), r14.clone()].concat(), [&r14, &b"12x"[..]].concat());
    for (body, events, error) in [(good, 2, None), (broken, 1, Some(FrameError::InvalidLength))] {
        let (mut pieces, mut found, everything) = (Pieces::default(), 0, everything());
        for byte in &body {
            pieces.read(std::slice::from_ref(byte), &everything, |_, _| found += 1);
        }
        assert_eq!((found, pieces.error()), (events, error));
    }
}
