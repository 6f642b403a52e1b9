//! What there is to say of the database, and of this process among its replicas.

use super::{AppName, DatabaseStatus, Restarter};

impl Restarter {
    /// With a database, what this process is called among its replicas: the name of its dyno.
    #[must_use]
    pub fn replica(&self) -> Option<String> {
        Some(dyno_of(self.acceptor.as_ref()?.store().id()).to_owned())
    }

    /// Whether no restarter can make passes over this app, although the database answers.
    ///
    /// # Panics
    /// When `app` is not one of [`Watched::apps`](super::Watched::apps).
    #[must_use]
    pub fn has_turn_problem(&self, app: &AppName) -> bool {
        self.app(app).turn.as_ref().is_some_and(|turn| turn.status().problem.is_some())
    }

    /// The database, if there is one.
    #[must_use]
    pub fn database(&self) -> Option<DatabaseStatus> {
        let acceptor = self.acceptor.as_ref()?;
        let store = acceptor.store();
        let answers = store.answers();
        let unwritten = || self.apps.values().find_map(|app| app.turn.as_ref()?.unwritten());
        let problem = store.problem().or(acceptor.away()).or_else(unwritten).filter(|_| answers);
        Some(DatabaseStatus {
            answers,
            acts_alone: store.is_alone(),
            problem: problem.map(|error| format!("{error}. To fix it: {}", error.remedy())),
            answered_at: store.answered_at().map(|at| self.clock.time(at)),
            unwritten_alerts: acceptor.unwritten(),
            unwritten_passes: self.apps.values().map(|app| app.past().unwritten_count()).sum(),
        })
    }
}

/// The name of the dyno in the name by which replicas know a process, such as `web.1` in `web.1/0a1b2c3d`.
pub(crate) fn dyno_of(replica: &str) -> &str {
    replica.split('/').next().unwrap_or(replica)
}
