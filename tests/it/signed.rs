//! Requests that are signed with a key instead of carrying it.

use axum::http::Request;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use dyno_restarter::signature::{Signature, SignatureError, SignedHead, key};
use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, RequestBuilder};
use ring::hmac;

use crate::service::{KEY, Service, deletes, first_line, shop};

const FORM: &str = "application/x-www-form-urlencoded";
const BODY: &str = "payload=%7B%22event%22%3A%7B%22m%22%3A%22heroku%5Bweb.2%5D%3A+Error+R14%22%7D%7D";

/// An alert as the sender signs it. A test may change the request after that.
struct SignedAlert {
    password: String,
    signed_path: String,
    date: Timestamp,
    nonce: String,
    body: String,
}

impl SignedAlert {
    fn new(nonce: &str) -> Self {
        Self {
            password: KEY.to_owned(),
            signed_path: "/restart_web_dynos".to_owned(),
            date: Timestamp::now(),
            nonce: nonce.to_owned(),
            body: BODY.to_owned(),
        }
    }

    fn request(&self, service: &Service, query: &str) -> RequestBuilder {
        let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.date).expect("a date of today");
        let md5 = BASE64_STANDARD.encode(md5::compute(&self.body).0);
        let text = ["POST", FORM, &md5, &date, &self.signed_path, &self.nonce].join("\n");
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, self.password.as_bytes());
        let signature = BASE64_STANDARD.encode(hmac::sign(&secret, text.as_bytes()));
        let request = service.request(Method::POST, query).body(self.body.clone());
        let headers = [("content-type", FORM), ("content-md5", &md5), ("date", &date), ("x-le-nonce", &self.nonce)];
        let signed = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        signed.header("authorization", format!("LE user:{signature}"))
    }

    async fn post(&self, service: &Service, query: &str) -> (u16, String) {
        answer(self.request(service, query)).await
    }
}

async fn answer(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.expect("the service answers");
    (answer.status().as_u16(), first_line(&answer.text().await.expect("the answer is whole")))
}

/// The signed head of `alert` and the beginning of a body; the connection stays open.
async fn half_sent(service: &Service, alert: &SignedAlert, body: &str) -> tokio::net::TcpStream {
    let request = alert.request(service, "").build().expect("a request");
    let header = |name: &str| request.headers()[name].to_str().expect("text").to_owned();
    let head = ["content-type", "content-md5", "date", "x-le-nonce", "authorization"]
        .map(|name| format!("{name}: {}\r\n", header(name)))
        .concat();
    let text = format!("POST /restart_web_dynos HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n{head}\r\n{body}");
    let mut stream = tokio::net::TcpStream::connect(&service.address).await.expect("connected");
    tokio::io::AsyncWriteExt::write_all(&mut stream, text.as_bytes()).await.expect("sent");
    stream
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_a_changed_path_and_a_changed_body_are_refused() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let wrong = SignedAlert { password: format!("{KEY}x"), ..SignedAlert::new("1") };
    assert_eq!(wrong.post(&service, "").await.0, 403);
    let elsewhere = SignedAlert { signed_path: "/restart".to_owned(), ..SignedAlert::new("2") };
    assert_eq!(elsewhere.post(&service, "").await.0, 403);
    let changed = SignedAlert::new("3").request(&service, "").body(BODY.replace("web.2", "web.1"));
    assert_eq!(answer(changed).await.0, 403);
    tokio::time::sleep(crate::service::seconds(61)).await;
    let emptied = SignedAlert::new("4").request(&service, "").body("");
    assert_eq!(answer(emptied).await, (403, "You are not allowed to restart the dynos".to_owned()));
    assert_eq!(service.log.count("the body of a signed request is not the one that was signed"), 2);
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_signature_more_than_five_minutes_old_or_ahead_is_refused() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for (nonce, minutes, status) in [("1", -6, 403), ("2", 6, 403), ("3", -4, 202), ("4", 4, 202)] {
        let alert =
            SignedAlert { date: Timestamp::now() + SignedDuration::from_mins(minutes), ..SignedAlert::new(nonce) };
        assert_eq!(alert.post(&service, "").await.0, status, "{minutes} minutes");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_is_not_whole_is_refused_with_the_reason_in_the_log() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    for header in ["content-md5", "date", "x-le-nonce"] {
        let mut request = SignedAlert::new(header).request(&service, "").build().expect("a request");
        request.headers_mut().remove(header);
        let answer = reqwest::Client::new().execute(request).await.expect("answered");
        assert_eq!(answer.status().as_u16(), 403, "{header}");
    }
    assert_eq!(
        service.log.count("its signature is incomplete: the headers Content-Md5, Date and X-Le-Nonce are required"),
        1
    );
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_request_counts_once_whatever_is_changed_in_its_url() {
    let (heroku, shop) = shop(2).await;
    let service = Service::start(&heroku).await;
    let alert = SignedAlert::new("once");
    assert_eq!(alert.post(&service, "scope=affected").await, (202, "Restart triggered".to_owned()));
    service.passes(1).await;
    for query in ["scope=affected", "scope=all&force=true", "dyno=web.1"] {
        assert_eq!(alert.post(&service, query).await, (202, "Already triggered: this alert came before".to_owned()));
    }
    tokio::time::sleep(crate::service::seconds(400)).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.2"]);
}

#[tokio::test(start_paused = true)]
async fn a_signature_with_any_of_the_keys_or_of_a_path_with_its_query_is_accepted() {
    let (heroku, _) = shop(2).await;
    let keys = format!("the-old-key-0123456789,{KEY}");
    let service = Service::with(&heroku, &[("RESTART_WEBHOOK_KEY", &keys)]).await;
    let old = SignedAlert { password: "the-old-key-0123456789".to_owned(), ..SignedAlert::new("1") };
    let with_query =
        SignedAlert { signed_path: "/restart_web_dynos?scope=affected".to_owned(), ..SignedAlert::new("2") };
    for alert in [old, with_query, SignedAlert::new("3")] {
        assert_eq!(alert.post(&service, "scope=affected").await.0, 202, "{}", alert.nonce);
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_alert_whose_body_breaks_off_still_triggers() {
    let (heroku, shop) = shop(1).await;
    let service = Service::start(&heroku).await;
    drop(half_sent(&service, &SignedAlert::new("1"), "half").await);
    service.passes(1).await;
    service.stop().await;
    assert_eq!(shop.restarts(), ["web.1"]);
}

#[tokio::test(start_paused = true)]
async fn a_signature_covers_the_method_and_needs_no_content_type_and_its_user_may_contain_a_colon() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let sign = |text: String| {
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, KEY.as_bytes());
        BASE64_STANDARD.encode(hmac::sign(&secret, text.as_bytes()))
    };
    let date = rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now()).expect("a date of today");
    let md5 = BASE64_STANDARD.encode(md5::compute("").0);
    for (nonce, signed, method, status) in
        [("1", "GET", Method::GET, 202), ("2", "POST", Method::GET, 403), ("3", "POST", Method::POST, 202)]
    {
        let text = format!("{signed}\n\n{md5}\n{date}\n/restart_web_dynos\n{nonce}");
        let request = service.request(method, "").header("authorization", format!("le a:user:{}", sign(text)));
        let headers = [("content-md5", &md5), ("date", &date), ("x-le-nonce", &nonce.to_owned())];
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(answer(request).await.0, status, "{nonce}");
    }
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_dry_run_uses_its_nonce_up() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let alert = SignedAlert::new("1");
    assert_eq!(alert.post(&service, "dry_run=true").await.0, 200);
    assert_eq!(alert.post(&service, "").await, (202, "Already triggered: this alert came before".to_owned()));
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_signed_alert_that_was_answered_400_is_acted_on_when_its_url_is_corrected() {
    let (heroku, _) = shop(2).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let alert = SignedAlert::new("1");
    assert_eq!(alert.post(&service, "").await.0, 400);
    assert_eq!(alert.post(&service, "app=shop").await, (202, "Restart triggered".to_owned()));
    assert_eq!(alert.post(&service, "app=blog").await, (202, "Already triggered: this alert came before".to_owned()));
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_signed_body_that_breaks_off_is_not_read() {
    let (heroku, _) = shop(1).await;
    heroku.create_app("blog").with("web", 1);
    let service = Service::with(&heroku, &[("APP_NAME", "shop,blog")]).await;
    let alert = SignedAlert { body: r#"{"app":"shop"}"#.to_owned(), ..SignedAlert::new("1") };
    drop(half_sent(&service, &alert, r#"{"app":"blog","#).await);
    let told = "an alert was not acted on: app is missing; accepted: blog, shop";
    service.log.until(|log| log.count(told) == 1).await;
    service.stop().await;
    assert_eq!(deletes(&heroku), 0);
}

#[tokio::test(start_paused = true)]
async fn a_signed_log_drain_is_rejected() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let alert = SignedAlert { signed_path: "/drain".to_owned(), ..SignedAlert::new("1") };
    let mut request = alert.request(&service, "").build().expect("a request");
    request.url_mut().set_path("/drain");
    assert_eq!(reqwest::Client::new().execute(request).await.expect("answered").status().as_u16(), 401);
    assert_eq!(service.log.count("its lines are lost: a log drain does not sign"), 1);
    service.stop().await;
}

/// Published with the first middleware that checked these signatures: password, user, path, MD5, signature.
const PUBLISHED: [(&str, &str, &str, &str, &str); 4] = [
    ("pre-shared-key", "greenish-yellow", "/somewhere", "A4O7taYfMqO/3vugWHFriA==", "ss+KTRKKG2PwvWl89ceopxhEzSc="),
    ("shared-key-pre", "super-pink", "/b0rked", "A4O7taYfMqO/3vugWHFriA==", "J0Kxo+zCk9uvqrouBMY45gRkiO4="),
    ("pre-shared-key", "greenish-yellow", "/somewhere", "NvjXlNUoWwfeLI//AePxtg==", "+x/QCSqyGmY0XmxQ5tq8qUWGGDc="),
    ("shared-key-pre", "super-pink", "/b0rked", "Bw0oZzbjTbzeimXduRVwHw==", "uHvt/OOVkCqV58aFIDaPNsHZRtg="),
];

#[test]
fn the_published_signatures_are_right_at_their_time_and_only_with_their_password() {
    let then = "2015-08-18T18:14:29Z".parse::<Timestamp>().expect("a time");
    for (password, user, path, md5, tag) in PUBLISHED {
        let request = Request::post(path)
            .header("authorization", format!("LE {user}:{tag}"))
            .header("content-type", FORM)
            .header("content-md5", md5)
            .header("date", "Tue, 18 Aug 2015 18:14:29 GMT")
            .header("x-le-nonce", "kzaWhO5P5yHYkUZRhbTDNEkG");
        let (head, ()) = request.body(()).expect("a request").into_parts();
        let verify = |password: &str, now| {
            let signature = Signature::in_request(&head).expect("it is signed").expect("it is whole");
            signature.verify(&[key(password)], now)
        };
        assert_eq!(verify(password, then).map(SignedHead::into_nonce), Ok("kzaWhO5P5yHYkUZRhbTDNEkG".to_owned()));
        assert_eq!(verify("another", then), Err(SignatureError::Invalid));
        assert_eq!(verify(password, Timestamp::now()), Err(SignatureError::Expired));
    }
}
