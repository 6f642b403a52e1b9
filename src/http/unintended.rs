//! Requests with the key that nobody sent on purpose. Somebody posts a URL with the key to a chat, and the server of the
//! chat fetches it for a preview; or a browser loads a page before a person asks for it.

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};

/// Parts of the `User-Agent`, in lower case, of programs that fetch a link to preview or index it. Those that call
/// themselves a preview or `...bot` need no row. From the documentation of each product, and from
/// <https://github.com/monperrus/crawler-user-agents>.
const LINK_FETCHERS: [&str; 45] = [
    "-google",
    "archiver",
    "bot.html",
    "cardyb",
    "chatgpt-user",
    "claude-user",
    "crawler",
    "embedly",
    "externalagent",
    "externalfetcher",
    "facebook",
    "flipboard",
    "github-camo",
    "google-inspectiontool",
    "google-pagerenderer",
    "google-read-aloud",
    "googleimageproxy",
    "googleother",
    "iframely",
    "kakaotalk",
    "lighthouse",
    "line-poker",
    "mastodon",
    "matrix-media-repo",
    "matrix-org/synapse",
    "mattermost-bot",
    "metadataretriever",
    "metainspector",
    "misskey",
    "notionembedder",
    "opengraph",
    "perplexity-user",
    "pleroma",
    "rocket.chat",
    "skypespaces",
    "slack-imgproxy",
    "spider",
    "teams",
    "tumblr",
    "unfurl",
    "viber",
    "vkshare",
    "whatsapp",
    "xing-contenttabreceiver",
    "yahoomailproxy",
];

/// Words in the `User-Agent` of monitoring services. Some of them call themselves `...bot` and do send alerts.
const MONITORING: [&str; 6] = ["alert", "betterstack", "monitor", "ping", "status", "uptime"];

/// The headers by which a browser says that no person has asked for the page yet: the one of today
/// (<https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Purpose>) and those of older browsers.
const PURPOSES: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// What these headers say then.
const IN_ADVANCE: [&str; 4] = ["prefetch", "prerender", "preview", "instant"];

/// Why nobody asked for a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unintended {
    /// The server of a chat or a search engine fetched the URL.
    #[error("it is no alert: {0} fetched the URL, perhaps for a preview of the link. Keep the key out of chats")]
    LinkFetched(String),
    /// A browser loaded the page in advance.
    #[error("it is no alert: a browser loaded the page in advance, and nobody has asked for it yet")]
    Prefetched,
}

impl Unintended {
    /// Why nobody asked for this request; `None` for an alert. Only a GET can be meant by nobody.
    pub(crate) fn check(head: &Parts) -> Option<Self> {
        if head.method != Method::GET {
            return None;
        }
        if is_in_advance(&head.headers) {
            return Some(Self::Prefetched);
        }
        let agent = head.headers.get(USER_AGENT)?.to_str().ok()?.to_ascii_lowercase();
        link_fetcher(&agent).map(|name| Self::LinkFetched(name.to_owned()))
    }
}

fn is_in_advance(headers: &HeaderMap) -> bool {
    let values = PURPOSES.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| value.to_str().ok());
    let is_in_advance = |value: &str| IN_ADVANCE.iter().any(|word| value.contains(word));
    values.map(str::to_ascii_lowercase).any(|value| is_in_advance(&value))
}

/// The name of the program, if it fetches links.
fn link_fetcher(agent: &str) -> Option<&str> {
    let is_monitoring = |text: &str| MONITORING.iter().any(|word| text.contains(word));
    // The rest may be the address of any site.
    let own_name = agent.split('(').next().unwrap_or_default();
    if is_monitoring(own_name) {
        return None;
    }
    if let Some(name) = LINK_FETCHERS.iter().find(|name| agent.contains(**name)) {
        return Some(name);
    }
    if is_monitoring(agent) {
        return None;
    }
    let mut names = agent.split(|c: char| !c.is_ascii_alphanumeric());
    names.find(|name| name.contains("preview") || (name.ends_with("bot") && !name.ends_with("robot") && *name != "bot"))
}
