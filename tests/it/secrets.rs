//! No key and no token is shown anywhere.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use simulator::{Fault, Heroku, On};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::binary::{start_with, terminate};
use crate::service::{KEY, Service, config, environment, shop};

const WRONG_KEY: &str = "a-wrong-key-that-is-secret-too";

/// Sends an alert and returns the first line of the answer. An HTTP client would log what it sends, here where the log of
/// the service is captured.
async fn send(service: &Service, query: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = format!("GET /restart_web_dynos{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_the_log_at_any_level_even_when_the_api_quotes_it() {
    let (heroku, _) = shop(2).await;
    let service = Service::start(&heroku).await;
    let token = Heroku::TOKEN;
    for status in [500, 401] {
        let body = format!(r#"{{"message":"you sent \u0048{} and {token}"}}"#, &token[1..]);
        let headers = vec![("Request-Id", token.to_owned())];
        heroku.misbehave(On::List, Fault::Answer { status, headers, body }, 1);
    }
    for (query, headers) in
        [(String::new(), format!("Authorization: Bearer {KEY}\r\n")), (format!("?key={KEY}"), String::new())]
    {
        assert_eq!(send(&service, &query, &headers).await, "HTTP/1.1 202 Accepted");
    }
    let (in_query, in_header) = (format!("?key={WRONG_KEY}"), format!("Authorization: Bearer {WRONG_KEY}\r\n"));
    assert_eq!(send(&service, &in_query, "").await, "HTTP/1.1 403 Forbidden");
    assert_eq!(send(&service, "", &in_header).await, "HTTP/1.1 403 Forbidden");
    service.passes(2).await;
    let log = service.log.text();
    for secret in [token, KEY, WRONG_KEY] {
        assert_eq!(service.log.count(secret), 0, "{secret} is in the log:\n{log}");
    }
    assert!(log.contains("TRACE") && log.contains("you sent [token] and [token] (Request-Id [token])"), "{log}");
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn secrets_do_not_show_in_a_debug_print_of_the_settings() {
    let (heroku, _) = shop(1).await;
    let shown = format!("{:?}", config(&environment(&heroku, &[])).expect("all is right"));
    assert!(!shown.contains(KEY) && !shown.contains(Heroku::TOKEN), "{shown}");
}

const DATABASE_URL: &str = "postgres://ann:pass-word-0123@127.0.0.1:1/database";
const NOTIFY_URL: &str = "http://127.0.0.1:1/services/T000/B000/a-secret-path";

/// Where people may put a secret by mistake: SECRET is one, ENCODED has percent signs, and BASIC is base64.
const WRONG_PLACES: [(&str, &str, &str); 26] = [
    ("POST /restart_web_dynos?dry_run=true", "User-Agent: SECRET\r\n", ""),
    (
        "POST /restart_web_dynos?app=shop&status=ok",
        "User-Agent: a program with a very long name, which comes with the key SECRET\r\n",
        "",
    ),
    ("POST /restart_web_dynos?app=shop&x-id=BASIC&status=ok", "User-Agent: Basic BASIC\r\n", ""),
    ("POST /restart_web_dynos?app=shop&status=ok", "X-Request-ID: SECRET\r\n", ""),
    ("POST /restart_web_dynos?app=shop&status=ok", "X-Forwarded-For: SECRET\r\n", ""),
    ("POST /restart_web_dynos?app=shop&only_if=SECRET:x", "", ""),
    ("POST /restart_web_dynos?app=shop&only_if=ENCODED:x", "", ""),
    ("POST /restart_web_dynos?app=shop&only_if=BASIC:x", "", ""),
    ("POST /restart_web_dynos?app=shop&only_if=x:SECRET", "", ""),
    ("POST /restart_web_dynos?app=SECRET", "", ""),
    ("POST /restart_web_dynos?dyno=SECRET", "", ""),
    ("POST /restart_web_dynos?SECRET", "", ""),
    ("POST /restart_web_dynos?dry_run=true&app=shop&SECRET=firing&status=SECRET", "", ""),
    ("POST /restart_web_dynos?dry_run_SECRET=true", "", ""),
    ("POST /restart_web_dynos/SECRET", "", ""),
    ("OPTIONS /restart_web_dynos", "Webhook-Request-Origin: SECRET\r\n", ""),
    ("POST /drain?SECRET", "", ""),
    ("POST /drain?app=shop", "Logplex-Drain-Token: d.SECRET\r\nLogplex-Frame-Id: SECRET\r\n", ""),
    ("GET /?app=SECRET", "", ""),
    ("SECRET /restart_web_dynos", "", ""),
    ("POST /restart_web_dynos?dry_run=true&app=shop", "", r#"{"status":"SECRET"}"#),
    ("POST /restart_web_dynos?dry_run=true&app=shop", "", r#"{"status":"BASIC"}"#),
    ("POST /restart_web_dynos", "", r#"{"app":"SECRET","dyno":"SECRET"}"#),
    ("POST /restart_web_dynos?app=shop", "", r#"{"type":"url_verification","challenge":"SECRET"}"#),
    (
        "POST /restart_web_dynos?app=shop",
        "",
        r#"{"Type":"SubscriptionConfirmation","SubscribeURL":"https://x/?key=SECRET"}"#,
    ),
    (
        "POST /restart_web_dynos?app=shop",
        "",
        r#"{"Type":"SubscriptionConfirmation","SubscribeURL":"https://x/?key=ENCODED"}"#,
    ),
];

/// Sends a request with a valid key, and returns the whole answer.
async fn exchange(address: &str, line: &str, headers: &str, user: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let credentials = BASE64_STANDARD.encode(format!("{user}:{KEY}"));
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Basic {credentials}\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("answered");
    let length = answer.split_once("\r\n\r\n").map(|(_, body)| format!("content-length: {}\r\n", body.len()));
    assert!(length.is_some_and(|length| answer.contains(&length)) || answer.contains(" 204 "), "{line}: {answer}");
    answer
}

#[tokio::test]
async fn a_secret_in_the_wrong_place_is_shown_nowhere() {
    let (heroku, _) = shop(1).await;
    heroku.create_app("blog").with("web", 1);
    let changes = [
        ("PORT", "127.0.0.1:0"),
        ("RUST_LOG", "trace"),
        ("APP_NAME", "shop,blog"),
        ("RESTART_WEBHOOK_KEY", &format!("{KEY},a-key-like-an-app")),
        ("NOTIFY_URL", NOTIFY_URL),
        ("DATABASE_URL", DATABASE_URL),
    ];
    let (mut child, mut log, address) = start_with(&heroku, &changes).await;
    let read_log = tokio::spawn(async move {
        let mut text = String::new();
        while let Some(line) = log.next_line().await.expect("it is text") {
            text += &line;
        }
        text
    });
    let (password, path) = ("pass-word-0123", "services/T000/B000/a-secret-path");
    let secrets = [KEY, "a-key-like-an-app", Heroku::TOKEN, NOTIFY_URL, DATABASE_URL, password, path];
    let mut shown = String::new();
    for secret in secrets {
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let basic = BASE64_STANDARD.encode(format!("drain:{secret}"));
        let filled = |text: &str| text.replace("SECRET", secret).replace("ENCODED", &encoded).replace("BASIC", &basic);
        for (line, headers, body) in WRONG_PLACES {
            shown += &exchange(&address, &filled(line), &filled(headers), secret, &filled(body)).await;
        }
    }
    for path in ["/", "/?app=shop", "/status", "/metrics"] {
        shown += &exchange(&address, &format!("GET {path}"), "", "", "").await;
    }
    terminate(&mut child).await;
    shown += &read_log.await.expect("it is read");
    assert!(!shown.contains("lines were lost"));
    shown.make_ascii_lowercase();
    assert!(shown.contains("user [secret]") && shown.contains("says [secret]") && shown.contains("?key=[secret]"));
    for secret in secrets {
        let in_base64 = BASE64_STANDARD.encode(format!("drain:{secret}"));
        for form in
            [secret, &secret[..14], &utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(), &in_base64[8..24]]
        {
            let found = shown.find(&form.to_ascii_lowercase()).map(|at| &shown[at.saturating_sub(200)..]);
            assert_eq!(found.map(|found| found.chars().take(300).collect::<String>()), None, "{form}");
        }
    }
}
