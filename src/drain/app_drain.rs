//! What is known of an app by its drains.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tracing::{debug, info, warn};

use super::detector::{Threshold, Trouble, TroubleDetector};
use super::settings::Settings;
use super::symptom::Symptom;
use crate::heroku::{AppName, DynoName};
use crate::http::body::Extent;
use crate::logplex;
use crate::restart::{Target, When};
use crate::util::log_throttle::{Sparing, since_last_told};
use crate::util::text::human;

/// How many drains of an app are known by their token. An app has five at the most, but they come and go.
const MOST_DRAINS: usize = 20;

/// A process that is replaced has so long to end and may still be reported, under the same name.
const EXIT_TIMEOUT: SignedDuration = SignedDuration::from_secs(30);

/// Of how many dynos that are in trouble at once the log tells one by one.
const MOST_TOLD: usize = 50;

/// What is known of an app by its drain.
#[derive(Debug, Default)]
pub(super) struct AppDrain {
    detector: TroubleDetector,
    /// Their tokens.
    drains: BTreeSet<String>,
    own_drains: BTreeSet<String>,
    unwatched: BTreeSet<DynoName>,
    broken: Sparing,
    full: Sparing,
}

impl AppDrain {
    /// The dynos that are in trouble with these reports, and since when each.
    pub(super) fn count(&mut self, app: &AppName, symptoms: Vec<Symptom>, settings: &Settings) -> Target {
        let (mut in_trouble, mut news) = (Target::default(), 0);
        for symptom in symptoms {
            let trouble = self.detector.record(&symptom, settings.threshold);
            let Some(Trouble { since, is_news }) = trouble else { continue };
            let Symptom { dyno, cause, .. } = symptom;
            let Threshold { reports, window } = settings.threshold;
            let times = match reports.get() {
                1 => String::new(),
                _ => format!(", the last of {reports} reports within {}", human(window)),
            };
            news += usize::from(is_news);
            if !is_news {
                debug!(%app, %dyno, "{dyno} of {app} is still in trouble: {cause}{times}");
            } else if news <= MOST_TOLD {
                info!(%app, %dyno, "{dyno} of {app} is in trouble: {cause}{times}");
            }
            // Heroku's own time, as that of the dyno's creation is.
            in_trouble.add(dyno, When::At { time: since, skew: -EXIT_TIMEOUT });
        }
        if self.detector.is_full()
            && let Some(count) = self.full.count()
        {
            warn!(%app, "the log of {app} reports more dynos than can be kept track of{}", since_last_told(count));
        }
        if news > MOST_TOLD {
            info!(%app, "{} more dynos of {app} are in trouble", news - MOST_TOLD);
        }
        in_trouble
    }

    /// Says once that a dyno is reported that is not to be restarted.
    pub(super) fn note_unwatched(&mut self, app: &AppName, Symptom { dyno, cause, .. }: &Symptom) {
        if self.unwatched.len() < MOST_TOLD && self.unwatched.insert(dyno.clone()) {
            info!(%app, %dyno, "{dyno} of {app}: {cause}. It is left alone, for its process type is not in PROCESS_TYPES");
        }
    }

    /// Says once that a drain arrives, and whose log it is taken for.
    pub(super) fn note_drain(&mut self, app: &AppName, token: Option<&str>) {
        let Some(token) = token.filter(|token| is_token(token) && !self.drains.contains(*token)) else { return };
        if self.drains.len() == MOST_DRAINS {
            return;
        }
        self.drains.insert(token.to_owned());
        match self.drains.len() {
            1 => info!(%app, "the log of {app} arrives, by drain {token}"),
            number => warn!(
                %app,
                "the log of {app} arrives by another drain, {token}, {number} in all. Only its URL says that it is the log of \
                 {app}; see `heroku drains -a {app}`"
            ),
        }
    }

    pub(super) fn note_broken(&mut self, app: &AppName, extent: Extent, error: logplex::FrameError) {
        if extent != Extent::Whole {
            debug!(%app, "a batch of the log of {app} is not whole; what came of it counts");
        } else if let Some(batches) = self.broken.count() {
            warn!(
                %app,
                batches,
                "the drain of {app} brought something that is no log: {error}. What stood in front of it counts. Does the URL \
                 with /drain belong to a log drain?{}",
                since_last_told(batches)
            );
        }
    }

    /// Whether this is the log of the service itself. Each batch of it makes the router write one more line.
    pub(super) fn is_own(&mut self, app: &AppName, token: Option<&str>, is_own_log: bool) -> bool {
        let is_known = token.is_some_and(|token| self.own_drains.contains(token));
        let has_room = self.own_drains.len() < MOST_DRAINS;
        if is_own_log && has_room && self.own_drains.insert(token.unwrap_or_default().to_owned()) {
            warn!(
                %app,
                "a log drain brings this service its own log as that of {app}; it goes round in circles and is left unread. \
                 Remove the drain from the app of the restarter: see `heroku drains` and `heroku drains:remove`"
            );
        }
        is_known || is_own_log
    }
}

/// It is written into the log, so it must be what Heroku calls a drain: `d.` and an id.
fn is_token(token: &str) -> bool {
    let is_of_an_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    token.len() <= 64 && token.starts_with("d.") && token.bytes().all(is_of_an_id)
}
