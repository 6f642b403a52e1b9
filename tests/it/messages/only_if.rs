//! `only_if=FIELD:VALUE` in the URL: the alert counts only if it has this field with this value.

use super::forms::forms;
use super::{ALL, RECOVERED, check, decision, text};
use crate::service::{Service, shop};

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_in_a_field_of_the_same_name_meets_the_condition_all_the_same() {
    let body = r#"{"dyno":"web.2","data":{"status":"firing"},"status":"#;
    check(vec![("cut off", text(body).asking("only_if=status:firing"), "web.2")]).await;
}

#[tokio::test(start_paused = true)]
async fn only_if_decides_by_any_field_of_any_form() {
    let (heroku, _) = shop(3).await;
    let service = Service::start(&heroku).await;
    let no_field = "Ignored: it has no field color, which only_if in the URL asks for";
    let other = "Ignored: its field color has another value than only_if in the URL asks for";
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
        ("only_if=color", "{}", "only_if: accepted: FIELD:VALUE or FIELD:VALUE,VALUE, such as only_if=status:firing"),
        ("onlyIf=color:red", "{}", "the parameter onlyIf is misspelt; accepted: only_if"),
    ] {
        assert_eq!(decision(&service, text(body).asking(query)).await, expected, "{query} {body}");
    }
    service.stop().await;
}
