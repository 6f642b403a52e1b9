//! What is read of a log drain's body, and what is not believed. No service and no Heroku: bytes in, events out.

mod any_bytes;

use std::collections::BTreeSet;

use dyno_restarter::logplex::{Code, Event, FrameError, Interest, Line, Pieces, events, frames};

const TIME: &str = "2025-01-02T00:51:32.761835+00:00";

const H12: &str = r#"at=error code=H12 desc="Request timeout" method=GET path="/slow" host=shop.example.com fwd="203.0.113.7" dyno=web.2 connect=0ms service=30001ms status=503 bytes=0 protocol=https"#;

const MEMORY: &str = "source=web.9 dyno=heroku.1.4cf08a3d-2f18-4746-baa3-8374af270390 sample#memory_total=256.80MB sample#memory_rss=1.25MB sample#memory_cache=4.55MB sample#memory_pgpgin=1651pages sample#memory_quota=512.00MB";

#[test]
fn a_count_that_is_missing_wrong_or_a_lie_is_a_fault() {
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
fn good_frames_in_front_of_a_broken_one_count() {
    let body = [said("heroku", "web.1", "Error R14 (Memory quota exceeded)"), b"999 <134>1 cut sho".to_vec()].concat();
    let interest = everything();
    let mut events = events(&body, &interest);
    assert_eq!(events.by_ref().count(), 1);
    assert_eq!(events.error(), Some(FrameError::Truncated));
}

#[test]
fn a_body_that_is_read_to_its_end_has_no_fault() {
    for (body, messages) in [(&b""[..], vec![]), (b"0 ", vec![""]), (b"0 0 2 hi0 ", vec!["", "", "hi", ""])] {
        let mut frames = frames(body);
        assert!(frames.by_ref().eq(messages.iter().map(|message| message.as_bytes())), "{body:?}");
        assert_eq!(frames.error(), None);
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
fn a_space_ends_a_part_wherever_it_is() {
    let time = TIME.replace('T', " ");
    let message = format!("<134>1 {time} host heroku web.1 - Error R14 (Memory quota exceeded)");
    assert_eq!(Line::parse(message.as_bytes()).expect("a line").app_name, b"host");
    assert_eq!(all_told(&frame(message.as_bytes()), &everything()), [""; 0]);
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

#[test]
fn an_app_that_quotes_an_error_is_not_believed() {
    for app_name in ["app", "Heroku", "heroku2", "xheroku", "", "\"heroku\""] {
        assert_eq!(told(app_name, "web.1", "Error R14 (Memory quota exceeded)"), None, "{app_name}");
        assert_eq!(told(app_name, "router", H12), None, "{app_name}");
        assert_eq!(told(app_name, "web.1", MEMORY), None, "{app_name}");
    }
}

#[test]
fn an_error_counts_only_at_the_beginning_of_the_text() {
    for text in [
        "Starting process with command `echo Error R14 (Memory quota exceeded)`",
        " Error R14 (Memory quota exceeded)",
        "- - Error R14 (Memory quota exceeded)",
        "[x@1] said Error R14 (Memory quota exceeded)",
        "[x@1 a=\"] Error R14 (Memory quota exceeded)",
        "[x@1 a=\"\\\"] Error R14 (Memory quota exceeded)",
        "error R14 (Memory quota exceeded)",
        "Error R14",
        "Error R14: Memory quota exceeded",
        "Error r14 (Memory quota exceeded)",
        "Error R1",
        "Error R140 (Memory quota exceeded)",
        "Error ",
    ] {
        assert_eq!(told("heroku", "web.1", text), None, "{text}");
    }
}

#[test]
fn an_error_of_what_is_no_dyno_is_no_event() {
    for process in
        ["logplex", "api", "router", "heroku-postgres", "web", "web.0", "web.x", ".1", "w\u{e4}b.1", "web.1\u{0}"]
    {
        assert_eq!(told("heroku", process, "Error R14 (Memory quota exceeded)"), None, "{process}");
        assert_eq!(told("heroku", process, MEMORY), None, "{process}");
    }
}

#[test]
fn each_kind_of_error_is_believed_only_from_where_it_is_written() {
    assert_eq!(told("heroku", "logplex", "Error L10 (output buffer overflow): 1 messages dropped"), None);
    assert_eq!(told("heroku", "web.1", "Error L10 (output buffer overflow): 1 messages dropped"), None);
    assert_eq!(told("heroku", "web.1", "Error H12 (Request timeout)"), None);
    assert_eq!(told("heroku", "web.1", H12), None);
    assert_eq!(told("heroku", "router", &H12.replace("H12", "R14")), None);
}

#[test]
fn what_was_not_asked_for_is_no_event() {
    let body = [
        said("heroku", "web.1", "Error R14 (Memory quota exceeded)"),
        said("heroku", "web.1", "Error R15 (Memory quota vastly exceeded)"),
        said("heroku", "router", H12),
        said("heroku", "web.1", MEMORY),
    ]
    .concat();
    assert_eq!(all_told(&body, &Interest::default()), [""; 0]);
    assert_eq!(all_told(&body, &Interest { errors: BTreeSet::from([code("R15")]), memory: false }), ["R15 of web.1"]);
    assert_eq!(all_told(&body, &Interest { errors: BTreeSet::from([code("H12")]), memory: false }), ["H12 of web.2"]);
}

#[test]
fn a_dyno_is_not_believed_from_what_a_client_chose() {
    for (path, forwarded, real, expected) in [
        ("/?dyno=web.9", "203.0.113.7", "web.2", Some("H12 of web.2")),
        ("/? dyno=web.9", "203.0.113.7", "", None),
        ("/", r#"1" dyno=web.9 x=", 203.0.113.7"#, "web.2", Some("H12 of web.2")),
        ("/", r#"1" dyno=web.9 x=", 203.0.113.7"#, "", None),
        (r#"/"dyno=web.9"#, "203.0.113.7", "", None),
        (r"/\", "203.0.113.7", "web.2", Some("H12 of web.2")),
    ] {
        let text = format!(r#"at=error code=H12 method=GET path="{path}" fwd="{forwarded}" dyno={real} status=503"#);
        assert_eq!(told("heroku", "router", &text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_code_is_not_believed_from_what_a_client_chose() {
    let forwarded = r#"1" code=H12 x=", 203.0.113.7"#;
    let fine = format!(r#"at=info method=GET path="/? code=H12 " fwd="{forwarded}" dyno=web.2 status=200"#);
    assert_eq!(told("heroku", "router", &fine), None);
    let other = format!(r#"at=error code=H18 desc="code=H12 x" method=GET path="/" fwd="{forwarded}" dyno=web.2"#);
    assert_eq!(told("heroku", "router", &other).as_deref(), Some("H18 of web.2"));
}

#[test]
fn a_router_error_without_a_dyno_is_no_event() {
    for text in [
        r#"at=error code=H10 desc="App crashed" method=GET path="/" dyno= connect= status=503"#,
        r#"at=error code=H10 desc="App crashed" method=GET path="/" dyno="" connect="#,
        r#"at=error code=H10 desc="App crashed" method=GET path="/" dyno"#,
        r#"at=error code=H10 desc="App crashed" method=GET path="/ dyno=web.1"#,
        r#"at=error code=H10 desc="App crashed" method=GET path="/""#,
        "at=error code= method=GET dyno=web.1",
        "at=error code=H1 method=GET dyno=web.1",
        "at=error code",
        "",
    ] {
        assert_eq!(told("heroku", "router", text), None, "{text}");
    }
}

#[test]
fn an_error_of_a_dyno_is_an_event() {
    for text in [
        "Error R14 (Memory quota exceeded)",
        "- Error R14 (Memory quota exceeded)",
        "[x@1] Error R14 (Memory quota exceeded)",
        r#"[x@1 a="b"][y@2 c="]\"] "] Error R14 (Memory quota exceeded)"#,
        "Error R14 (Memory quota exceeded) -> and more",
    ] {
        assert_eq!(told("heroku", "web.1", text).as_deref(), Some("R14 of web.1"), "{text}");
    }
    assert_eq!(told("heroku", "clock_2.10", "Error R12 (Exit timeout) -> x").as_deref(), Some("R12 of clock_2.10"));
}

#[test]
fn an_error_of_the_router_is_of_the_dyno_that_it_names() {
    assert_eq!(told("heroku", "router", H12).as_deref(), Some("H12 of web.2"));
    let interrupted = r#"sock=client at=warning code=H27 desc="Client Request Interrupted" method=POST path="/submit/" tls=true unknown dyno=web.1 status=499"#;
    assert_eq!(told("heroku", "router", interrupted).as_deref(), Some("H27 of web.1"));
    let quoted = r#"at=error  code="H13" desc="Connection \"closed\" early" method=GET path="/" dyno="web.3""#;
    assert_eq!(told("heroku", "router", quoted).as_deref(), Some("H13 of web.3"));
}

#[test]
fn memory_that_cannot_be_read_is_no_event() {
    let load = "source=web.1 dyno=heroku.1.x sample#load_avg_1m=2.46 sample#load_avg_5m=1.06";
    assert_eq!(told("heroku", "web.1", load), None);
    for total in [
        "",
        "MB",
        ".5MB",
        "-1MB",
        "1",
        "1GB",
        "1MBx",
        "1M",
        "1..2MB",
        "1.2.3MB",
        "1e9MB",
        "999999999999MB",
        "\u{663}MB",
    ] {
        let text = MEMORY.replace("256.80MB", total);
        assert_eq!(told("heroku", "web.1", &text), None, "{total}");
    }
}

#[test]
fn memory_is_of_the_dyno_that_the_line_is_of_whatever_the_text_says() {
    assert_eq!(told("heroku", "web.1", MEMORY).as_deref(), Some("269274317 of 536870912 bytes, web.1"));
}

#[test]
fn memory_may_lack_a_quota() {
    let (without, _) = MEMORY.split_at(MEMORY.find(" sample#memory_quota").expect("it has one"));
    for text in [without.to_owned(), MEMORY.replace("512.00", "0.00"), MEMORY.replace("512.00", "?")] {
        assert_eq!(told("heroku", "worker.1", &text).as_deref(), Some("269274317 bytes, worker.1"), "{text}");
    }
}

#[test]
fn no_number_of_megabytes_is_too_much() {
    for (written, bytes) in
        [("0MB", "0"), ("99999999999MB", "104857599998951424"), ("0.000000001MB", "0"), ("0.5MB", "524288")]
    {
        let expected = format!("{bytes} of 536870912 bytes, web.1");
        assert_eq!(told("heroku", "web.1", &MEMORY.replace("256.80MB", written)), Some(expected));
    }
}

#[test]
fn other_requests_than_a_post_to_the_drain_are_no_event() {
    for request in [
        r#"method=GET path="/drain" host=restarter.example.com"#,
        r#"method=PUT path="/drain" host=restarter.example.com"#,
        r#"method=POST path="/drainage" host=restarter.example.com"#,
        r#"method=POST path="/carts" host=restarter.example.com"#,
        r#"method=POST path="/?x=/drain" host=restarter.example.com"#,
        r#"method=POST path="/?x= path="/drain" host=restarter.example.com"#,
        r#"method=POST path="/drain""#,
        "method=POST host=restarter.example.com",
    ] {
        for at in ["at=info", r#"at=error code=H99 desc="x""#] {
            let text = format!("{at} {request} dyno= status=204");
            assert_eq!(told("heroku", "router", &text), None, "{text}");
        }
    }
}

#[test]
fn a_post_to_the_drain_is_told_of_with_its_host() {
    for path in ["/drain", "/drain?key=secret", "/drain/shop"] {
        for at in ["at=info", r#"at=error code=H12 desc="x""#] {
            let text =
                format!(r#"{at} method=POST path="{path}" host=restarter.example.com fwd="1.2.3.4" dyno= status=204"#);
            assert_eq!(told("heroku", "router", &text).as_deref(), Some("drain of restarter.example.com"), "{text}");
        }
    }
}

#[test]
fn a_host_is_not_believed_from_the_path() {
    let text = r#"at=info method=POST path="/drain?"host=evil.example.com x" host=restarter.example.com dyno=web.1"#;
    assert_eq!(told("heroku", "router", text).as_deref(), Some("drain of restarter.example.com"));
}

#[test]
fn a_post_to_the_drain_that_fails_is_an_error_first() {
    let text = H12.replace("GET", "POST").replace("/slow", "/drain");
    assert_eq!(told("heroku", "router", &text).as_deref(), Some("H12 of web.2"));
}

#[test]
fn a_real_body_tells_of_each_event_in_order() {
    let body = [
        frame(b"<172>1 2014-11-11T08:24:25+00:00 host heroku logplex - Error L10 (output buffer overflow): 1 messages dropped since 2014-11-07T23:29:45+00:00."),
        said("heroku", "web.1", "Process running mem=736M(143.8%)\n"),
        said("heroku", "web.1", "Error R14 (Memory quota exceeded)\n"),
        said("app", "web.1", "line one\n134 <134>1 fake embedded frame\nline three\n"),
        said("heroku", "router", &format!("{H12}\n")),
        said("heroku", "web.1", &format!("{MEMORY}\n")),
        said("heroku", "worker.1", "Error R15 (Memory quota vastly exceeded)"),
    ]
    .concat();
    let expected = ["R14 of web.1", "H12 of web.2", "269274317 of 536870912 bytes, web.1", "R15 of worker.1"];
    assert_eq!(all_told(&body, &everything()), expected);
}

#[test]
fn a_code_is_a_capital_letter_and_two_digits() {
    for text in ["", "R", "R1", "R144", "r14", "14R", "R1x", "\u{c4}14", "R 4", "R14 "] {
        assert_eq!(Code::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Code::parse(b"R04").expect("a code").to_string(), "R04");
}

fn frame(message: &[u8]) -> Vec<u8> {
    [format!("{} ", message.len()).as_bytes(), message].concat()
}

/// A frame of one message.
fn said(app_name: &str, process: &str, text: &str) -> Vec<u8> {
    frame(format!("<134>1 {TIME} host {app_name} {process} - {text}").as_bytes())
}

/// What one message tells of.
fn told(app_name: &str, process: &str, text: &str) -> Option<String> {
    let mut told = all_told(&said(app_name, process, text), &everything());
    assert!(told.len() <= 1, "{told:?}");
    told.pop()
}

fn all_told(body: &[u8], interest: &Interest) -> Vec<String> {
    let words = |event| match event {
        Event::Error { code, dyno } => format!("{code} of {dyno}"),
        Event::Memory { dyno, total, quota: Some(quota) } => format!("{total} of {quota} bytes, {dyno}"),
        Event::Memory { dyno, total, quota: None } => format!("{total} bytes, {dyno}"),
        Event::DrainRequest { host } => format!("drain of {host}"),
    };
    events(body, interest).map(|(_, event)| words(event)).collect()
}

/// Byte by byte, as nobody sends it.
#[test]
fn of_pieces_of_a_byte_each_long_lines_are_passed_over_and_faults_are_found() {
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

/// Every error of a dyno, of the router and of logplex, but for one: `H99`.
fn everything() -> Interest {
    let every =
        ["R", "H", "L"].into_iter().flat_map(|letter| (0..99).map(move |number| format!("{letter}{number:02}")));
    Interest { errors: every.map(|text| code(&text)).collect(), memory: true }
}

fn code(text: &str) -> Code {
    Code::parse(text.as_bytes()).expect("a code")
}

/// When a line with this timestamp was written.
fn at(timestamp: &str) -> Option<String> {
    let message = format!("<134>1 {timestamp} host app web.1 - hello");
    Some(Line::parse(message.as_bytes()).expect("a line").at()?.to_string())
}
