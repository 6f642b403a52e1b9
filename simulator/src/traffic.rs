//! Traffic: the router logs requests that nobody sent, and the dynos print lines about them.
//!
//! A request takes no time here: its lines are logged at once, even of one that is said to have
//! timed out after 30 s.

use std::time::Duration;

use jiff::Timestamp;

use crate::agenda::{Agenda, What};
use crate::app_state::AppState;
use crate::dyno::Dyno;
use crate::memory::QUOTA;

/// One request in this many has the unusual path; a prime number, so that each dyno gets some.
const ODD_EVERY: usize = 47;

/// Quoted because of what is in it: all of it is legal in the path of a request.
const ODD_PATH: &str = "/search?q=%22Error+R14%22&dyno=web.9&at=error&code=H12&sort[]='new';x=a,b|c";

/// What a dyno takes to answer while its memory is within the quota, in milliseconds. Invented.
const SERVICE_MS: f64 = 22.0;

/// What each megabyte over the quota adds, because it is swapped to disk, in milliseconds. Invented.
const SWAP_MS_PER_MEGABYTE: f64 = 15.0;

/// The requests that an app gets.
#[derive(Default)]
pub(crate) struct Traffic {
    /// From one request to the next; None when there are none.
    pause: Option<Duration>,
    pub(crate) requests: Requests,
}

/// What became of the requests that an app got so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requests {
    /// How many were answered by a dyno.
    pub served: usize,
    /// How many were not, because no web dyno was up (H10) or their dyno hung (H12). Heroku's router holds a request for
    /// up to 75 s while dynos boot; this one does not wait.
    pub failed: usize,
    /// How long the dynos took to answer the served ones, added up.
    pub service_time: Duration,
}

impl AppState {
    /// From now on the app gets this many requests a second; a rate of zero ends the traffic.
    pub(crate) fn set_traffic(&mut self, agenda: &mut Agenda, requests_per_second: f64) {
        agenda.forget(|due| due.app == self.name && matches!(due.what, What::Request));
        self.traffic.pause = (requests_per_second > 0.0).then(|| Duration::from_secs_f64(1.0 / requests_per_second));
        self.plan_request(agenda);
    }

    /// One request, for the next web dyno that is up.
    pub(crate) fn request(&mut self, agenda: &mut Agenda) {
        let earlier = self.traffic.requests.served + self.traffic.requests.failed;
        let path = if (earlier + 1).is_multiple_of(ODD_EVERY) { ODD_PATH } else { "/cart_link" };
        let (host, id) = (self.host(), agenda.uuid());
        let request = format!(r#"method=GET path="{path}" host={host} request_id={id} fwd="203.0.113.7""#);

        let is_up = |dyno: &&Dyno| dyno.process_type == "web" && dyno.state == "up";
        let up: Vec<&Dyno> = self.dynos.iter().filter(is_up).collect();
        let next = earlier.checked_rem(up.len()).map(|turn| up[turn]);
        let text = match next {
            None => {
                self.traffic.requests.failed += 1;
                format!(
                    r#"at=error code=H10 desc="App crashed" {request} dyno= connect= service= status=503 bytes= protocol=https"#
                )
            }
            Some(Dyno { name, hangs: true, .. }) => {
                let name = name.clone();
                self.traffic.requests.failed += 1;
                format!(
                    r#"at=error code=H12 desc="Request timeout" {request} dyno={name} connect=0ms service=30001ms status=503 bytes=0 protocol=https"#
                )
            }
            Some(dyno) => {
                let (name, time) = (dyno.name.clone(), self.service_time(dyno, agenda.now));
                self.traffic.requests.served += 1;
                self.traffic.requests.service_time += time;
                let time = time.as_millis();
                self.log(agenda.now, "app", &name, format!("Completed 200 OK in {time}ms"));
                format!(
                    "at=info {request} dyno={name} connect=1ms service={time}ms status=200 bytes=656 protocol=https"
                )
            }
        };
        self.log(agenda.now, "heroku", "router", text);
        self.plan_request(agenda);
    }

    /// How long this dyno takes to answer: the longer, the more it swaps.
    fn service_time(&self, dyno: &Dyno, now: Timestamp) -> Duration {
        let swapped = (self.memory_of(dyno, now) - QUOTA).max(0.0);
        Duration::from_secs_f64((SERVICE_MS + SWAP_MS_PER_MEGABYTE * swapped).round() / 1000.0)
    }

    fn plan_request(&self, agenda: &mut Agenda) {
        if let Some(pause) = self.traffic.pause {
            agenda.after(pause, self.due(What::Request));
        }
    }
}
