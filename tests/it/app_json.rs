//! The file behind the Heroku button: what Heroku accepts in it, and what the service expects of it.
//!
//! The rules are those of <https://devcenter.heroku.com/articles/app-json-schema>, as far as the file uses them.

use std::cell::RefCell;
use std::collections::BTreeSet;

use dyno_restarter::config::Config;
use serde_json::{Map, Value};

fn manifest() -> Map<String, Value> {
    let json: Value = serde_json::from_str(include_str!("../../app.json")).expect("it is JSON");
    json.as_object().expect("it is an object").clone()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("it is an object").keys().map(String::as_str).collect()
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

#[test]
fn each_key_at_the_top_has_the_type_that_heroku_expects() {
    for (key, value) in manifest() {
        let valid = match key.as_str() {
            // A name has at most 30 characters in the older rules.
            "name" => value.as_str().is_some_and(|name| (1..=30).contains(&name.len())),
            "description" | "success_url" => is_text(&value),
            "keywords" => value.as_array().is_some_and(|words| words.iter().all(is_text)),
            "stack" => value == "heroku-24",
            "buildpacks" => value.as_array().is_some_and(|list| list.iter().all(|entry| is_text(&entry["url"]))),
            "formation" | "env" => value.is_object(),
            _ => false,
        };
        assert!(valid, "{key}: {value}");
    }
}

#[test]
fn one_basic_web_dyno_runs_and_its_price_is_named() {
    let manifest = manifest();
    assert_eq!(manifest["formation"], serde_json::json!({ "web": { "quantity": 1, "size": "basic" } }));
    // A process type of the formation must be in the Procfile.
    assert!(include_str!("../../Procfile").starts_with("web: ./target/release/dyno-restarter"));
    assert!(manifest["description"].as_str().is_some_and(|text| text.contains("7 dollars a month")));
}

#[test]
fn each_variable_says_what_it_is_and_only_the_webhook_key_is_generated() {
    for (name, variable) in manifest()["env"].as_object().expect("it is an object") {
        assert!(name.bytes().all(|byte| byte == b'_' || byte.is_ascii_uppercase()), "{name}");
        let expected =
            if name == "RESTART_WEBHOOK_KEY" { vec!["description", "generator"] } else { vec!["description"] };
        assert_eq!(keys(variable), expected.into_iter().collect(), "{name}");
        assert!(is_text(&variable["description"]), "{name}");
    }
    assert_eq!(manifest()["env"]["RESTART_WEBHOOK_KEY"]["generator"], "secret");
}

#[test]
fn the_variables_are_those_that_the_service_requires() {
    let asked = RefCell::new(Vec::new());
    let told = Config::from_lookup(|name| {
        asked.borrow_mut().push(name);
        None
    });
    let told = told.expect_err("nothing is set").to_string();
    let required =
        asked.borrow().iter().copied().filter(|name| told.contains(&format!("\n  {name} is not set"))).collect();
    assert_eq!(keys(&manifest()["env"]), required);
}
