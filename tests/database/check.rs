//! `dyno-restarter check` looks at the database.

use crate::postgres::PASSWORD;
use crate::service::{environment, shop};
use crate::{in_time, replica};

/// What it says of the database with this URL.
pub(crate) async fn told(heroku: &simulator::Heroku, url: &str) -> Vec<String> {
    let environment = environment(heroku, &[("DATABASE_URL", url)]);
    let check = dyno_restarter::check(|name| environment.get(name).map(Into::into), false);
    let results = in_time("the check", check).await.to_string();
    assert!(!results.contains(PASSWORD), "{results}");
    results.lines().filter(|line| line.contains("database")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_check_says_whether_the_database_answers_and_who_has_the_turn_and_makes_no_tables() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    let before = told(&heroku, &database.url).await.join("\n");
    assert!(
        before.contains("the database: PostgreSQL ") && before.contains("makes its tables when it starts"),
        "{before}"
    );
    assert_eq!(database.number("SELECT count(*) FROM pg_namespace WHERE nspname = 'dyno_restarter'").await, 0);
    let service = replica(&heroku, &database).await;
    crate::alerts::until(&database, "SELECT count(*) FROM dyno_restarter.turns WHERE holder IS NOT NULL", 1).await;
    let after = told(&heroku, &database.url).await.join("\n");
    assert!(after.contains("alerts that wait: 0; who makes the passes: shop: restarter/"), "{after}");
    service.stop().await;
    let wrong = told(&heroku, &database.url.replace(PASSWORD, "wrong")).await.join("\n");
    assert!(wrong.contains("the database rejected the user or the password of DATABASE_URL"), "{wrong}");
}
