//! The counters. With a database, each process writes its own there, and shows the sum of all.

use super::families::{Counted, Labels, Snapshot, labels};
use crate::drain::Drains;
use crate::http::recent::{AlertCounts, RecentAlerts};
use crate::notify::NotificationCounts;
use crate::restart::{AppName, Restarter, Totals};
use crate::store::Counters;
use crate::telemetry;
use crate::util::ordered::CollectOrdered;

/// What may come of requests for which no app is known, and of those for an app.
const RESULTS: [&str; 2] = ["refused", "not acted on"];
const APP_RESULTS: [&str; 4] = ["triggered", "repeated", "ignored", "dry run"];

/// What the counters of this process are made of.
#[derive(Clone, Copy, Debug)]
pub(in crate::http) struct CounterSource<'a> {
    pub(in crate::http) restarter: &'a Restarter,
    pub(in crate::http) drains: &'a Drains,
    pub(in crate::http) recent: &'a RecentAlerts,
    pub(in crate::http) notifications: Option<&'a NotificationCounts>,
}

impl CounterSource<'_> {
    /// How far the counters of this process have come since it started.
    pub(in crate::http) fn counters(&self) -> Counters {
        let mut here = Snapshot::new(None, Counted::Here);
        self.add_to(&mut here);
        here.counters()
    }

    /// Adds all counters.
    pub(super) fn add_to(&self, all: &mut Snapshot) {
        let Self { restarter, drains, recent, .. } = self;
        let apps = restarter.watched().apps();
        add_alerts(all, apps, recent.counts());
        add_totals(all, &apps.iter().map(|app| (app, restarter.totals(app))).collect::<Vec<_>>());
        let calls = restarter.client().calls().into_iter().map(|(status, count)| {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            (labels([("status", status)]), count)
        });
        all.add_counter(
            "dyno_restarter_api_requests",
            "Calls of the Platform API, by the status of the response",
            calls,
        );
        let lines = apps.iter().map(|app| (of_app(app), drains.lines_here(app)));
        let help = "Lines of the app's log that its drains delivered, whoever wrote them";
        all.add_counter("dyno_restarter_drain_lines", help, lines);
        self.add_notifications(all);
        let help = "Log lines that were lost because standard output was not read in time";
        all.add_counter("dyno_restarter_log_lines_lost", help, [(Labels::new(), telemetry::lost_lines())]);
    }

    /// The messages to a chat, if there is one.
    fn add_notifications(&self, all: &mut Snapshot) {
        let Some(counts) = self.notifications else { return };
        let (sent, failed) = counts.read();
        let help = "Messages that NOTIFY_URL took";
        all.add_counter("dyno_restarter_notifications", help, [(Labels::new(), sent)]);
        let failed = failed.into_iter().map(|(reason, count)| (labels([("reason", reason.to_owned())]), count));
        let help =
            "Attempts to send a message to NOTIFY_URL that failed, and messages that were dropped, by the reason";
        all.add_counter("dyno_restarter_notifications_failed", help, failed);
    }
}

fn add_alerts(all: &mut Snapshot, apps: &[AppName], counts: AlertCounts) {
    let of_apps = apps.iter().flat_map(|app| APP_RESULTS.map(|result| ((Some(app.clone()), result), 0)));
    // Each is counted from 0, so that the first one is an increase.
    let mut alerts: AlertCounts =
        RESULTS.map(|result| ((None, result), 0)).into_iter().chain(of_apps).collect_ordered();
    alerts.extend(counts);
    let alerts = alerts.into_iter().map(|((app, result), count)| {
        let app = app.map(|app| app.to_string()).unwrap_or_default();
        (labels([("app", app), ("result", result.replace(' ', "_"))]), count)
    });
    all.add_counter("dyno_restarter_alerts", "Requests to restart dynos, by what became of them", alerts);
}

/// What passes did.
fn add_totals(all: &mut Snapshot, apps: &[(&AppName, Totals)]) {
    let restarts = apps.iter().flat_map(|(app, totals)| {
        totals.restarts.iter().map(|((process_type, result), count)| {
            let [app, process_type, result] = [app.to_string(), process_type.to_string(), (*result).to_owned()];
            (labels([("app", app), ("type", process_type), ("result", result)]), *count)
        })
    });
    let help = "Restarts of dynos, by process type and by what came of them";
    all.add_counter("dyno_restarter_restarts", help, restarts);
    let skipped = apps.iter().flat_map(|(app, totals)| {
        let value = |(reason, count): (&&str, &u64)| {
            (labels([("app", app.to_string()), ("reason", (*reason).to_owned())]), *count)
        };
        totals.skipped.iter().map(value)
    });
    let help = "Dynos that an alert asked for and that were left alone, by the reason";
    all.add_counter("dyno_restarter_skipped", help, skipped);
    let passes = apps.iter().map(|(app, totals)| (of_app(app), totals.passes.clone()));
    all.add_histogram("dyno_restarter_pass_duration_seconds", "How long passes took", passes);
    let boots = apps.iter().map(|(app, totals)| (of_app(app), totals.boots.clone()));
    let help = "How long restarted dynos took until they were seen up";
    all.add_histogram("dyno_restarter_boot_seconds", help, boots);
}

/// The labels of an app.
pub(super) fn of_app(app: &AppName) -> Labels {
    labels([("app", app.to_string())])
}
