//! What is read of a log drain's body, and what is not believed. No service and no Heroku: bytes in, events out.

use dyno_restarter::logplex::{Fault, Line, frames};

const TIME: &str = "2025-01-02T00:51:32.761835+00:00";

#[test]
fn a_count_that_is_missing_wrong_or_a_lie_is_a_fault() {
    let cases = [
        (" 5 hello", Fault::CountMissing),
        ("<134>1 hello", Fault::NotANumber),
        ("-5 hello", Fault::NotANumber),
        ("+5 hello", Fault::NotANumber),
        ("5\thello", Fault::NotANumber),
        ("\n5 hello", Fault::NotANumber),
        ("00000005 hello", Fault::TooLarge),
        ("99999999999999999999999999 hello", Fault::TooLarge),
        ("9999999 hello", Fault::CutShort),
        ("6 hello", Fault::CutShort),
        ("5", Fault::CutShort),
        ("5 ", Fault::CutShort),
    ];
    for (body, fault) in cases {
        let mut frames = frames(body.as_bytes());
        assert_eq!((frames.next(), frames.fault()), (None, Some(fault)), "{body:?}");
        assert_eq!((frames.next(), frames.fault()), (None, Some(fault)), "{body:?}, asked again");
    }
}

#[test]
fn a_body_that_is_read_to_its_end_has_no_fault() {
    for (body, messages) in [(&b""[..], vec![]), (b"0 ", vec![""]), (b"0 0 2 hi0 ", vec!["", "", "hi", ""])] {
        let mut frames = frames(body);
        assert!(frames.by_ref().eq(messages.iter().map(|message| message.as_bytes())), "{body:?}");
        assert_eq!(frames.fault(), None);
    }
}

#[test]
fn frames_are_told_apart_by_their_counts_alone() {
    let messages: [&[u8]; 5] =
        [b"no newline", b"two\nlines\n", b"a frame? 93 <134>1 x", b"not UTF-8: \xff\xfe\x00", "ünïcödé\n".as_bytes()];
    let body = messages.map(frame).concat();
    assert!(frames(&body).eq(messages));
}

#[test]
fn a_count_is_of_bytes_and_has_up_to_seven_digits() {
    let message = vec![b'x'; 1_234_567];
    assert!(frames(&frame(&message)).eq([&message[..]]));
    assert!(frames(b"0000005 hello").eq([b"hello"]));
    assert!(frames("6 h\u{e9}llo".as_bytes()).eq(["h\u{e9}llo".as_bytes()]));
}

#[test]
fn what_logplex_does_not_write_is_no_line() {
    let messages = [
        "",
        "<",
        "hello",
        "134>1 T host heroku web.1 - text",
        "<>1 T host heroku web.1 - text",
        "<1234>1 T host heroku web.1 - text",
        "<-34>1 T host heroku web.1 - text",
        "<134>2 T host heroku web.1 - text",
        "<134>1",
        "<134>1 T host heroku web.1 -",
        "<134>1 2025-01-02T00:51:32.761835+00:00 host heroku web.1",
        "x134>1 2025-01-02T00:51:32.761835+00:00 host heroku web.1 - text",
        "<1x4>1 2025-01-02T00:51:32.761835+00:00 host heroku web.1 - text",
        "<134>2 2025-01-02T00:51:32.761835+00:00 host heroku web.1 - text",
    ];
    for message in messages {
        assert_eq!(Line::parse(message.as_bytes()), None, "{message}");
    }
}

#[test]
fn a_line_has_its_parts_whatever_the_priority_and_the_host() {
    for head in [
        "<0>1 T host",
        "<45>1 2014-11-11T08:24:25Z host",
        "<190>1 x d.fc6b856b",
        &format!("<134>1 {TIME} server"),
        &format!("<134>1 {TIME} host"),
    ] {
        let message = format!("{head} app web.1 - hello  world\n");
        let line = Line::parse(message.as_bytes()).expect("a line");
        assert_eq!(
            (line.app_name, line.proc_id, line.text),
            (&b"app"[..], &b"web.1"[..], &b"hello  world"[..]),
            "{head}"
        );
    }
}

#[test]
fn only_one_newline_is_taken_from_the_end_of_a_text() {
    for (written, text) in [("hi", "hi"), ("hi\n", "hi"), ("hi\n\n", "hi\n"), ("a\nb\n", "a\nb"), ("\n", ""), ("", "")]
    {
        let message = format!("<190>1 {TIME} host app web.1 - {written}");
        assert_eq!(Line::parse(message.as_bytes()).expect("a line").text, text.as_bytes(), "{written:?}");
    }
}

#[test]
fn what_an_app_writes_in_front_of_its_text_is_its_own() {
    for text in ["- hello", "[x@1 a=\"b\"] hello", "[1] hello"] {
        let message = format!("<190>1 {TIME} host app web.1 - {text}");
        assert_eq!(Line::parse(message.as_bytes()).expect("a line").text, text.as_bytes());
    }
}

#[test]
fn a_timestamp_that_cannot_be_read_is_none() {
    for timestamp in ["", "-", "2025-13-02T00:00:00Z", "2025-01-02", "yesterday", "2025-01-02T00:51:32", "\u{fc}"] {
        assert_eq!(at(timestamp), None, "{timestamp}");
    }
}

#[test]
fn a_timestamp_may_have_any_fraction_and_offset() {
    let cases = [
        ("2014-11-11T08:24:25+00:00", "2014-11-11T08:24:25Z"),
        ("2014-11-11T08:24:25Z", "2014-11-11T08:24:25Z"),
        ("2023-02-14T22:40:09.6+00:00", "2023-02-14T22:40:09.6Z"),
        ("2023-02-14T22:40:09.68909+00:00", "2023-02-14T22:40:09.68909Z"),
        ("2023-02-14T22:40:09.731329+00:00", "2023-02-14T22:40:09.731329Z"),
        ("2023-02-14T22:40:09.731329-07:30", "2023-02-15T06:10:09.731329Z"),
    ];
    for (written, time) in cases {
        assert_eq!(at(written), Some(time.to_owned()), "{written}");
    }
}

fn frame(message: &[u8]) -> Vec<u8> {
    [format!("{} ", message.len()).as_bytes(), message].concat()
}

fn at(timestamp: &str) -> Option<String> {
    let message = format!("<134>1 {timestamp} host app web.1 - hello");
    Some(Line::parse(message.as_bytes()).expect("a line").at()?.to_string())
}
