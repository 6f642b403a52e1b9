//! Lines: what a message consists of.

use dyno_restarter::logplex::Line;

use super::{TIME, events_in, everything, frame};

#[test]
fn a_message_that_logplex_does_not_write_is_not_a_line() {
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
fn any_priority_and_any_host_are_accepted() {
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
fn only_one_newline_is_removed_from_the_end_of_a_text() {
    for (written, text) in [("hi", "hi"), ("hi\n", "hi"), ("hi\n\n", "hi\n"), ("a\nb\n", "a\nb"), ("\n", ""), ("", "")]
    {
        let message = format!("<190>1 {TIME} host app web.1 - {written}");
        assert_eq!(Line::parse(message.as_bytes()).expect("a line").text, text.as_bytes(), "{written:?}");
    }
}

#[test]
fn the_text_of_an_app_is_kept_whole() {
    for text in ["- hello", "[x@1 a=\"b\"] hello", "[1] hello"] {
        let message = format!("<190>1 {TIME} host app web.1 - {text}");
        assert_eq!(Line::parse(message.as_bytes()).expect("a line").text, text.as_bytes());
    }
}

#[test]
fn a_space_always_ends_a_field() {
    let time = TIME.replace('T', " ");
    let message = format!("<134>1 {time} host heroku web.1 - Error R14 (Memory quota exceeded)");
    assert_eq!(Line::parse(message.as_bytes()).expect("a line").app_name, b"host");
    assert_eq!(events_in(&frame(message.as_bytes()), &everything()), [""; 0]);
}

#[test]
fn an_invalid_timestamp_is_none() {
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

/// The time of a line with this timestamp.
fn at(timestamp: &str) -> Option<String> {
    let message = format!("<134>1 {timestamp} host app web.1 - hello");
    Some(Line::parse(message.as_bytes()).expect("a line").at()?.to_string())
}

#[test]
fn a_line_of_heroku_is_found_whatever_the_length_of_its_timestamp() {
    let text = "at=error code=H12 desc=\"Request timeout\" method=GET path=\"/\" host=shop.example.com dyno=web.2 service=30000ms";
    for length in 1..=80 {
        let timestamp = "2".repeat(length);
        let line = frame(format!("<158>1 {timestamp} host heroku router - {text}").as_bytes());
        assert_eq!(events_in(&line, &everything()), ["H12 of web.2"], "{length}");
        let line =
            frame(format!("<134>1 {timestamp} host heroku web.1 - Error R14 (Memory quota exceeded)").as_bytes());
        assert_eq!(events_in(&line, &everything()), ["R14 of web.1"], "{length}");
    }
}
