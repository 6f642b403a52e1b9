//! Simulated traffic: the router logs requests that no client sent, and the dynos print lines about them.
//!
//! A simulated request takes no time. Its lines are logged at once, even if they say that it timed out after 30 s.

use std::time::Duration;

use jiff::Timestamp;

use crate::app_state::AppState;
use crate::dyno::Dyno;
use crate::event_queue::{EventKind, EventQueue};
use crate::memory::QUOTA;

/// Every 47th request has the unusual path. The number is prime, so that all dynos get such requests.
const UNUSUAL_PATH_INTERVAL: usize = 47;

/// A path that is hard to parse in a log line. All of its characters are valid in the path of a request.
const UNUSUAL_PATH: &str = "/search?q=%22Error+R14%22&dyno=web.9&at=error&code=H12&sort[]='new';x=a,b|c";

/// How long a dyno takes to answer a request while it is within its memory quota. The value is an assumption.
const SERVICE_MS: f64 = 22.0;

/// How much longer it takes for each megabyte over the quota, because this memory is swapped to disk. The value is an
/// assumption.
const SWAP_MS_PER_MEGABYTE: f64 = 15.0;

/// The requests that an app gets.
#[derive(Default)]
pub(crate) struct Traffic {
    /// The time between two requests; `None` if there are no requests.
    interval: Option<Duration>,
    pub(crate) counts: RequestCounts,
}

/// How many requests of an app were served and how many failed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestCounts {
    /// The requests that a dyno answered.
    pub served: usize,
    /// The requests that failed because no web dyno was up (H10) or because their dyno hung (H12). Heroku's router
    /// holds a request for up to 75 s while dynos boot. The simulated router does not.
    pub failed: usize,
    /// The time that the dynos took for all served requests together.
    pub service_time: Duration,
}

impl AppState {
    /// Sets how many requests the app gets in a second. A rate of zero stops the requests.
    pub(crate) fn set_traffic(&mut self, queue: &mut EventQueue, requests_per_second: f64) {
        queue.cancel(|event| event.app == self.name && matches!(event.kind, EventKind::Request));
        self.traffic.interval = (requests_per_second > 0.0).then(|| Duration::from_secs_f64(1.0 / requests_per_second));
        self.schedule_request(queue);
    }

    /// Simulates a request to the next web dyno that is up.
    pub(crate) fn simulate_request(&mut self, queue: &mut EventQueue) {
        let earlier = self.traffic.counts.served + self.traffic.counts.failed;
        let is_unusual = (earlier + 1).is_multiple_of(UNUSUAL_PATH_INTERVAL);
        let path = if is_unusual { UNUSUAL_PATH } else { "/cart_link" };
        let (host, id) = (self.host(), queue.ids.uuid());
        let request = format!(r#"method=GET path="{path}" host={host} request_id={id} fwd="203.0.113.7""#);

        let is_up = |dyno: &&Dyno| dyno.process_type == "web" && dyno.state == "up";
        let up: Vec<&Dyno> = self.dynos.iter().filter(is_up).collect();
        let next = earlier.checked_rem(up.len()).map(|index| up[index]);
        let text = match next {
            None => {
                self.traffic.counts.failed += 1;
                format!(
                    r#"at=error code=H10 desc="App crashed" {request} dyno= connect= service= status=503 bytes= protocol=https"#
                )
            }
            Some(Dyno { name, hangs: true, .. }) => {
                let name = name.clone();
                self.traffic.counts.failed += 1;
                format!(
                    r#"at=error code=H12 desc="Request timeout" {request} dyno={name} connect=0ms service=30001ms status=503 bytes=0 protocol=https"#
                )
            }
            Some(dyno) => {
                let (name, time) = (dyno.name.clone(), self.service_time(dyno, queue.now));
                self.traffic.counts.served += 1;
                self.traffic.counts.service_time += time;
                let time = time.as_millis();
                self.log(queue.now, "app", &name, format!("Completed 200 OK in {time}ms"));
                format!(
                    "at=info {request} dyno={name} connect=1ms service={time}ms status=200 bytes=656 protocol=https"
                )
            }
        };
        self.log(queue.now, "heroku", "router", text);
        self.schedule_request(queue);
    }

    /// Returns how long this dyno takes to answer a request. It takes longer if it swaps memory.
    fn service_time(&self, dyno: &Dyno, now: Timestamp) -> Duration {
        let swapped = (self.memory_of(dyno, now) - QUOTA).max(0.0);
        Duration::from_secs_f64((SERVICE_MS + SWAP_MS_PER_MEGABYTE * swapped).round() / 1000.0)
    }

    fn schedule_request(&self, queue: &mut EventQueue) {
        if let Some(interval) = self.traffic.interval {
            queue.schedule(interval, self.event(EventKind::Request));
        }
    }
}
