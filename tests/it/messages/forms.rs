//! Forms of messages: JSON, forms of either kind, plain text, compressed, nearly valid, and JSON in a field.

use std::io::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::json;

use super::{ALL, Message, RECOVERED, check, decision, form, get, json, payload, text};
use crate::service::{Service, shop};

/// The same JSON in each form in which senders send it.
pub(super) fn forms(body: &str) -> Vec<Message> {
    let text = json!(body).to_string();
    let form = |name: &str| form_urlencoded::Serializer::new(String::new()).append_pair(name, body).finish();
    let multipart = format!("--kk\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{body}\r\n--kk--\r\n");
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(body.as_bytes()).expect("memory has room");
    let inner = body.strip_suffix('}').expect("an object");
    let behind = |fault: &str| Message::post("application/json", format!("{fault}{}", &body[1..]));
    let in_front_of = |fault: &str| Message::post("application/json", format!("{inner}{fault}"));
    vec![
        Message::post("application/json", body),
        Message::post("text/plain", format!("\u{feff} {body}\n")),
        Message::post("text/plain; charset=UTF-8", format!(r#"{{"Type":"Notification","Message":{text}}}"#)),
        Message::post("application/json", format!(r#"{{"Message":{}}}"#, json!(format!(r#"{{"Message":{text}}}"#)))),
        Message::post("application/x-www-form-urlencoded", form("payload")),
        Message::post("application/x-www-form-urlencoded", form("data")),
        Message::post("multipart/form-data; boundary=kk", multipart),
        Message::post("application/json", gzip(body.as_bytes())),
        Message::post("text/plain", zlib.finish().expect("memory has room")).with("content-encoding", "deflate"),
        Message::post("application/json", format!("{inner},}}")),
        Message::post("application/json", format!("{inner},\"message\":\"first\nsecond\tthird\"}}")),
        Message::post("application/json", format!("{inner},\"message\":\"a \"quoted\" word\", \"x\": \"C:\\dir\"}}")),
        Message::post("application/json", format!("{inner},\"value\":NaN,\"other\":-Infinity}}")),
        Message::post("application/json", format!("{{\"message\":\"first\nsecond\",\"value\":NaN,{}", &body[1..])),
        Message::post("application/json", format!("{inner},\"value\": ,\"other\":}}")),
        Message::post("application/json", format!("{{\"value\": ,\"a\": \"b\"\n\"c\": 1 \"d\": [2 3]\n{}", &body[1..])),
        Message::post("application/json", format!("{{\"message\":\"cut \\ud83d\",{}", &body[1..])),
        behind(r#"{"a":"b",,"#),
        behind("{\"a\":\"b\" , ;\n,"),
        behind(r#"{a:"b","#),
        behind(r#"{"a":: {"b":1},"#),
        behind(r#"{"a":"b"],"#),
        behind(r#"{"x":[{"a":1],"#),
        behind(r#"{"path":"C:\logs\","#),
        behind(r#"{"x":"say "a", "b" and "c"","#),
        behind(r#"{"x":"{"a":"b","c":"d"}","#),
        behind(r#"{"x":"[{"a":"b"},{"c":"d"}]", "#),
        behind(r#"{"x":[1,2},"#),
        behind(r#"{"x":"the line {"status":"running","dyno":"web.1"} of [x]","#),
        behind(r#"{"x":"{"status":"running"} was printed","#),
        Message::post("application/json", utf16(body, u16::to_le_bytes)),
        Message::post("application/json; charset=utf-16be", utf16(body, u16::to_be_bytes)),
        Message::post("application/json", format!(r#"{{"message":{{"data":"{}"}}}}"#, BASE64_STANDARD.encode(body))),
        in_front_of(r#","title" "x"}"#),
        in_front_of(r#",""title":"x"}"#),
        in_front_of(r#","{{labels}}"}"#),
        Message::post("application/json", text.clone()),
        Message::post("application/json", body).with("content-encoding", "br"),
        Message::post("application/json-seq", format!("\u{1e}{body}\n\u{1e}{body}\n")),
        Message::post("application/x-ndjson", format!("{body}\n{body}\n")),
        Message::post("application/json", format!("{body} and more")),
        Message::post("application/json", format!("{inner},\"message\":\"cut o")),
        Message::post(
            "application/json",
            format!("{{\"Message\":{}}}", json!(format!("{inner},\"message\":\"a\nb\",}}"))),
        ),
    ]
}

fn utf16(body: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    body.encode_utf16().flat_map(bytes).collect()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).expect("memory has room");
    encoder.finish().expect("memory has room")
}

#[tokio::test(start_paused = true)]
async fn an_alert_says_the_same_in_every_form() {
    let (heroku, _) = shop(3).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    for (body, expected) in [
        (r#"{"status":"resolved","app":"shop","dyno":"web.2"}"#, RECOVERED),
        (r#"{"status":"firing","app":"shop","dyno":"web.2"}"#, "web.2"),
        (r#"{"app":"shop","status":"firing"}"#, ALL),
    ] {
        for message in forms(body) {
            assert_eq!(decision(&service, message.clone()).await, expected, "{message:?}");
        }
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn alerts_that_are_cut_off_may_be_firing() {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    let bomb = json!({ "alerts": [{ "status": "resolved" }, "x".repeat(9_000_000)] }).to_string();
    assert_eq!(decision(&service, Message::post("application/json", gzip(bomb.as_bytes()))).await, ALL);
    let alerts = r#"{"alerts":[{"status":"resolved"},""#.to_owned() + &"x".repeat(9_000_000);
    let bomb = form(&[("payload", &alerts)]).body;
    let form = Message::post("application/x-www-form-urlencoded", gzip(&bomb));
    assert_eq!(decision(&service, form).await, ALL);
    let mut cut = gzip(br#"{"status":"resolved","alerts":[]}"#);
    cut.truncate(cut.len() - 8);
    assert_eq!(decision(&service, Message::post("application/json", cut)).await, RECOVERED);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_made_up_by_a_person_is_read_by_the_same_rules() {
    let nested =
        json!({ "app": "shop", "dyno": "web.2", "detail": { "memory": { "state": "ok", "status": "resolved" } } });
    check(vec![
        ("a dyno", json(&json!({ "dyno": "web.2" })), "web.2"),
        ("several", json(&json!({ "dynos": ["web.1", "web.3", "web.x", 7, null] })), "web.1 web.3"),
        ("in the URL", get("status=resolved"), RECOVERED),
        ("the state of a part", json(&json!({ "labels": { "status": "resolved" }, "dyno": "web.2" })), "web.2"),
        ("the state of a part further in", json(&nested), "web.2"),
        ("another instance", json(&json!({ "dyno": "heroku.123.95b18a95-11e0-466d-92db-81b09bdcb0bd" })), ALL),
        ("sentences", json(&json!({ "status": "resolved? no: still down", "text": "[RESOLVED] not" })), ALL),
        ("a host that looks like a dyno of Fir", json(&json!({ "source": "shop-app-12345" })), ALL),
        ("an empty object", json(&json!({})), ALL),
        ("nothing", get(""), ALL),
        ("a list of alerts", json(&json!([{ "status": "ok" }, { "status": "down", "dyno": "web.1" }])), "web.1"),
        ("text in brackets is no list", text("[R14] heroku[web.2]: Error R14"), "web.2"),
        ("broken JSON", text(r#"{"details": "a "quoted" word"}"#).asking("alertType=2"), RECOVERED),
        ("JSON that curl calls a form", Message { body: r#"{"status":"ok"}"#.into(), ..form(&[]) }, RECOVERED),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_form_that_cannot_be_read_makes_no_dyno_all_of_them() {
    let escaped = |body: &str| body.replace('"', "\\\"");
    let utf16 = |body: &str, mark: &[u8], of: fn(u16) -> [u8; 2]| {
        [mark, &body.encode_utf16().flat_map(of).collect::<Vec<_>>()].concat()
    };
    for (body, expected) in
        [(r#"{"status":"firing","dyno":"web.2"}"#, "web.2"), (r#"{"status":"resolved","dyno":"web.2"}"#, RECOVERED)]
    {
        check(vec![
            ("the quotes of a shell", text(&escaped(body)), expected),
            (
                "spaces that do not break a line",
                text(&body.replace(':', "\u{a0}:\u{a0}").replace(',', ",\u{a0}")),
                expected,
            ),
            ("UTF-16", Message::post("text/plain", utf16(body, b"\xFF\xFE", u16::to_le_bytes)), expected),
            (
                "UTF-16, the other way",
                Message::post("text/plain", utf16(body, b"\xFE\xFF", u16::to_be_bytes)),
                expected,
            ),
        ])
        .await;
    }
    let firing = r#"{"status":"firing","dyno":"web.2"}"#;
    check(vec![
        ("a word in front", text(&format!("alert: {firing}")), "web.2"),
        ("a comment in front", text(&format!("// from x\n{firing}")), "web.2"),
        ("a function", text(&format!("call({firing})")), "web.2"),
        ("HTML", text(&firing.replace('"', "&quot;")), "web.2"),
        ("a template", text(r#"{"v": {{ value }}, "status": "firing", "dyno": "web.2"}"#), "web.2"),
        (
            "written twice in a field",
            json(&json!({ "Message": json!(json!(firing).to_string()).to_string() })),
            "web.2",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn json_in_a_field_is_the_alert_only_where_the_sender_says_nothing() {
    let line = r#"{"action":"comment","status":"ok","event":"deploy","test":true,"resolved":true,"dyno":"web.2"}"#;
    check(vec![
        ("a text beside a state", json(&json!({ "alert_action": "trigger", "text": line })), "web.2"),
        ("the state comes later", json(&json!({ "text": line, "alert_action": "trigger" })), "web.2"),
        ("lines of a search", json(&json!({ "TriggerType": "Critical", "lines": line })), "web.2"),
        ("a line", payload(&json!({ "alert": { "name": "x" }, "event": { "t": 1, "m": line } })), "web.2"),
        ("a sample", json(&json!({ "alert_title": "x", "alert_event_samples": line })), "web.2"),
        (
            "the answer of a site",
            json(&json!({ "data": { "attributes": { "status": "Started", "response_content": line } } })),
            "web.2",
        ),
        (
            "an exception",
            json(&json!({ "trigger": { "type": "firstException" }, "error": { "message": line } })),
            "web.2",
        ),
        (
            "a line of a log alone",
            json(&json!({ "name": "x", "message": r#"{"level":"error","status":"success","msg":"x"}"# })),
            ALL,
        ),
        ("a line of Rails alone", json(&json!({ "text": r#"{"controller":"T","action":"close","status":500}"# })), ALL),
        (
            "a recovery around it",
            json(&json!({ "alert_action": "resolve", "text": r#"{"level":"error","status":"failed"}"# })),
            RECOVERED,
        ),
        (
            "the alert itself",
            json(&json!({ "Type": "Notification", "Message": r#"{"NewStateValue":"OK"}"# })),
            RECOVERED,
        ),
        ("a chat's form", payload(&json!({ "text": "[RESOLVED] x" })), RECOVERED),
        ("a headline in a field", json(&json!({ "Message": r#"{"text":"[RESOLVED] x"}"# })), RECOVERED),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_word_at_which_a_body_is_cut_off_does_not_count() {
    let (heroku, _) = shop(12).await;
    let service = Service::start(&heroku).await;
    for (count, body) in (1..).zip(["status=resolved", "[RESOLVED", "dyno=web.1", "a=1&message=web.1", "dyno%3Dweb.1"])
    {
        drop(service.begin("/restart_web_dynos?scope=affected", 100, body.as_bytes()).await);
        service.log.until(|log| log.count("asks for all watched dynos") == count).await;
    }
    drop(service.begin("/restart_web_dynos?scope=affected", 100, b"dyno=web.1+web.12").await);
    service.log.until(|log| log.count("asks for web.1") == 1).await;
    service.stop().await;
}
