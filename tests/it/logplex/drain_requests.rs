//! Requests to the drain, in the router's log.

use super::{H12, event_of};

#[test]
fn requests_other_than_a_post_to_the_drain_are_not_events() {
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
            assert_eq!(event_of("heroku", "router", &text), None, "{text}");
        }
    }
}

#[test]
fn a_post_to_the_drain_is_an_event_with_its_host() {
    for path in ["/drain", "/drain?key=secret", "/drain/shop"] {
        for at in ["at=info", r#"at=error code=H12 desc="x""#] {
            let text =
                format!(r#"{at} method=POST path="{path}" host=restarter.example.com fwd="1.2.3.4" dyno= status=204"#);
            assert_eq!(
                event_of("heroku", "router", &text).as_deref(),
                Some("drain of restarter.example.com"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_client_cannot_forge_the_host() {
    let text = r#"at=info method=POST path="/drain?"host=evil.example.com x" host=restarter.example.com dyno=web.1"#;
    assert_eq!(event_of("heroku", "router", text).as_deref(), Some("drain of restarter.example.com"));
}

#[test]
fn a_failed_post_to_the_drain_is_reported_as_the_error() {
    let text = H12.replace("GET", "POST").replace("/slow", "/drain");
    assert_eq!(event_of("heroku", "router", &text).as_deref(), Some("H12 of web.2"));
}
