//! The webhook of `NOTIFY_URL`: whether its server answers, and whether it takes a message.

use super::Line;
use crate::notify::{Probed, SendError, Webhook, WebhookUrl};
use crate::restart::AppName;
use crate::util::text::{list, with_causes};

/// What to do when the webhook is not the right one.
const NEW_WEBHOOK: &str =
    "Make a new webhook in the chat, and set NOTIFY_URL to its URL. For Discord, append /slack to it.";

/// `sends_test` asks for a message. Without it, nothing appears in the chat.
pub(super) async fn line(url: Option<WebhookUrl>, apps: &[AppName], sends_test: bool) -> Option<Line> {
    let Some(url) = url else {
        let line =
            || Line::warn("NOTIFY_URL: not set, so no message was sent", "Set NOTIFY_URL to the webhook of a chat.");
        return sends_test.then(line);
    };
    let webhook = match Webhook::new(url) {
        Ok(webhook) => webhook,
        Err(error) => return Some(super::token::no_certificates(&with_causes(&error))),
    };
    Some(if sends_test { test(&webhook, apps).await } else { probe(&webhook).await })
}

/// Sends a message.
async fn test(webhook: &Webhook, apps: &[AppName]) -> Line {
    let text = format!("{}: This is a test by `dyno-restarter check --notify`. Messages arrive here.", list(apps));
    match webhook.post(&text).await {
        Ok(()) => Line::good("NOTIFY_URL: the webhook took a test message; look whether it appeared in the chat"),
        Err(error) => fault(&error),
    }
}

/// Asks whether the webhook is there, without a message.
async fn probe(webhook: &Webhook) -> Line {
    match webhook.probe().await {
        Ok(Probed::Exists) => {
            Line::good("NOTIFY_URL: the webhook is there; `dyno-restarter check --notify` sends a test message")
        }
        Ok(Probed::Answers) => {
            Line::good("NOTIFY_URL: its server answers; `dyno-restarter check --notify` sends a test message")
        }
        Err(error) => fault(&error),
    }
}

fn fault(error: &SendError) -> Line {
    let cure = match error {
        SendError::Rejected(_) => NEW_WEBHOOK,
        _ => "Check the host in NOTIFY_URL, and whether the chat is down. Restarts work without it.",
    };
    Line::bad(format!("NOTIFY_URL: {error}"), cure)
}
