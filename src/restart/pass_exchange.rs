//! Exchanges reports on passes with other processes, by way of the database. Nothing but the page depends on it.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::past_passes::{MOST, MOST_IDLE};
use super::worker::SharedApp;
use crate::store::{Error, Postgres, StoredPassRow};
use crate::util::clock::Clock;

/// How many reports are read at once. The others are read the next time.
const MOST_AT_ONCE: usize = 100;

/// Writes the reports on passes over these apps that could not be written when they ended, and reads those of other processes.
pub(super) async fn exchange_passes(store: &Postgres, clock: Clock, apps: BTreeMap<&str, &SharedApp>) {
    let mut last_rows = Vec::new();
    for (name, app) in &apps {
        let unwritten = app.past().unwritten();
        if unwritten.passes.is_empty() || store.keep_passes(name, &unwritten.passes).await.is_ok() {
            app.past().written(&unwritten);
        }
        last_rows.extend(app.past().last_row().map(|last| (*name, last)));
    }
    let mut read = Vec::new();
    if !last_rows.is_empty() {
        let news = store.passes_after(&last_rows, MOST_AT_ONCE).await;
        read.push((last_rows.iter().map(|(name, _)| *name).collect(), news));
    }
    // The first time, each app has a statement of its own, because its passes of days may be large. When that takes long, some
    // are read the next time: turns must be renewed in between.
    let began = Instant::now();
    for (name, _) in apps.iter().filter(|(_, app)| app.past().last_row().is_none()) {
        if began.elapsed() < store.timing().poll {
            read.push((vec![*name], store.latest_passes(name, MOST_IDLE, MOST).await));
        }
    }
    for (names, rows) in read {
        add(&apps, &names, &rows, clock);
    }
}

/// Adds what was read of these apps.
fn add(apps: &BTreeMap<&str, &SharedApp>, names: &[&str], rows: &Result<Vec<StoredPassRow>, Error>, clock: Clock) {
    let mut by_app: BTreeMap<&str, Vec<_>> = names.iter().map(|name| (*name, Vec::new())).collect();
    match rows {
        Ok(rows) => {
            for row in rows {
                by_app.entry(&row.app).or_default().push((row.id, row.report.clone()));
            }
        }
        Err(error) => {
            for app in names.iter().filter_map(|name| apps.get(name)) {
                app.past().cannot_be_read(error.clone());
            }
            return;
        }
    }
    for (name, rows) in by_app {
        let Some(app) = apps.get(name) else { continue };
        let events = app.past().add_rows(rows);
        app.view().add_events(events, clock.now());
    }
}
