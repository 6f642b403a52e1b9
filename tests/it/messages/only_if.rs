//! `only_if=FIELD:VALUE` in the URL: the alert counts only if it has this field with this value.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::forms::forms;
use super::{ALL, RECOVERED, check, decision, text};
use crate::service::{KEY, Service, shop};

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_in_a_field_of_the_same_name_meets_the_condition_all_the_same() {
    let body = r#"{"dyno":"web.2","data":{"status":"firing"},"status":"#;
    check(vec![("cut off", text(body).asking("only_if=status:firing"), "web.2")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_field_that_is_not_in_a_body_that_was_cut_off_may_be_in_the_missing_part() {
    let (heroku, _) = shop(1).await;
    let service = Service::start(&heroku).await;
    let mut stream = TcpStream::connect(&service.address).await.expect("connected");
    let head = format!("POST /restart_web_dynos?key={KEY}&only_if=status:firing HTTP/1.1\r\nHost: x\r\n");
    stream.write_all((head + "Content-Length: 99\r\n\r\n{\"a\":1,\"sta").as_bytes()).await.expect("sent");
    drop(stream);
    service.log.until(|log| log.count("was accepted") == 1).await;
    service.stop().await;
}

#[tokio::test(start_paused = true)]
async fn only_if_decides_by_any_field_of_any_form() {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    let no_field = "Ignored: it has no field color, which only_if in the URL requires";
    let other = "Ignored: its field color does not have the value that only_if in the URL requires";
    let body = r#"{"data":{"alert":{"Color":"Red","count":3,"hot":true,"dyno":"web.2"}},"labels":[{"k":"v"}]}"#;
    for message in forms(body) {
        for (query, expected) in [
            ("only_if=color:red", "web.2"),
            ("only_if=COLOR:Red", "web.2"),
            ("only_if=color:blue,red", "web.2"),
            ("only_if=alert.color:red&only_if=count:3&only_if=hot:TRUE&only_if=k:v", "web.2"),
            ("only_if=color:blue", other),
            ("only_if=color:red&only_if=color:blue", other),
        ] {
            let decided = decision(&service, message.clone().asking(query)).await;
            assert_eq!(decided, expected, "{query} {message:?}");
        }
    }
    for (query, body, expected) in [
        ("only_if=color:red&Color=RED", "", ALL),
        ("only_if=color:red", "", no_field),
        ("only_if=color:red", r#"{"x":"color","status":"firing"}"#, no_field),
        ("only_if=color:red", r#"{"multicolor":"red"}"#, no_field),
        ("only_if=color:red", r#"{"color":"blue","labels":{"color":"red"}}"#, other),
        ("only_if=color:red", r#"{"color":{"color":"red"}}"#, other),
        ("only_if=color:red", r#"{"colors":[{"color":"blue"},{"color":"red"}]}"#, ALL),
        ("only_if=color:red", r#"{"color":"red","status":"resolved"}"#, RECOVERED),
        (
            "only_if=color",
            "{}",
            "invalid only_if; accepted: FIELD:VALUE or FIELD:VALUE,VALUE, such as only_if=status:firing",
        ),
        ("onlyIf=color:red", "{}", "the parameter onlyIf is misspelt; accepted: only_if"),
    ] {
        assert_eq!(decision(&service, text(body).asking(query)).await, expected, "{query} {body}");
    }
    service.stop().await;
}
