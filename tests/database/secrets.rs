//! Secrets: a key that somebody put in the wrong place is not written to the database.

use reqwest::{Client, Method};

use crate::alerts::until;
use crate::postgres::Database;
use crate::replica;
use crate::service::{KEY, shop};
use simulator::Heroku;

const TABLES: [&str; 7] = ["requests", "seen", "turns", "passes", "reports", "replicas", "drain_steps"];

/// What replicas were told of requests that led to nothing, of log drains and of lines.
const IS_TOLD: &str = "SELECT count(*) FROM dyno_restarter.replicas, dyno_restarter.drain_steps AS steps
    WHERE replicas.heard::text LIKE '%ignored%' AND replicas.heard::text LIKE '%not acted on%' AND steps.heard IS NOT NULL";

/// All rows of a table, as text.
async fn rows(database: &Database, table: &str) -> String {
    let query = format!("SELECT coalesce(string_agg(of_table::text, ' '), '') FROM dyno_restarter.{table} AS of_table");
    database.client().await.query_one(&query, &[]).await.expect("there is such a table").get(0)
}

#[tokio::test]
async fn no_row_has_a_key_that_was_put_in_the_wrong_place() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let service = replica(&heroku, &database).await;
    let with_key = |request: reqwest::RequestBuilder, names: [&str; 2]| {
        let request = request.basic_auth("drain", Some(KEY)).header("user-agent", KEY).header("x-request-id", KEY);
        names.iter().fold(request, |request, name| request.header(*name, KEY)).send()
    };
    let line = format!("<45>1 {} host heroku web.1 - Error R14 ({KEY})", jiff::Timestamp::now());
    let batch = Client::new().post(format!("http://{}/drain", service.address)).body(format!("{} {line}", line.len()));
    let answer = with_key(batch, ["logplex-drain-token", "logplex-frame-id"]).await.expect("answered");
    assert_eq!(answer.status(), 204);
    for query in ["", "status=ok", &format!("only_if={KEY}:x"), &format!("app={KEY}"), &format!("{KEY}=1")] {
        let body = format!(r#"{{"dyno":"web.1","word":"{KEY}","alert":{{"id":"{KEY}"}}}}"#);
        let alert = service.request(Method::POST, query).header("content-type", "application/json").body(body);
        with_key(alert, ["webhook-id", "x-forwarded-for"]).await.expect("answered");
    }
    until(&database, IS_TOLD, 1).await;
    for table in TABLES {
        let rows = rows(&database, table).await;
        assert!(!rows.contains(KEY) && !rows.contains(Heroku::TOKEN), "{table}: {rows}");
    }
    service.stop().await;
}
