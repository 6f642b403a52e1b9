//! Errors of dynos and of the router.

use std::collections::BTreeSet;

use dyno_restarter::logplex::{Code, Interest};

use super::{H12, MEMORY, code, event_of, events_in, line_of};

#[test]
fn lines_of_an_app_are_never_events() {
    for app_name in ["app", "Heroku", "heroku2", "xheroku", "", "\"heroku\""] {
        assert_eq!(event_of(app_name, "web.1", "Error R14 (Memory quota exceeded)"), None, "{app_name}");
        assert_eq!(event_of(app_name, "router", H12), None, "{app_name}");
        assert_eq!(event_of(app_name, "web.1", MEMORY), None, "{app_name}");
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
        assert_eq!(event_of("heroku", "web.1", text), None, "{text}");
    }
}

#[test]
fn an_error_of_another_process_than_a_dyno_is_not_an_event() {
    for process in
        ["logplex", "api", "router", "heroku-postgres", "web", "web.0", "web.x", ".1", "w\u{e4}b.1", "web.1\u{0}"]
    {
        assert_eq!(event_of("heroku", process, "Error R14 (Memory quota exceeded)"), None, "{process}");
        assert_eq!(event_of("heroku", process, MEMORY), None, "{process}");
    }
}

#[test]
fn each_kind_of_error_counts_only_from_its_own_source() {
    assert_eq!(event_of("heroku", "logplex", "Error L10 (output buffer overflow): 1 messages dropped"), None);
    assert_eq!(event_of("heroku", "web.1", "Error L10 (output buffer overflow): 1 messages dropped"), None);
    assert_eq!(event_of("heroku", "web.1", "Error H12 (Request timeout)"), None);
    assert_eq!(event_of("heroku", "web.1", H12), None);
    assert_eq!(event_of("heroku", "router", &H12.replace("H12", "R14")), None);
}

#[test]
fn only_what_the_caller_asks_for_is_an_event() {
    let body = [
        line_of("heroku", "web.1", "Error R14 (Memory quota exceeded)"),
        line_of("heroku", "web.1", "Error R15 (Memory quota vastly exceeded)"),
        line_of("heroku", "router", H12),
        line_of("heroku", "web.1", MEMORY),
    ]
    .concat();
    assert_eq!(events_in(&body, &Interest::default()), [""; 0]);
    assert_eq!(events_in(&body, &Interest { errors: BTreeSet::from([code("R15")]), memory: false }), ["R15 of web.1"]);
    assert_eq!(events_in(&body, &Interest { errors: BTreeSet::from([code("H12")]), memory: false }), ["H12 of web.2"]);
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
        assert_eq!(event_of("heroku", "web.1", text).as_deref(), Some("R14 of web.1"), "{text}");
    }
    assert_eq!(event_of("heroku", "clock_2.10", "Error R12 (Exit timeout) -> x").as_deref(), Some("R12 of clock_2.10"));
}

#[test]
fn an_error_of_the_router_belongs_to_the_dyno_that_it_names() {
    assert_eq!(event_of("heroku", "router", H12).as_deref(), Some("H12 of web.2"));
    let interrupted = r#"sock=client at=warning code=H27 desc="Client Request Interrupted" method=POST path="/submit/" tls=true unknown dyno=web.1 status=499"#;
    assert_eq!(event_of("heroku", "router", interrupted).as_deref(), Some("H27 of web.1"));
    let quoted = r#"at=error  code="H13" desc="Connection \"closed\" early" method=GET path="/" dyno="web.3""#;
    assert_eq!(event_of("heroku", "router", quoted).as_deref(), Some("H13 of web.3"));
}

#[test]
fn a_router_error_without_a_dyno_is_not_an_event() {
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
        assert_eq!(event_of("heroku", "router", text), None, "{text}");
    }
}

#[test]
fn a_client_cannot_forge_the_dyno() {
    for (path, forwarded, real, expected) in [
        ("/?dyno=web.9", "203.0.113.7", "web.2", Some("H12 of web.2")),
        ("/? dyno=web.9", "203.0.113.7", "", None),
        ("/", r#"1" dyno=web.9 x=", 203.0.113.7"#, "web.2", Some("H12 of web.2")),
        ("/", r#"1" dyno=web.9 x=", 203.0.113.7"#, "", None),
        (r#"/"dyno=web.9"#, "203.0.113.7", "", None),
        (r"/\", "203.0.113.7", "web.2", Some("H12 of web.2")),
    ] {
        let text = format!(r#"at=error code=H12 method=GET path="{path}" fwd="{forwarded}" dyno={real} status=503"#);
        assert_eq!(event_of("heroku", "router", &text).as_deref(), expected, "{text}");
    }
}

#[test]
fn a_client_cannot_forge_the_code() {
    let forwarded = r#"1" code=H12 x=", 203.0.113.7"#;
    let fine = format!(r#"at=info method=GET path="/? code=H12 " fwd="{forwarded}" dyno=web.2 status=200"#);
    assert_eq!(event_of("heroku", "router", &fine), None);
    let other = format!(r#"at=error code=H18 desc="code=H12 x" method=GET path="/" fwd="{forwarded}" dyno=web.2"#);
    assert_eq!(event_of("heroku", "router", &other).as_deref(), Some("H18 of web.2"));
}

#[test]
fn a_code_is_a_capital_letter_and_two_digits() {
    for text in ["", "R", "R1", "R144", "r14", "14R", "R1x", "\u{c4}14", "R 4", "R14 "] {
        assert_eq!(Code::parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Code::parse(b"R04").expect("a code").to_string(), "R04");
}
