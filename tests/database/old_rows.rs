//! What is old is deleted.

use crate::alerts::until;
use crate::replica;
use crate::service::shop;

/// In each table one row that is new enough, and more that are old than are deleted in one step where there may be many.
const ROWS: &str = "
    INSERT INTO dyno_restarter.requests (app, asked, alerts, senders, ids, accepted_at, done_at)
        SELECT 'gone', '{}', 1, '{}', '{}', now() - interval '31 days', CASE WHEN number > 600 THEN now() END
        FROM generate_series(1, 1200) AS number;
    INSERT INTO dyno_restarter.requests (app, asked, alerts, senders, ids, accepted_at)
        VALUES ('gone', '{}', 1, '{}', '{}', now() - interval '29 days');
    INSERT INTO dyno_restarter.passes (app, report, ended_at)
        SELECT 'gone', '{}', now() - interval '31 days' FROM generate_series(1, 1200);
    INSERT INTO dyno_restarter.passes (app, report, ended_at) VALUES ('gone', '{}', now() - interval '29 days');
    INSERT INTO dyno_restarter.seen (id, seen_at)
        SELECT int4send(number), now() - interval '2 hours' FROM generate_series(1, 1200) AS number;
    INSERT INTO dyno_restarter.seen (id, seen_at) VALUES (int4send(0), now() - interval '50 minutes');
    INSERT INTO dyno_restarter.reports (app, dyno, kind, times, changed_at)
        VALUES ('gone', 'web.1', 'errors', '{}', now() - interval '31 days'),
            ('gone', 'web.2', 'errors', '{}', now() - interval '29 days');
    INSERT INTO dyno_restarter.drain_steps (app, began_at, replica, heard, changed_at)
        SELECT 'gone', number, 'web.1', '{}', now() - interval '31 days' FROM generate_series(1, 1200) AS number;
    INSERT INTO dyno_restarter.drain_steps (app, began_at, replica, heard, changed_at)
        VALUES ('gone', 0, 'web.1', '{}', now() - interval '29 days');
    INSERT INTO dyno_restarter.turns (app, holder, term, beat, renewed_at)
        VALUES ('gone', NULL, 1, 1, now() - interval '31 days'), ('gone-2', NULL, 1, 1, now() - interval '29 days');
    INSERT INTO dyno_restarter.replicas (id, seen_at)
        VALUES ('old', now() - interval '25 hours'), ('new', now() - interval '23 hours')";

#[tokio::test]
async fn what_is_older_than_thirty_days_is_deleted_from_every_table() {
    let database = database!();
    let (heroku, _) = shop(1).await;
    replica(&heroku, &database).await.stop().await;
    let client = database.client().await;
    client.batch_execute(ROWS).await.expect("done");
    let service = replica(&heroku, &database).await;
    let tables =
        "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'dyno_restarter'::regnamespace";
    for row in client.query(tables, &[]).await.expect("they can be listed") {
        let table: String = row.get(0);
        // The services have rows of their own, and one of a service that ended stays for a day.
        let left = match &*table {
            "turns" => 2,
            "replicas" => 3,
            // What a process counted is never deleted, but added to what others counted.
            "counters" => continue,
            _ => 1,
        };
        until(&database, &format!("SELECT count(*) FROM dyno_restarter.{table}"), left).await;
    }
    service.stop().await;
}
