//! Senders that ask whether this is the right address, before they send alerts.

use serde_json::json;

use super::{HANDSHAKE, decision, json, text};
use crate::service::{Service, shop};

#[tokio::test(start_paused = true)]
async fn handshakes_are_answered_and_restart_nothing() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let url = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336";
    let grid = json!([{ "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": { "validationCode": "A-1" } }]);
    for (query, body, expected) in [
        ("", json!({ "Type": "SubscriptionConfirmation", "SubscribeURL": url, "Message": "Open it" }), HANDSHAKE),
        ("", grid, r#"{"validationResponse":"A-1"}"#),
        ("", json!({ "type": "url_verification", "challenge": "abc" }), r#"{"challenge":"abc"}"#),
        ("hub.mode=subscribe&hub.challenge=17", json!({}), "17"),
        ("", json!({ "Type": "Notification", "Message": "Error R14", "challenge": "abc" }), "web.1"),
    ] {
        let message = text(&body.to_string()).asking(query);
        assert_eq!(decision(&service, message).await, expected);
    }
    assert_eq!(service.log.count(&format!("to receive alerts, confirm the subscription: open {url}")), 1);
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_text_of_an_alert_puts_a_control_character_into_the_log() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let url = "https://sns.example.com/?Token=2336";
    for hidden in ["\u{202e}", "\u{2028}", "\n", "\u{1b}[31m"] {
        for (body, expected) in [
            (json!({ "status": format!("wob{hidden}bling") }), "web.1"),
            (json!({ format!("sta{hidden}tus"): "wobbling" }), "web.1"),
            (json!({ "Type": "SubscriptionConfirmation", "SubscribeURL": format!("{url}{hidden}FAKE") }), HANDSHAKE),
        ] {
            assert_eq!(decision(&service, json(&body)).await, expected, "{body}");
        }
    }
    let text = service.log.text();
    assert!(!text.contains(['\u{202e}', '\u{2028}', '\u{1b}']) && !text.contains("FAKE"), "{text}");
    assert!(text.lines().all(|line| !line.starts_with("bling")), "{text}");
    service.stop().await;
}
