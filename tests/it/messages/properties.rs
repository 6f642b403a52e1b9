//! What holds for any body.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use dyno_restarter::alert::Alert;
use proptest::prelude::*;
use serde_json::json;

use super::forms::forms;

/// Pieces of messages, valid and invalid, in random order.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let words = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "\\",
        "\\u",
        "&",
        "=",
        "%",
        "+",
        "?",
        "payload=",
        "\"status\":\"resolved\"",
        "\"alerts\":[",
        "\"events\":[",
        "\"dyno\":\"web.1\"",
        "\"program\":\"heroku/web.1\"",
        "heroku[web.2]: ",
        "heroku web.1 - - ",
        "dyno=web.3 ",
        "at=error ",
        "app[",
        "\"t\":1442224191123",
        "1e999",
        "-",
        "null",
        "true",
        "2015-09-14T09:49:51.123456+00:00",
        "é",
        "\u{0}",
        "\n",
    ];
    let word = proptest::sample::select(words.to_vec()).prop_map(|word| word.as_bytes().to_vec());
    let piece = prop_oneof![4 => word, 1 => prop::collection::vec(any::<u8>(), 0..8)];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn read(content_type: &str, query: &str, body: &[u8]) -> Alert {
    let content_type = HeaderValue::from_str(content_type).expect("a header");
    Alert::read(&HeaderMap::from_iter([(CONTENT_TYPE, content_type)]), query, body, None)
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(body in scraps(), query in scraps(), is_form: bool) {
        let content_type = if is_form { "application/x-www-form-urlencoded" } else { "application/json" };
        let alert = read(content_type, &String::from_utf8_lossy(&query), &body);
        let shop = dyno_restarter::heroku::AppName::parse("shop").expect("a name");
        prop_assert!(alert.affected_dynos(&shop, |_| false).is_some());
    }

    #[test]
    fn a_form_is_decoded_as_browsers_encode_it(value in "[a-f0-9%+&=;é ]{0,20}", more in proptest::collection::vec(any::<u8>(), 0..20)) {
        let mut body = b"delivery_id=x".to_vec();
        body.extend(value.into_bytes());
        body.extend(more);
        let expected = form_urlencoded::parse(&body).find(|(name, _)| name == "delivery_id");
        let id = format!("delivery/{}", expected.expect("it is the first").1.trim());
        let alert = read("application/x-www-form-urlencoded", "", &body);
        prop_assert_eq!(alert.deliveries.first(), Some(&id));
    }

    #[test]
    fn no_text_in_a_log_line_makes_an_alert_recover(
        word in proptest::sample::select(vec!["resolved", "ok", "up", "[RESOLVED]", "status=closed", "test", "2"]),
        rest: String,
    ) {
        for field in ["message", "m", "text", "line", "log", "description"] {
            for text in [word.to_owned(), format!("{word} {rest}")] {
                let body = json!({ "event": { field: text } }).to_string();
                prop_assert!(read("application/json", "", body.as_bytes()).inactive.is_none());
            }
        }
    }

    #[test]
    fn an_alert_that_has_recovered_has_recovered_in_any_form(before: String, after: String, number: f64) {
        let body = json!({ "a": before, "status": "Resolved", "z": [after, number], "labels": { "status": "firing" } });
        for message in forms(&body.to_string()) {
            let alert = Alert::read(&message.headers, "", &message.body, None);
            prop_assert!(alert.inactive.is_some(), "{message:?} {}", String::from_utf8_lossy(&message.body));
        }
    }

    #[test]
    fn of_json_cut_off_anywhere_what_stands_in_front_counts(at in 1_usize..60) {
        let body = br#"{"status":"resolved","dyno":"web.1","event":{"m":"heroku[web.2]"}}"#;
        let alert = read("application/json", "", &body[..at]);
        let is_told = at >= r#"{"status":"resolved""#.len();
        prop_assert_eq!((alert.error.is_some(), alert.inactive.is_some()), (true, is_told));
    }
}

#[test]
fn what_is_repeated_without_end_is_read_once() {
    let repeat = |text: &str| text.repeat(300_000 / text.len());
    for text in
        ["heroku[", "heroku ", "heroku[web.1 app[", "at=error dyno=", "\n", "app heroku web.1 - ", "a,", "-", "?"]
    {
        for field in ["m", "tags", "dyno", "status", "s", "t", "program", "title"] {
            let alert = read("application/json", "", json!({ field: repeat(text) }).to_string().as_bytes());
            assert_eq!((alert.inactive, alert.error), (None, None), "{text} in {field}");
        }
        assert_eq!(read("application/x-www-form-urlencoded", "", repeat(text).as_bytes()).error, None);
    }
}
